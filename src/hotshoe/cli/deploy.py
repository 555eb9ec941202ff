"""``hotshoe deploy``: print the configuration of what stands around hotshoe, for these apps and settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import __version__
from ..config import TABLE, Setting
from ..deploy import TARGETS, Wishes, as_text, lacking, make_plan, render, write
from ..deploy.plan import IDLE_S
from .loading import Sources
from .options import Parser, add_settings, given

_LEFT_OUT = frozenset({
    "args", "config", "dev", "glob", "mem_log_frequency_milliseconds", "num_procs", "show", "ssl_certfile",
    "ssl_keyfile", "unix_socket_mode", "use_config", "use_xheaders", "watch", "wsgi",
})
"""Settings that the plan decides, that make no sense behind a proxy, or that name files of this machine."""
_OF_PLAN = frozenset({"address", "port", "prefix", "trusted_proxies", "unix_socket"})
"""Settings that stand in the command's line anyhow, as the plan has them."""
_ROWS = tuple(row for row in TABLE if row.name not in _LEFT_OUT and not row.declaration.secret)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print or write the files. Returns the exit status; raises ``UserError`` for what can't be."""
    parser = make_parser()
    values = parser.parse_intermixed_args(arguments)
    if values.target is None:
        parser.error(f"say for what: {', '.join(TARGETS)}")
    settings = Sources.of(values, environ, use_xheaders=True).settings()
    plan = make_plan(_wishes(values), settings, _bokehjs() if values.static else None)
    files = render(TARGETS[values.target], plan, __version__)
    if values.output is None:
        if values.force:
            parser.error("--force needs --output FOLDER")
        print(as_text(files), end="")
    else:
        missing = lacking(files, values.output)
        for line in (*write(files, values.output, force=values.force), *missing):
            print(line, file=sys.stderr)
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe deploy``."""
    parser = Parser(
        prog="hotshoe deploy",
        usage="hotshoe deploy TARGET [FILE ...] [options]",
        description="Print a whole, commented configuration for these apps and settings. At its top stands the "
                    "hotshoe serve command that it goes with. TARGET is one of:\n"
                    + "\n".join(f"  {target.name:12}{target.what}" for target in TARGETS.values()),
        epilog="Other options are those of hotshoe serve, and go into its command.")
    parser.add_argument("target", nargs="?", choices=tuple(TARGETS), metavar="TARGET", help="nginx, systemd, ...")
    parser.add_argument("apps", nargs="*", metavar="FILE", help="app.py, app.ipynb or a directory, as for serve")
    _add_outside(parser)
    _add_processes(parser)
    _add_output(parser)
    add_settings(parser, _ROWS)
    return parser


def _add_outside(parser: Parser) -> None:
    group = parser.add_argument_group("What visitors see")
    group.add_argument("--domain", metavar="NAME", action="append", default=[], dest="domains",
                       help="Name of the site, the first is the main one; can be given several times")
    group.add_argument("--tls", metavar="FILE", default=None,
                       help="Certificate with its chain; auto gets one, which is the default if --domain is a name")
    group.add_argument("--tls-key", metavar="FILE", default=None, help="Its key, if it is in another file")
    group.add_argument("--no-tls", action="store_true", help="Plain http, behind another proxy")
    group.add_argument("--strip-prefix", action="store_true",
                       help="Cut --prefix off, instead of telling it to hotshoe")
    group.add_argument("--listen", metavar="[ADDRESS:]PORT", default=None, help="Where http comes in (default: 80)")
    group.add_argument("--listen-tls", metavar="[ADDRESS:]PORT", default=None,
                       help="Where https comes in (default: 443)")
    group.add_argument("--behind", metavar="ADDRESS", action="append", default=[],
                       help="A proxy, or its network, before this one, whose X-Forwarded headers are passed on")
    group.add_argument("--idle", metavar="S", type=int, default=IDLE_S, dest="idle_s",
                       help=f"How long the proxy waits for a silent app or websocket (default: {IDLE_S} s)")
    group.add_argument("--static", action="store_true", help="Have the proxy serve the files of BokehJS")
    group.add_argument("--static-folder", metavar="PATH", default=None,
                       help="BokehJS's folder on the server, if it is another than here (see hotshoe info --static)")
    group.add_argument("--wstunnel", action="store_true", help="For Apache before 2.4.47: use mod_proxy_wstunnel")


def _add_processes(parser: Parser) -> None:
    group = parser.add_argument_group("What runs")
    group.add_argument("--wsgi", "--flask", metavar="MODULE:APP", default=None, dest="site",
                       help="The Flask, Django or other WSGI site around the apps")
    group.add_argument("--upstream", metavar="HOST:PORT", action="append", default=[], dest="upstreams",
                       help="A process of hotshoe, or unix:/path; can be given several times "
                            "(default: --unix-socket, or --address and --port)")
    group.add_argument("--health", metavar="PATH", default=None,
                       help="Path that the proxy asks a process for to see whether it lives, if another proxy is there")
    group.add_argument("--name", metavar="NAME", default="hotshoe", help="Name of the files, the unit, the service")
    group.add_argument("--user", metavar="USER", default=None, help="User who runs it (default: hotshoe)")
    group.add_argument("--group", metavar="GROUP", default=None,
                       help="Group that may use the Unix socket (default: www-data)")
    group.add_argument("--workdir", metavar="PATH", default=None, help="Folder of the apps (default: /srv/NAME)")
    group.add_argument("--program", metavar="PATH", default=None, help="Path of the program hotshoe")
    group.add_argument("--image", metavar="IMAGE", default=None, help="Image of the containers")
    group.add_argument("--replicas", metavar="N", type=int, default=None, help="How many containers")


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("Output")
    group.add_argument("-o", "--output", metavar="FOLDER", type=Path, default=None,
                       help="Write files into this folder instead of printing them")
    group.add_argument("--force", action="store_true", help="Replace files that are there")


def _wishes(values: argparse.Namespace) -> Wishes:
    return Wishes(
        apps=values.apps, domains=values.domains, tls=values.tls, tls_key=values.tls_key, no_tls=values.no_tls,
        site=values.site, upstreams=values.upstreams, strip_prefix=values.strip_prefix, behind=values.behind,
        listen=values.listen, listen_tls=values.listen_tls, idle_s=values.idle_s, health=values.health,
        static=values.static, static_folder=values.static_folder, wstunnel=values.wstunnel, name=values.name,
        user=values.user, group=values.group, workdir=values.workdir, program=values.program or _program(values.target),
        image=values.image, replicas=values.replicas, given=_given(values))


def _given(values: argparse.Namespace) -> list[tuple[str, ...]]:
    """The other options of ``hotshoe serve``."""
    options = given(values, _ROWS)
    return [option for row in _ROWS if row.name in options and row.name not in _OF_PLAN
            for option in _options(row, options[row.name])]


def _options(row: Setting, value: object) -> list[tuple[str, ...]]:
    match value:
        case bool():
            return [(row.flag,)]
        case list() | tuple():
            return [(row.flag, str(each)) for each in value]
        case _:
            return [(row.flag, str(value))]


def _program(target: str) -> str:
    """systemd needs a path: this program's own, as the apps run in its environment."""
    return str(Path(sys.executable).with_name("hotshoe")) if target == "systemd" else "hotshoe"


def _bokehjs() -> str:
    from ..pages.assets import bokehjs_dir

    return str(bokehjs_dir())

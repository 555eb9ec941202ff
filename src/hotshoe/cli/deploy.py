"""``hotshoe deploy``: print configurations of proxies, services and containers for these apps and settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from .. import __version__
from ..config import TABLE, Setting
from ..deploy import TARGETS, DeployOptions, as_text, make_plan, missing_requirements, render, write
from ..deploy.plan import IDLE_S
from .arguments import Parser, add_settings, given_options, sources_of

_LEFT_OUT = frozenset({
    "args", "config", "dev", "glob", "mem_log_frequency_milliseconds", "num_procs", "show", "ssl_certfile",
    "ssl_keyfile", "unix_socket_mode", "use_config", "use_xheaders", "watch", "wsgi",
})
"""Settings that the plan sets, that make no sense behind a proxy, or that name files of this machine."""
_PLAN_SETTINGS = frozenset({"address", "port", "prefix", "trusted_proxies", "unix_socket"})
"""Settings that the plan writes into the command."""
_OPTION_NAMES = frozenset(field.name for field in fields(DeployOptions))
_ROWS = tuple(row for row in TABLE if row.name not in _LEFT_OUT and not row.doc.secret)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print or write the files. Returns the exit status; raises ``UserError`` for a mistake in the arguments."""
    parser = make_parser()
    values = parser.parse_intermixed_args(arguments)
    if values.target is None:
        parser.error(f"a TARGET is missing: {', '.join(TARGETS)}")
    settings = sources_of(values, environ, use_xheaders=True).settings()
    plan = make_plan(_deploy_options(values), settings)
    files = render(TARGETS[values.target], plan, __version__)
    if values.output is None:
        if values.force:
            parser.error("--force needs --output FOLDER")
        print(as_text(files), end="")
    else:
        to_add = missing_requirements(files, values.output)
        for line in (*write(files, values.output, force=values.force), *to_add):
            print(line, file=sys.stderr)
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe deploy``."""
    parser = Parser(
        "deploy", "TARGET [FILE ...] [options]",
        description="Print a complete, commented configuration for these apps and settings, with the hotshoe serve "
                    "command that matches it. TARGET is one of:\n"
                    + "\n".join(f"  {target.name:12}{target.what}" for target in TARGETS.values()),
        epilog='From "Listening" on, the options are those of hotshoe serve. They become part of its command.')
    parser.add_argument("target", nargs="?", choices=tuple(TARGETS), metavar="TARGET", help="nginx, systemd, ...")
    parser.add_argument("apps", nargs="*", metavar="FILE", help="app.py, app.ipynb or a directory, as for serve")
    _add_outside(parser)
    _add_processes(parser)
    _add_output(parser)
    add_settings(parser, _ROWS)
    return parser


def _add_outside(parser: Parser) -> None:
    group = parser.add_argument_group("Site")
    group.add_argument("--domain", metavar="NAME", action="append", default=[], dest="domains",
                       help="Domain of the site; the first is the main one")
    group.add_argument("--tls", metavar="FILE",
                       help="Certificate with its chain; auto gets one (default: auto, if --domain is a name)")
    group.add_argument("--tls-key", metavar="FILE", help="Key of the certificate, if it is in another file")
    group.add_argument("--no-tls", action="store_true", help="Use plain http, behind another proxy")
    group.add_argument("--strip-prefix", action="store_true",
                       help="Have the proxy cut off --prefix, so that hotshoe does not know it")
    group.add_argument("--listen", metavar="[ADDRESS:]PORT", help="Where the proxy listens for http (default: 80)")
    group.add_argument("--listen-tls", metavar="[ADDRESS:]PORT",
                       help="Where the proxy listens for https (default: 443)")
    group.add_argument("--behind", metavar="ADDRESS", action="append", default=[],
                       help="Address or network of a proxy in front of this one, to trust its X-Forwarded headers")
    group.add_argument("--idle", metavar="S", type=int, default=IDLE_S, dest="idle_s",
                       help=f"Time that the proxy waits for a silent app or websocket (default: {IDLE_S} s)")
    group.add_argument("--static", action="store_true", help="Have the proxy serve the files of BokehJS")
    group.add_argument("--static-folder", metavar="PATH",
                       help="Folder of BokehJS on the server, if hotshoe info --static prints another one here")
    group.add_argument("--wstunnel", action="store_true", help="For Apache before 2.4.47: use mod_proxy_wstunnel")


def _add_processes(parser: Parser) -> None:
    group = parser.add_argument_group("Processes")
    group.add_argument("--wsgi", "--flask", metavar="MODULE:APP", dest="site",
                       help="Flask, Django or other WSGI site around the apps")
    group.add_argument("--upstream", metavar="HOST:PORT", action="append", default=[], dest="upstreams",
                       help="Address of a hotshoe process, or unix:/path (default: --unix-socket, or --address and "
                            "--port)")
    group.add_argument("--health", metavar="PATH",
                       help="Path that health checks request from a process (default: /_hotshoe/health)")
    group.add_argument("--name", metavar="NAME", default="hotshoe",
                       help="Name of the files, the unit, the service (default: hotshoe)")
    group.add_argument("--user", metavar="USER", help="User that runs the service (default: hotshoe)")
    group.add_argument("--group", metavar="GROUP",
                       help="Group that may use the Unix socket (default: www-data)")
    group.add_argument("--workdir", metavar="PATH", help="Folder of the apps (default: /srv/NAME)")
    group.add_argument("--program", metavar="PATH", help="Path of the hotshoe program")
    group.add_argument("--image", metavar="IMAGE", help="Image of the containers")
    group.add_argument("--replicas", metavar="N", type=int, help="Number of containers")


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("Output")
    group.add_argument("-o", "--output", metavar="FOLDER", type=Path,
                       help="Folder to write the files into, instead of printing them")
    group.add_argument("--force", action="store_true", help="Overwrite existing files")


def _deploy_options(values: argparse.Namespace) -> DeployOptions:
    options = {name: value for name, value in vars(values).items() if name in _OPTION_NAMES}
    options["program"] = values.program or _program(values.target)
    options["static_folder"] = values.static_folder or (_bokehjs() if values.static else None)
    return DeployOptions(**options, serve_options=_serve_options(values))


def _serve_options(values: argparse.Namespace) -> list[tuple[str, ...]]:
    """The options of ``hotshoe serve`` that the plan only copies into its command."""
    options = given_options(values, _ROWS)
    return [option for row in _ROWS if row.name in options and row.name not in _PLAN_SETTINGS
            for option in _words_of(row, options[row.name])]


def _words_of(row: Setting, value: object) -> list[tuple[str, ...]]:
    match value:
        case bool():
            return [(row.flag,)]
        case list() | tuple():
            is_one_word = row.doc.alone is not None
            return [(f"{row.flag}={each}",) if is_one_word else (row.flag, str(each)) for each in value]
        case _:
            return [(row.flag, str(value))]


def _program(target: str) -> str:
    """systemd needs a path: that of this program, because the apps run in its environment."""
    return str(Path(sys.executable).with_name("hotshoe")) if target == "systemd" else "hotshoe"


def _bokehjs() -> str:
    from ..pages.assets import bokehjs_dir

    return str(bokehjs_dir())

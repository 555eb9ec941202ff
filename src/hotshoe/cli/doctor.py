"""``hotshoe doctor``: walk the path that a browser takes to an app, and say what to change."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Parser

if TYPE_CHECKING:
    from ..doctor import Options

_LONGEST_S = 3600.0
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Examine, and print. The exit status is 0 if nothing is wrong, 1 if something is, 3 if nothing answers."""
    from ..doctor import as_json, examine, render

    parser = make_parser()
    values = parser.parse_args(arguments)
    report = examine(_checked_url(parser, values.url), _options(parser, values))
    if values.json:
        print(json.dumps(as_json(report), indent=2))
    else:
        colour = sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        text = render(report, colour=colour, width=shutil.get_terminal_size().columns)
        print(text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"), end="")
    return report.status


def make_parser() -> Parser:
    """The parser of ``hotshoe doctor``."""
    parser = Parser(
        prog="hotshoe doctor", usage="hotshoe doctor URL [options]",
        description="Walk the path that a browser takes to an app of hotshoe, bokeh serve or Panel, and say for each "
                    "hop what was seen and what to change: name, TLS, page, files, cookies, header sizes, websocket, "
                    "backends. URL is an app, an index of apps, or a page that embeds some.",
        epilog="Exit status: 0 nothing is wrong, 1 something is, 2 the command line is, 3 nothing answers.")
    parser.add_argument("url", metavar="URL", help="Address, as a browser has it")
    parser.add_argument("--json", action="store_true", help="Print the report as JSON")
    parser.add_argument("--timeout", metavar="S", type=_seconds, default=10.0,
                        help="Seconds to wait for each answer (default: 10; pages have 15 at least)")
    parser.add_argument("--idle", metavar="S", type=_seconds, default=0.0,
                        help="Watch an idle websocket for so many seconds (default: 0, not at all; 80 shows most)")
    parser.add_argument("--from", metavar="ORIGIN", dest="embedded_from", default="",
                        help="Site whose pages will embed the app, as https://www.example.org")
    parser.add_argument("--header", metavar="'NAME: VALUE'", action="append", default=[],
                        help="Request header, to pass a login; only the host of URL gets it")
    parser.add_argument("--cookie", metavar="'NAME=VALUE'", action="append", default=[],
                        help="Cookie, to pass a login; only the host of URL gets it")
    parser.add_argument("--cafile", metavar="FILE", type=Path, help="Certificates of your own authority, to trust them")
    parser.add_argument("--insecure", action="store_true", help="A certificate that can't be verified is no problem")
    parser.add_argument("--http-port", metavar="PORT", type=int,
                        help="Where http should lead to https (default: 80, if https is at 443)")
    parser.add_argument("--proxy", metavar="NAME", choices=_proxies(),
                        help="Print lines for this proxy instead of the one that is recognised: nginx, apache, caddy, "
                             "haproxy, traefik, …")
    parser.add_argument("--upstream", metavar="HOST:PORT", default="127.0.0.1:5006",
                        help="Where the proxy reaches the server, for the lines (default: 127.0.0.1:5006)")
    return parser


def _proxies() -> list[str]:
    from ..doctor import Kind

    return [kind.value for kind in Kind if not kind.is_server]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not 0 <= seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {_LONGEST_S:.0f}")
    return seconds


def _checked_url(parser: Parser, url: str) -> str:
    from ..doctor.addresses import Address

    try:
        Address.typed(url)
    except ValueError as error:
        parser.error(f"{url!r:.200} is no address: {error}")
    return url


def _options(parser: Parser, values: argparse.Namespace) -> Options:
    from ..doctor import Kind, Options
    from ..doctor.addresses import Address

    if not values.timeout:
        parser.error("--timeout has to be more than 0")
    if values.http_port is not None and not 0 < values.http_port < 65_536:
        parser.error(f"there is no port {values.http_port}")
    origin = values.embedded_from
    if origin:
        try:
            origin = Address.of(origin).origin
        except ValueError as error:
            parser.error(f"--from {origin!r:.200} is no origin: {error}")
    return Options(
        timeout_s=values.timeout, idle_s=values.idle, headers=tuple(_header(parser, text) for text in values.header),
        cookies="; ".join(_cookie(parser, text) for text in values.cookie), cafile=values.cafile,
        insecure=values.insecure, http_port=values.http_port, embedded_from=origin,
        proxy=None if values.proxy is None else Kind(values.proxy), upstream=values.upstream)


def _header(parser: Parser, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _NAME.fullmatch(name.strip()) or not _VALUE.fullmatch(value.strip()):
        parser.error(f"--header {text!r:.80} is not 'NAME: VALUE'")
    return name.strip(), value.strip()


def _cookie(parser: Parser, text: str) -> str:
    if "=" not in text or not _VALUE.fullmatch(text):
        parser.error(f"--cookie {text!r:.80} is not 'NAME=VALUE'")
    return text.strip()

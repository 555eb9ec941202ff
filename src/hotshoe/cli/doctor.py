"""``hotshoe doctor``: find problems on the path from a browser to an app, and their fixes."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import Parser

if TYPE_CHECKING:
    from ..doctor import DoctorOptions

_LONGEST_S = 3600.0
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the report. The exit status is 0 if there is no problem, 1 if there is one, 3 if no server answers."""
    from ..doctor import as_json, examine, render

    values = make_parser().parse_args(arguments)
    report = examine(values.url, _options(values))
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
        "doctor", "URL [options]",
        description="Follow the path from a browser to an app of hotshoe, bokeh serve or Panel. Report for each hop "
                    "what was seen and what to change: name, TLS, page, files, cookies, header sizes, websocket, "
                    "backends. URL is an app, an index of apps, or a page with embedded apps.",
        epilog="Exit status: 0 no problem, 1 a problem, 2 a mistake in the command line, 3 no answer from the server.")
    parser.add_argument("url", metavar="URL", type=_url, help="Address of the app, as in a browser")
    parser.add_argument("--json", action="store_true", help="Print the report as JSON")
    parser.add_argument("--timeout", metavar="S", type=_timeout, default=10.0,
                        help="Seconds to wait for each answer (default: 10; for pages at least 15)")
    parser.add_argument("--idle", metavar="S", type=_seconds, default=0.0,
                        help="Seconds to watch an idle websocket; 80 shows most timeouts (default: 0, not at all)")
    parser.add_argument("--from", metavar="ORIGIN", dest="embedded_from", type=_origin,
                        help="Site whose pages will embed the app, such as https://www.example.org")
    parser.add_argument("--header", metavar="'NAME: VALUE'", type=_header, action="append", default=[],
                        help="Request header, such as Authorization for a login; only the host of URL gets it")
    parser.add_argument("--cookie", metavar="'NAME=VALUE'", type=_cookie, action="append", default=[],
                        help="Cookie, such as the session cookie of a login; only the host of URL gets it")
    parser.add_argument("--cafile", metavar="FILE", type=Path, help="Certificates of your own authority, to trust them")
    parser.add_argument("--insecure", action="store_true", help="Accept a certificate that can't be verified")
    parser.add_argument("--http-port", metavar="PORT", type=_port,
                        help="Port whose http should redirect to https (default: 80, if https is at 443)")
    parser.add_argument("--proxy", metavar="NAME", choices=_proxies(),
                        help="Print lines for this proxy instead of the one that is recognised: nginx, apache, caddy, "
                             "haproxy, traefik, …")
    parser.add_argument("--upstream", metavar="HOST:PORT", default="127.0.0.1:5006",
                        help="Address of the server behind the proxy, for those lines (default: 127.0.0.1:5006)")
    return parser


def _proxies() -> list[str]:
    from ..doctor import Product

    return [kind.value for kind in Product if not kind.is_server]


def _url(text: str) -> str:
    from ..doctor.urls import Url

    try:
        Url.typed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r:.200} is not an address: {error}") from None
    return text


def _origin(text: str) -> str:
    from ..doctor.urls import Url

    try:
        return Url.of(text).origin
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r:.200} is not an origin: {error}") from None


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(text)) <= _LONGEST_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {_LONGEST_S:.0f}")


def _timeout(text: str) -> float:
    if not (seconds := _seconds(text)):
        raise argparse.ArgumentTypeError("it has to be more than 0")
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = map(str.strip, text.partition(":"))
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not 'NAME: VALUE'")
    return name, value


def _cookie(text: str) -> str:
    if "=" not in text or not _VALUE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not 'NAME=VALUE'")
    return text.strip()


def _options(values: argparse.Namespace) -> DoctorOptions:
    from ..doctor import DoctorOptions, Product

    return DoctorOptions(
        timeout_s=values.timeout, idle_s=values.idle, headers=tuple(values.header), cookies="; ".join(values.cookie),
        cafile=values.cafile, insecure=values.insecure, http_port=values.http_port,
        embedded_from=values.embedded_from or "", upstream=values.upstream,
        proxy=None if values.proxy is None else Product(values.proxy))

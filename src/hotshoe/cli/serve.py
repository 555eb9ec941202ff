"""``hotshoe serve``: serve apps until a signal ends it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from glob import glob
from types import FrameType
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config import FILE_NAME, TABLE, Settings
from ..errors import AppError
from .loading import Sources, tell_bokeh
from .options import Parser, add_settings, split_app_arguments
from .reports import report_changes

if TYPE_CHECKING:
    from ..web.server import Server

_log = logging.getLogger("hotshoe")

_STDOUT = 1


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve what the arguments name. Returns the exit status; raises ``UserError`` for a mistake in them."""
    files, sources = read(arguments, environ)
    settings = sources.settings()
    # bokeh is imported from here on: help and mistakes need not wait for it.
    from .logs import configure

    configure(settings)
    tell_bokeh(sources.bokeh)
    from ..web.server import Server

    server = Server(expand(files) if settings.glob else files, settings=settings)
    run_server(server, partial(_started, server))
    return 0


def run_server(server: Server, on_started: Callable[[], None]) -> None:
    """Serve until a signal ends it, and say so as ``bokeh serve`` does."""
    from ..web.loops import SAME_ORDER_S

    server.run(on_started=on_started, on_signal=partial(_ending, SAME_ORDER_S))


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], Settings]:
    """The files that are named, and the settings from all sources. Ends with status 2 if the usage is wrong."""
    files, sources = read(arguments, environ)
    return files, sources.settings()


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], Sources]:
    """The files that are named, and what settings come from. Ends with status 2 if the usage is wrong."""
    own, for_apps = split_app_arguments(arguments)
    values = make_parser().parse_intermixed_args(own)
    files, explicit = list(values.files), dict[str, Any]()
    if named := list(getattr(values, "dev_files", ())):
        # `--dev app.py` alone can only mean the app. (bokeh serves an empty one then.)
        if files:
            explicit["watch"] = (*getattr(values, "watch", ()), *named)
        else:
            files = named
    if for_apps is not None:
        explicit["args"] = tuple(for_apps)
    return files, Sources.of(values, environ, **explicit)


_OF_PANEL_SERVE = {
    "--autoreload": "here it is --dev",
    "--basic-auth": "here it is --auth basic, with users of hotshoe user add",
    "--num-threads": "here it is --threads",
    "--oauth-provider": "here it is --auth oidc, with --oidc-issuer",
    "--reuse-sessions": "each page has a session of its own here",
}


def make_parser() -> Parser:
    """The parser of ``hotshoe serve``."""
    parser = Parser(
        prog="hotshoe serve",
        usage="hotshoe serve [FILE ...] [options] [--args ...]",
        description="Serve Bokeh and Panel apps: scripts, notebooks, directories with a main.py. Without any, one "
                    "empty app, for clients that push their document (none with --wsgi).",
        epilog=f"Every option is also a key of {FILE_NAME} and an environment variable: --log-level is log-level "
               "and HOTSHOE_LOG_LEVEL. What bokeh calls BOKEH_... counts too; options come first. "
               "`hotshoe settings NAME` says more of one of them.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="app.py, app.ipynb or a directory")
    add_settings(parser, TABLE)
    parser.advice |= _OF_PANEL_SERVE
    return parser


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that the patterns name, each once. Raises ``AppError`` for a pattern that names none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(glob(pattern))  # noqa: PTH207 - a pattern may be absolute
        if not matches:
            raise AppError(f"{pattern}: no file has a name like this")
        found |= dict.fromkeys(matches)
    return list(found)


def _started(server: Server) -> None:
    """Say so in the words of ``bokeh serve``, which other programs wait for."""
    import bokeh

    _log.info("Starting Bokeh server version %s (running on hotshoe %s)", bokeh.__version__, __version__)
    for line in report_changes(server.settings, server.apps.values()):
        _log.info("%s", line)
    urls = sorted(server.urls)
    for url in urls:
        _log.info("Bokeh app running at: %s", url)
    if server.settings.wsgi and not server.settings.unix_socket:
        _log.info("%s has all the rest of %s", server.settings.wsgi, server.url())
        urls = urls or [server.url()]
    if server.settings.unix_socket:
        _log.info("Listening on the Unix socket %s", server.settings.unix_socket)
    _log.info("Starting Bokeh server with process id: %d", os.getpid())
    if server.settings.show:
        threading.Thread(target=_show, args=(urls,), name="hotshoe-show", daemon=True).start()


def _show(urls: Sequence[str]) -> None:
    from bokeh.util.browser import view

    for url in urls:
        view(url, new="tab")


def _ending(same_order_s: float, number: signal.Signals) -> None:
    """Runs in the signal handler: a later signal ends the process even if an app keeps the loop busy."""
    end_now = partial(_end_now, time.monotonic() + same_order_s)
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, end_now)
    text = "Received signal SIGTERM" if number is signal.SIGTERM else "\nInterrupted"
    with suppress(OSError):  # nobody reads it any more
        # Not print: the signal may have interrupted one.
        os.write(_STDOUT, f"{text}, shutting down\n".encode())


def _end_now(not_before: float, number: int, frame: FrameType | None) -> None:
    if time.monotonic() >= not_before:
        os._exit(1)

"""``hotshoe serve``: serve apps until a signal ends it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from glob import glob
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from .. import __version__
from ..config import FILE_NAME, TABLE, Settings
from ..errors import AppError
from .options import Parser, add_settings, given, split_app_arguments

if TYPE_CHECKING:
    from ..web.server import Server

_log = logging.getLogger("hotshoe")

_DEFAULTS = Settings()
_STDOUT = 1


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve what the arguments name. Returns the exit status; raises ``UserError`` for a mistake in them."""
    files, settings = parse(arguments, environ)
    # bokeh is imported from here on: help and mistakes need not wait for it.
    from ..web.loops import SAME_ORDER_S
    from ..web.server import Server
    from .logs import configure

    configure(settings)
    server = Server(expand(files) if settings.glob else files, settings=settings)
    server.run(on_started=partial(_started, server), on_signal=partial(_ending, SAME_ORDER_S))
    return 0


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], Settings]:
    """The files that are named, and the settings from all sources. Ends with status 2 if the usage is wrong."""
    own, for_apps = split_app_arguments(arguments)
    values = make_parser().parse_intermixed_args(own)
    explicit = given(values, TABLE)
    files = list(values.files)
    if named := list(getattr(values, "dev_files", ())):
        # `--dev app.py` alone can only mean the app. (bokeh serves an empty one then.)
        if files:
            explicit["watch"] = (*explicit.get("watch", ()), *named)
        else:
            files = named
    if for_apps is not None:
        explicit["args"] = tuple(for_apps)
    return files, Settings.load(explicit, environ, values.config or _local_file(), flags=True)


def make_parser() -> Parser:
    """The parser of ``hotshoe serve``."""
    parser = Parser(
        prog="hotshoe serve",
        usage="hotshoe serve [FILE ...] [options] [--args ...]",
        description="Serve Bokeh and Panel apps: scripts, notebooks, directories with a main.py. Without any, one "
                    "empty app, for clients that push their document.",
        epilog=f"Every option is also a key of {FILE_NAME} and an environment variable: --log-level is log-level "
               "and HOTSHOE_LOG_LEVEL. What bokeh calls BOKEH_... counts too; options come first.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="app.py, app.ipynb or a directory")
    add_settings(parser, TABLE)
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


def _local_file() -> Path | None:
    file = Path(FILE_NAME)
    return file if file.is_file() else None


def _started(server: Server) -> None:
    """Say so in the words of ``bokeh serve``, which other programs wait for."""
    import bokeh

    _log.info("Starting Bokeh server version %s (running on hotshoe %s)", bokeh.__version__, __version__)
    _report_changes(server.settings)
    urls = sorted(server.urls)
    for url in urls:
        _log.info("Bokeh app running at: %s", url)
    _log.info("Starting Bokeh server with process id: %d", os.getpid())
    if server.settings.show:
        threading.Thread(target=_show, args=(urls,), name="hotshoe-show", daemon=True).start()


def _report_changes(settings: Settings) -> None:
    if settings.keep_alive_milliseconds == 0:
        _log.info("Keep-alive ping disabled")
    elif settings.keep_alive_milliseconds != _DEFAULTS.keep_alive_milliseconds:
        _log.info("Keep-alive ping configured every %d milliseconds", settings.keep_alive_milliseconds)
    if settings.check_unused_sessions_milliseconds != _DEFAULTS.check_unused_sessions_milliseconds:
        _log.info("Check for unused sessions every %d milliseconds", settings.check_unused_sessions_milliseconds)
    if settings.unused_session_lifetime_milliseconds != _DEFAULTS.unused_session_lifetime_milliseconds:
        _log.info("Unused sessions last for %d milliseconds", settings.unused_session_lifetime_milliseconds)
    if settings.websocket_max_message_size != _DEFAULTS.websocket_max_message_size:
        size = settings.websocket_max_message_size
        _log.info("Torndado websocket_max_message_size set to %d bytes (%0.2f MB)", size, size / 1024**2)


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

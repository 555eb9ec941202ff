"""``hotshoe serve``: serve apps until a signal ends it.

The log of a startup has the words of ``bokeh serve``, which other programs look for.
"""

from __future__ import annotations

import json
import locale
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from glob import glob
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from .. import __version__
from ..base.ending_children import Process, descendants, kill_descendants
from ..base.errors import AppError, ConfigError
from ..base.log_writing import LogWriter
from ..base.logs import FIELDS, UNKNOWN, AddFields
from ..base.named_files import in_time, reason_of
from ..base.own_log import SharedHandler, claim, keep_log
from ..config import FILE_NAME, TABLE, Settings, SettingSources
from .arguments import Parser, add_settings, configure_bokeh, sources_of, split_app_arguments
from .foreign_options import FAMILIES, FOREIGN_OPTIONS, panel_login

if TYPE_CHECKING:
    from ..hosts.host import AppInfo
    from ..server.server import Server

_log = logging.getLogger("hotshoe")

_STDOUT = 1
_DEFAULTS = Settings()
_MB = 1024**2
TRACE = 9
"""bokeh's level below DEBUG."""
_LEVELS = {"trace": TRACE, "None": logging.INFO}


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve the files. Returns the exit status; raises ``UserError`` for a mistake in the arguments."""
    files, sources = read(arguments, environ)
    settings = sources.settings()
    if settings.auth_module is None and "auth" not in sources.gather() and (wrong := panel_login(environ)):
        raise ConfigError(wrong)
    # bokeh is imported from here on, so that --help and errors are fast.
    configure_logs(settings)
    configure_bokeh(sources.bokeh)
    from ..server.server import Server
    from ..web.site.extensions import Search

    claim()

    # Without --wsgi there is no site here. An app may import one for its models, but that is served elsewhere.
    guard = None if settings.wsgi is None else Search.IN_SITE
    programs_own = descendants()  # before apps are loaded
    server = Server(expand(files) if settings.glob else files, settings=settings, guard=guard)
    run_server(server, partial(_log_start, server), programs_own)
    return 0


def run_server(server: Server, on_started: Callable[[], None], programs_own: frozenset[Process] | None = None) -> None:
    """Serve until a signal ends it, and print that signal as ``bokeh serve`` does."""
    from ..server.loops import SAME_ORDER_S

    server.run(on_started=on_started, on_signal=partial(_handle_signal, SAME_ORDER_S), programs_own=programs_own)


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], SettingSources]:
    """The files, and the sources of the settings. Exits with status 2 if the usage is wrong."""
    own, for_apps = split_app_arguments(arguments)
    values = make_parser().parse_intermixed_args(own)
    files, explicit = list(values.files), dict[str, Any]()
    if named := list(getattr(values, "dev_files", ())):
        # `--dev app.py` alone can only mean the app. (bokeh serve shows an empty app then.)
        if files:
            explicit["watch"] = (*getattr(values, "watch", ()), *named)
        else:
            files = named
    if for_apps is not None:
        explicit["args"] = tuple(for_apps)
    return files, sources_of(values, environ, **explicit)


def make_parser() -> Parser:
    """The parser of ``hotshoe serve``."""
    parser = Parser(
        "serve", "[FILE ...] [options] [--args ...]",
        description="Serve Bokeh and Panel apps: scripts, notebooks, directories with a main.py. Without FILE, serve "
                    "an empty app, to which clients push documents; with --wsgi, serve the site alone.",
        epilog=f"Every option is also a key of {FILE_NAME} and an environment variable: --log-level is log-level "
               "and HOTSHOE_LOG_LEVEL. bokeh's BOKEH_... variables count too. An option overrides all of them, "
               "except BOKEH_ALLOW_WS_ORIGIN. `hotshoe settings NAME` explains one option in full.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="app.py, app.ipynb or a directory")
    add_settings(parser, TABLE)
    parser.advice |= FOREIGN_OPTIONS
    parser.families |= FAMILIES
    return parser


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that match the patterns, each once. Raises ``AppError`` for a pattern without a match."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(glob(pattern))  # noqa: PTH207 - a pattern may be absolute
        if not matches:
            raise AppError(f"{pattern}: no file matches this pattern")
        found |= dict.fromkeys(matches)
    return list(found)


def _log_start(server: Server) -> None:
    import bokeh

    _log.info("Starting Bokeh server version %s (running on hotshoe %s)", bokeh.__version__, __version__)
    for line in report_changes(server.settings, server.apps.values()):
        _log.info("%s", line)
    urls = sorted(server.urls)
    for url in urls:
        _log.info("Bokeh app running at: %s", url)
    if server.settings.wsgi and not server.settings.unix_socket:
        _log.info("The site %s serves the rest of %s", server.settings.wsgi, server.url())
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


def _handle_signal(same_order_s: float, number: signal.Signals) -> None:
    """Runs in the signal handler: a later signal ends the process even if an app keeps the loop busy."""
    from ..server.loops import ending_signals

    end_now = partial(_end_now, time.monotonic() + same_order_s)
    for again in ending_signals():
        signal.signal(again, end_now)
    text = "\nInterrupted" if number is signal.SIGINT else f"Received signal {number.name}"
    with suppress(OSError):  # its reader may be gone
        if os.name != "nt" and not select.select([], [_STDOUT], [], 0)[1]:
            return  # its reader does not read: writing would wait for it
        # Not print(), as the signal may have interrupted a print().
        os.write(_STDOUT, f"{text}, shutting down\n".encode())


def _end_now(not_before: float, number: int, frame: FrameType | None) -> None:
    if time.monotonic() >= not_before:
        kill_descendants()
        os._exit(1)


def report_changes(settings: Settings, apps: Iterable[AppInfo] = ()) -> Iterator[str]:
    """A line for each setting that was changed, in the words and order of ``bokeh serve``."""
    if settings.ssl_certfile:
        yield "Configuring for SSL termination"
    yield from _time_changes(settings)
    size = settings.websocket_max_message_size
    if size != _DEFAULTS.websocket_max_message_size:
        yield f"Torndado websocket_max_message_size set to {size} bytes ({size / _MB:0.2f} MB)"
    yield from _login_changes(settings)
    yield from _process_changes(settings, apps)


def _time_changes(settings: Settings) -> Iterator[str]:
    if settings.keep_alive_milliseconds == 0:
        yield "Keep-alive ping disabled"
    lines = {
        "keep_alive_milliseconds": "Keep-alive ping configured every %d milliseconds",
        "check_unused_sessions_milliseconds": "Check for unused sessions every %d milliseconds",
        "unused_session_lifetime_milliseconds": "Unused sessions last for %d milliseconds",
        "stats_log_frequency_milliseconds": "Log statistics every %d milliseconds",
        "mem_log_frequency_milliseconds": "Log memory usage every %d milliseconds",
    }
    for name, line in lines.items():
        value = getattr(settings, name)
        if value not in (0, getattr(_DEFAULTS, name)):
            yield line % value


def _login_changes(settings: Settings) -> Iterator[str]:
    if settings.auth != "none" or settings.auth_module:
        yield "User authentication hooks provided"
    if settings.enable_xsrf_cookies:
        yield "XSRF cookie protection enabled"


def _process_changes(settings: Settings, apps: Iterable[AppInfo]) -> Iterator[str]:
    wanted = settings.num_procs or os.cpu_count() or 1
    if wanted == 1:
        return
    if settings.dev:
        yield "Running in --dev mode. --num-procs is limited to 1."
    else:
        yield f"--num-procs asks for {wanted} processes, but hotshoe has no workers yet: this process serves alone"
        for app in apps:
            if app.has_process_request:
                yield (f"{app.url}: if process_request returns more than a token can carry, that stays in "
                       "one process; another process calls process_request again")


def configure_logs(settings: Settings) -> None:
    """Set up the log. Raises ``ConfigError`` if its file can't be written.

    The level applies to hotshoe and bokeh. Other packages log from WARNING on, as under ``bokeh serve``. Apps may
    configure logging anew, but can't silence hotshoe's own lines.
    """
    from bokeh.util.logconfig import basicConfig

    level = _LEVELS.get(settings.log_level) or logging.getLevelNamesMapping()[settings.log_level.upper()]
    writer = LogWriter(_log_stream(settings))
    shared = SharedHandler(writer)
    for handler in (writer, shared):
        handler.setFormatter(JsonFormatter() if settings.log_json else logging.Formatter(settings.log_format))
        handler.addFilter(AddFields())
    keep_log(writer, level)
    basicConfig(handlers=[shared])
    for name in ("hotshoe", "bokeh"):
        logging.getLogger(name).setLevel(level)
    # It warns of mistakes in requests, which anybody can send.
    logging.getLogger("uvicorn").setLevel(logging.ERROR if level > logging.DEBUG else level)


def _log_stream(settings: Settings) -> TextIO:
    if settings.log_file is None:
        return sys.stderr
    try:
        # In time, since a pipe that nobody reads can't be opened.
        return in_time(partial(_open_log, settings.log_file))
    except OSError as error:
        raise ConfigError(f"--log-file: {settings.log_file} can't be written: {reason_of(error)}") from error


def _open_log(file: str) -> TextIO:
    return Path(file).open("a", encoding=locale.getencoding(), errors="backslashreplace")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, in ASCII: time (UTC), level, logger, message, then the known fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: text for name in FIELDS if (text := str(getattr(record, name, UNKNOWN))) != UNKNOWN}
        if (traceback := self._traceback(record)) is not None:
            line["traceback"] = traceback
            # The message of an app's error ends with its traceback, for logs that are text.
            line["message"] = line["message"].removesuffix(f"\n{traceback}")
        return json.dumps(line)

    def _traceback(self, record: logging.LogRecord) -> str | None:
        if (given := getattr(record, "traceback", None)) is not None:
            return str(given)
        parts = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
        return "\n".join([*parts, *([record.stack_info] if record.stack_info else [])]) or None

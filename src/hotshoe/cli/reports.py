"""What a start says of the settings that were changed, in the words of ``bokeh serve``, which programs look for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ..config import Settings
from ..hosts.host import AppInfo

_DEFAULTS = Settings()
_MB = 1024**2


def report_changes(settings: Settings, apps: Iterable[AppInfo] = ()) -> Iterator[str]:
    """The lines, in stock's order."""
    if settings.ssl_certfile:
        yield "Configuring for SSL termination"
    yield from _times(settings)
    size = settings.websocket_max_message_size
    if size != _DEFAULTS.websocket_max_message_size:
        yield f"Torndado websocket_max_message_size set to {size} bytes ({size / _MB:0.2f} MB)"
    yield from _login(settings)
    yield from _processes(settings, apps)


def _times(settings: Settings) -> Iterator[str]:
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


def _login(settings: Settings) -> Iterator[str]:
    if settings.auth != "none" or settings.auth_module:
        yield "User authentication hooks provided"
    if settings.enable_xsrf_cookies:
        yield "XSRF cookie protection enabled"


def _processes(settings: Settings, apps: Iterable[AppInfo]) -> Iterator[str]:
    wanted = settings.num_procs or os.cpu_count() or 1
    if wanted == 1:
        return
    if settings.dev:
        yield "Running in --dev mode. --num-procs is limited to 1."
    else:
        yield f"--num-procs asks for {wanted} processes: hotshoe has no workers yet and serves with this one"
        for app in apps:
            if app.asks_request:
                yield (f"{app.url}: what process_request returns and no token can carry stays in the process that "
                       "asked; in another one it is asked again")

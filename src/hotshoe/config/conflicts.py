"""Settings that do not go together, each with the line that says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .login_conflicts import login_conflict

if TYPE_CHECKING:
    from .settings import Settings

_DEFAULT_PORT = 5006


def conflict(settings: Settings) -> str | None:
    """What is wrong with some settings together, or ``None``."""
    return _unix_socket(settings) or _tls(settings) or _proxies(settings) or login_conflict(settings)


def _unix_socket(settings: Settings) -> str | None:
    if not settings.unix_socket:
        return None
    if os.name == "nt":
        return "--unix-socket: there are none on Windows; use --address 127.0.0.1 and --port"
    # The words are those of bokeh serve, which programs compare.
    if settings.port != _DEFAULT_PORT:
        return "--port arg is not supported with a unix socket"
    names = ("address", "ssl_certfile", "ssl_keyfile")
    if any(getattr(settings, name) for name in names):
        return f"{[*names, 'port']} args are not supported with a unix socket"
    return None


def _tls(settings: Settings) -> str | None:
    if settings.ssl_keyfile and not settings.ssl_certfile:
        return "--ssl-keyfile needs --ssl-certfile, the certificate of that key"
    return None


def _proxies(settings: Settings) -> str | None:
    if settings.trusted_proxies and not settings.use_xheaders:
        return "--trusted-proxies needs --use-xheaders, which believes what they say"
    return None

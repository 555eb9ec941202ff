"""What can be said about a connection, and what it means."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from ..errors import ClientError, LostError
from .addresses import Address
from .credentials import Credentials
from .line import Terms

MAX_MESSAGE_BYTES = 20 * 1024 * 1024
TIMEOUT_S = 60.0
RECONNECT_S = 300.0


Arguments = Mapping[str, str | list[str]]


class More(TypedDict, total=False):
    """What every function that connects takes beyond what ``bokeh.client`` knows; docs/client.md says what it means."""

    token: str | None
    """A session token of the server, which then need not take one made here."""
    headers: Mapping[str, str] | None
    """Headers for the server, or for a proxy in front of it."""
    cookies: Mapping[str, str] | None
    """Cookies, such as that of a login."""
    ssl: tls.SSLContext | None
    """For a certificate of one's own CA: ``ssl.create_default_context(cafile=…)``."""
    timeout: float | None
    """Seconds to wait for a connection and for each answer; ``None`` waits forever."""
    reconnect: float
    """Seconds to go on trying when the connection is lost; 0 gives up at once."""
    on_lost: Callable[[LostError], Any] | None
    """Called when the session is lost for good."""
    on_reconnect: Callable[[], Any] | None
    """Called after each reconnect, with both sides alike."""


class Options(More, total=False):
    """All that can be said, by name."""

    arguments: Arguments | None
    """Arguments of the request, for an app that is opened by it."""
    max_message_size: int
    """Largest part of a message that is taken from the server, in bytes."""


def terms_of(session_id: str | None, url: str, options: Options) -> Terms:
    """How to connect. Raises ``ClientError`` for what can't be meant."""
    address = Address.of(url, options.get("arguments"))
    headers = _headers(options)
    context = options.get("ssl")
    credentials = Credentials(session_id, options.get("token"), address, headers, context)
    return Terms(address, credentials, headers, context, options.get("max_message_size", MAX_MESSAGE_BYTES),
                 options.get("timeout", TIMEOUT_S), options.get("reconnect", RECONNECT_S))


def _headers(options: Options) -> dict[str, str]:
    headers = dict(options.get("headers") or {})
    if cookies := options.get("cookies"):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    for name, value in headers.items():
        if not f"{name}{value}".isprintable():
            raise ClientError(f"the header {name!r:.80} has a character that a header can't have")
    return headers

"""The options of a connection as callers give them (``ConnectOptions``), and as they are used (``Terms``)."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from ..base.errors import ClientError, LostError
from .address import AppAddress
from .credentials import Credentials

MAX_MESSAGE_BYTES = 20 * 1024 * 1024
TIMEOUT_S = 60.0
RECONNECT_S = 300.0

Arguments = Mapping[str, str | list[str]]


class MoreOptions(TypedDict, total=False):
    """The options that ``bokeh.client`` does not have; docs/client.md explains them."""

    token: str | None
    """A session token of the server, for servers that accept only their own."""
    headers: Mapping[str, str] | None
    """Headers for the server, or for a proxy in front of it."""
    cookies: Mapping[str, str] | None
    """Cookies, such as that of a login."""
    ssl: tls.SSLContext | None
    """For a certificate of your own CA: ``ssl.create_default_context(cafile=…)``."""
    timeout: float | None
    """Seconds to wait for a connection and for each answer; ``None`` waits forever."""
    reconnect: float
    """Seconds to try to reconnect after the connection is lost; 0 gives up at once."""
    on_lost: Callable[[LostError], Any] | None
    """Called when the session is lost for good."""
    on_reconnect: Callable[[], Any] | None
    """Called after each reconnect, when both documents are equal again."""


class ConnectOptions(MoreOptions, total=False):
    """All options, by name."""

    arguments: Arguments | None
    """Arguments of the request, for a session that this connection begins."""
    max_message_size: int
    """Maximum size of a part of a message from the server, in bytes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How to connect, and how long to wait."""

    address: AppAddress
    credentials: Credentials
    headers: Mapping[str, str]
    tls: tls.SSLContext | None
    max_message_bytes: int
    timeout_s: float | None
    """For each attempt to connect and each answer."""
    reconnect_s: float
    """The time to try to reconnect after the connection has ended."""


def terms_of(session_id: str | None, url: str, options: ConnectOptions) -> Terms:
    """Read the options. Raises ``ClientError`` for a wrong one."""
    address = AppAddress.of(url, options.get("arguments"))
    headers = {**address.headers, **_headers(options)}
    context = options.get("ssl")
    credentials = Credentials(session_id, options.get("token"), address, headers, context)
    return Terms(address, credentials, headers, context, options.get("max_message_size", MAX_MESSAGE_BYTES),
                 options.get("timeout", TIMEOUT_S), options.get("reconnect", RECONNECT_S))


def _headers(options: ConnectOptions) -> dict[str, str]:
    headers = dict(options.get("headers") or {})
    if cookies := options.get("cookies"):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    for name, value in headers.items():
        if not f"{name}{value}".isprintable():
            raise ClientError(f"the header {name!r:.80} has a character that is not allowed in headers")
    return headers

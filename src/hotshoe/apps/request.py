"""A request as the rest of hotshoe sees it: plain data, no socket, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request (or websocket handshake) that asked for a session.

    It is what hooks get as ``request`` and apps as ``session_context.request``; the attribute names are those
    that apps written for ``bokeh serve`` read.
    """

    method: str = "GET"
    path: str = "/"
    """The decoded path as the server saw it, prefix included."""
    query: str = ""
    arguments: Mapping[str, list[bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in ``Title-Case``; repeated headers are joined by a comma."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    remote_ip: str | None = None
    client_known: bool = False
    """Whether ``remote_ip`` is the visitor's own address; else a proxy's, or perhaps one's."""
    protocol: str = "http"
    """``http`` or ``https``."""
    host: str = ""
    root_path: str = ""
    """Where an outer ASGI app mounted this one."""
    user: Any = None
    """Who has logged in, as a ``hotshoe.auth.User``; without a login, ``scope["user"]`` of an outer framework."""
    session: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the framework around keeps for the browser (``scope["session"]``), as a copy: to be read, not written."""
    logout_url: str | None = None
    """Where the user logs out, if there is such a place."""

    @property
    def uri(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

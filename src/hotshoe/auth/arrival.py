"""How a request came here, as the front has marked it in the scope (``web/proxies.py``)."""

from __future__ import annotations

from starlette.requests import HTTPConnection


def came_by_proxy(connection: HTTPConnection) -> bool:
    """Whether it came from a trusted proxy, so that what it says of users is true."""
    return connection.scope.get("hotshoe.trusted_proxy") is True


def visitor_address(connection: HTTPConnection) -> str | None:
    """The visitor's own address; ``None`` if only a proxy's is known."""
    known = connection.scope.get("hotshoe.client_known") is True
    return connection.client.host if known and connection.client else None

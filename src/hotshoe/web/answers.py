"""HTTP answers as values, and how they are sent. HEAD gets the same headers and no body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

SCRIPT = "application/javascript; charset=utf-8"
NO_STORE = {"Cache-Control": "no-store"}
TRY_AGAIN = {"Retry-After": "60"}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    body: bytes = b""
    status: int = 200
    media_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw_headers(self, method: str = "GET") -> list[tuple[bytes, bytes]]:
        """The headers as ASGI wants them, with those that every answer has."""
        headers = [(b"content-type", self.media_type.encode())]
        # RFC 9110, section 8.6: the length in an answer to HEAD, and in a 304, is that of what GET would bring. What
        # has not been built for HEAD has none.
        if self.status != HTTPStatus.NOT_MODIFIED and (self.body or method != "HEAD"):
            headers.append((b"content-length", str(len(self.body)).encode()))
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        return headers

    async def send(self, scope: Scope, send: Send) -> None:
        """Send it, without the body if the method is HEAD."""
        headers = self.raw_headers(scope["method"])
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body})


def text(detail: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """One line of plain text."""
    return Answer(detail.encode(), status, "text/plain; charset=utf-8", headers or {})


def json(value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A value as JSON."""
    return Answer(msgspec.json.encode(value), 200, "application/json", headers or {})


def script(source: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """JavaScript."""
    return Answer(source.encode(), status, SCRIPT, headers or {})

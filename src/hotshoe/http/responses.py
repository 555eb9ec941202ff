"""Responses that Starlette does not have, how responses are sent, and how bytes are counted."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from ..base.counters import Counters
from ..wire import close_reason
from .scopes import Receive, Scope, Send

SCRIPT = "application/javascript; charset=utf-8"
NO_STORE = {"Cache-Control": "no-store"}
TRY_AGAIN = {"Retry-After": "60"}


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON; msgspec knows more types than Starlette's JSONResponse."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def script(source: str | bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JavaScript."""
    return Response(source, status, headers, SCRIPT)


def raw_response(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes | bytearray) -> Response:
    """The response of another ASGI app, with its headers unchanged."""
    response = Response(bytes(body), status)
    response.raw_headers = [(name.lower(), value) for name, value in headers]
    return response


async def send_response(response: Response, scope: Scope, send: Send) -> None:
    """Send the response, without its body if the method is HEAD."""
    await response(scope, _no_receive, _without_body(send) if scope["method"] == "HEAD" else send)


async def refuse_request(scope: Scope, send: Send, detail: str) -> None:
    """Refuse a malformed request with 400, and close the connection: what follows could be a part of the request."""
    if scope["type"] == "http":
        headers = {"Connection": "close"} if scope.get("http_version", "1.1") in ("1.0", "1.1") else {}
        await PlainTextResponse(detail, 400, headers)(scope, _no_receive, send)
    else:
        await refuse_text(scope, send, detail, 400)


async def refuse_text(scope: Scope, send: Send, detail: str, status: int) -> None:
    """Refuse a websocket with one line of text; if the server cannot send one, it responds with a bare 403."""
    if "websocket.http.response" in scope.get("extensions", ()):
        await PlainTextResponse(detail, status)(scope, _no_receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": close_reason(detail)})


def _without_body(send: Send) -> Send:
    async def send_head(event: Any) -> None:
        if event["type"] == "http.response.start":
            # RFC 9110, section 8.6: the length is that of the response to GET. A response without a body was not built
            # for HEAD, so its length is unknown.
            event = {**event, "headers": [pair for pair in event["headers"] if pair != (b"content-length", b"0")]}
        elif event["type"] == "http.response.body":
            event = {**event, "body": b""}
        await send(event)

    return send_head


async def _no_receive() -> Any:
    raise RuntimeError("the request has been read")


def count_bytes(receive: Receive, send: Send, counters: Counters) -> tuple[Receive, Send]:
    """The two halves of an ASGI connection, with the sizes of bodies and websocket messages counted.

    Not for the websockets of apps: these count their messages themselves, with fewer calls.
    """
    count_in, count_out = counters.bytes_in.add, counters.bytes_out.add

    async def counted_receive() -> MutableMapping[str, Any]:
        event = await receive()
        if size := _size(event):
            count_in(size)
        return event

    def counted_send(event: MutableMapping[str, Any]) -> Awaitable[None]:
        if size := _size(event):
            count_out(size)
        return send(event)

    return counted_receive, counted_send


def _size(event: MutableMapping[str, Any]) -> int:
    match event["type"]:
        case "http.request" | "http.response.body" | "websocket.http.response.body":
            return len(event.get("body", b""))
        case "websocket.receive" | "websocket.send":
            text: str | None = event.get("text")
            if text is None:
                return len(event["bytes"])
            return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    return 0

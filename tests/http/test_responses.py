"""How responses are sent: what HEAD gets, and what a refused handshake is told."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import HTMLResponse, Response

from hotshoe.http.responses import raw_response, refuse_text, send_response


class Sent:
    """What an ASGI server has been given to send."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def __call__(self, event: Any) -> None:
        self.events.append(event)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.events[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(event["body"] for event in self.events[1:])


async def sent(response: Response, method: str) -> Sent:
    found = Sent()
    await send_response(response, {"type": "http", "method": method}, found)
    return found


async def test_head_gets_the_headers_of_get() -> None:
    page = HTMLResponse("<p>é", 404, {"X-Other": "1"})
    shown, asked = await sent(page, "GET"), await sent(page, "HEAD")
    assert (shown.body, asked.body) == ("<p>é".encode(), b"")
    assert shown.headers == asked.headers
    assert asked.headers[b"content-length"] == b"5"


async def test_what_has_not_been_built_for_head_has_no_length() -> None:
    assert b"content-length" not in (await sent(HTMLResponse(status_code=202), "HEAD")).headers
    assert (await sent(HTMLResponse(status_code=202), "GET")).headers[b"content-length"] == b"0"


async def test_the_response_of_another_app() -> None:
    headers = [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"Content-Length", b"7")]
    found = await sent(raw_response(302, headers, bytearray(b"Go on.\n")), "HEAD")
    assert found.events[0]["status"] == 302
    assert found.events[0]["headers"] == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-length", b"7")]
    assert found.body == b""


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
async def test_a_refused_handshake(extensions: dict[str, Any]) -> None:
    found = Sent()
    await refuse_text({"type": "websocket", "extensions": extensions}, found, "No app is here", 404)
    if not extensions:
        assert found.events == [{"type": "websocket.close", "code": 1008, "reason": "No app is here"}]
        return
    kinds = [event["type"] for event in found.events]
    assert kinds == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (found.events[0]["status"], found.body) == (404, b"No app is here")
    assert found.headers[b"content-type"] == b"text/plain; charset=utf-8"

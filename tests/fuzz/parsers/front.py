"""Whole requests to the front, with any path, query and headers: no answer is an error of the server.

An input is the head of a request, as in ``http``, of which h11 reads the first. There are two apps, one of them with
files, which a host serves that has no sessions.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h11
from tests.fuzz.driver import Parser
from tests.support.fake_host import FileApp, ToldHost

from hotshoe.config import Settings
from hotshoe.web.front import Front

Headers = list[tuple[bytes, bytes]]
EXPECTED = {501, 503, 505}


def run(data: bytes) -> Hashable:
    head = _head(data)
    if head is None:
        return "malformed"
    return asyncio.run(_answer(*head))


def _head(data: bytes) -> tuple[str, bytes, Headers] | None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 19)
    connection.receive_data(data[:65536])
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request) or not event.target.startswith(b"/"):
        return None
    return event.method.decode(), event.target, list(event.headers)


async def _answer(method: str, target: bytes, headers: Headers) -> Hashable:
    path, _, query = target.partition(b"?")
    if not path.isascii():
        return "malformed"
    with _front() as front:
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
                 "path": unquote(path.decode()), "raw_path": path, "root_path": "", "query_string": query,
                 "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {}}
        sent: list[Any] = []

        async def receive() -> Any:
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await front(scope, receive, send)
        await front.stop()
    start, *bodies = sent
    status, answered = start["status"], dict(start["headers"])
    assert status < 500 or status in EXPECTED, status
    for name, value in start["headers"]:
        assert re.fullmatch(rb"[a-zA-Z0-9-]+", name), name
        assert not re.search(rb"[\x00\r\n]", value), value
    location = answered.get(b"location", b"")
    assert not re.match(rb"[/\\]{2}|[a-z]+:", location), "a redirect to elsewhere"
    length = answered.get(b"content-length")
    if length is not None and method != "HEAD" and status != 304:
        assert int(length) == sum(len(body.get("body", b"")) for body in bodies)
    return status, answered.get(b"content-type"), answered.get(b"content-encoding")


@contextmanager
def _front() -> Iterator[Front]:
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "static")
        files.mkdir()
        (files / "a.js").write_text("var a;" * 1000)
        (files / "b c.css").write_text("p {}")
        host = ToldHost(FileApp("/app", static_dir=files), FileApp("/other"))
        yield Front(host, settings=Settings(session_ids="unsigned", use_xheaders=True))


PARSER = Parser(
    "front", run, inputs=2000, memory_bytes=16 << 20,
    words=(b"/app", b"/app/ws", b"/app/autoload.js", b"/app/static/a.js", b"/app/static/b%20c.css",
           b"/static/js/bokeh.min.js", b"/_hotshoe/health", b"/app/metadata", b"/favicon.ico", b"%2f", b"%00", b"..",
           b"%2e%2e/", b"//", b"/\\", b"%ff", b"?v=1", b"&bokeh-session-id=x", b"&bokeh-token=x",
           b"&bokeh-autoload-element=e", b"&bokeh-app-path=/app", b"&bokeh-absolute-url=http://x/app",
           b"&hotshoe-starting=1", b"&resources=none", b"\r\nRange: bytes=0-5", b"bytes=-5", b"\r\nIf-None-Match: *",
           b"\r\nIf-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT", b"\r\nIf-Range: x",
           b"\r\nAccept-Encoding: br;q=0.5, gzip;q=nan", b"\r\nCookie: a=b; hotshoe-x=y", b"\r\nOrigin: null",
           b"\r\nX-Forwarded-Prefix: /p", b"\r\nX-Forwarded-For: 1.2.3.4", b"\r\nAccept: text/html",
           b"\r\nBokeh-Session-Id: x", b"\r\nX-Request-ID: x", b"\r\nAccess-Control-Request-Method: GET", b"HEAD",
           b"OPTIONS", b"POST", b"localhost"),
)

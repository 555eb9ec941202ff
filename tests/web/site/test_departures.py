"""Answers of a WSGI site to visitors who do not wait for their end, and bodies that have none."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hotshoe.web.site import wsgi
from hotshoe.web.site.departures import BUFFERED_BYTES, WsgiClient
from hotshoe.web.site.wsgi import asgi_of

SCOPE = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], "http_version": "1.1",
         "server": ("h", 80), "client": ("c", 1)}
WHOLE = {"type": "http.request", "body": b"", "more_body": False}


class Endless:
    """An answer without end, which knows when it is closed."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x"
                time.sleep(0.001)
        finally:
            self.is_closed.set()


class Line:
    """The connection: what comes is put into ``coming``, what was answered stands in ``answer``."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answer: list[Any] = []
        for event in events:
            self.coming.put_nowait(event)

    async def send(self, event: Any) -> None:
        self.answer.append(event)

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_answer_ends_when_its_visitor_leaves() -> None:
    site, line = Endless(), Line(WHOLE)
    task = asyncio.ensure_future(asgi_of(site)(SCOPE, line.coming.get, line.send))
    await line.until(lambda: len(line.answer) > 20)
    assert not site.is_closed.is_set()
    line.coming.put_nowait({"type": "http.disconnect"})
    await task
    assert site.is_closed.is_set()


async def test_an_answer_ends_when_it_is_cancelled() -> None:
    site, line = Endless(), Line(WHOLE)
    task = asyncio.ensure_future(asgi_of(site)(SCOPE, line.coming.get, line.send))
    await line.until(lambda: len(line.answer) > 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await line.until(site.is_closed.is_set)


async def test_an_answer_that_can_not_be_sent_ends_and_says_why() -> None:
    site, line = Endless(), Line(WHOLE)

    async def fail(event: Any) -> None:
        if event["type"] == "http.response.body":
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await asgi_of(site)(SCOPE, line.coming.get, fail)
    assert site.is_closed.is_set()


async def test_half_a_body_is_none() -> None:
    found: list[Any] = []

    def read(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            found.append(environ["wsgi.input"].read())
        except OSError as error:
            found.append(str(error))
        start_response("400 Bad Request", [])
        return [b""]

    line = Line({"type": "http.request", "body": b"x" * BUFFERED_BYTES, "more_body": True}, {"type": "http.disconnect"})
    await asgi_of(read)(SCOPE, line.coming.get, line.send)
    assert found == ["the client has disconnected"]
    assert line.answer == []


async def test_a_body_whose_length_is_not_told() -> None:
    flask = pytest.importorskip("flask")
    site = flask.Flask("site")
    site.add_url_rule("/", view_func=lambda: flask.request.get_data(), methods=["POST"])
    line = Line({"type": "http.request", "body": b"one ", "more_body": True},
                {"type": "http.request", "body": b"two", "more_body": False})
    await asgi_of(site)({**SCOPE, "headers": [(b"transfer-encoding", b"chunked")]}, line.coming.get, line.send)
    assert b"".join(event.get("body", b"") for event in line.answer) == b"one two"


async def test_a_body_of_many_parts_comes_as_one() -> None:
    """A part by itself takes hundreds of bytes, and a visitor can send a megabyte byte by byte."""
    line = Line(*({"type": "http.request", "body": b"x", "more_body": True} for _ in range(100)), WHOLE)
    visitor = WsgiClient(line.coming.get, line.send)
    await visitor.read_ahead()
    assert await visitor.receive() == {"type": "http.request", "body": b"x" * 100, "more_body": False}
    line.coming.put_nowait({"type": "http.disconnect"})
    await line.until(lambda: visitor.is_gone)


async def test_an_upload_that_breaks_off_is_no_failure_of_the_site(caplog: pytest.LogCaptureFixture) -> None:
    flask = pytest.importorskip("flask")
    site = flask.Flask("site")
    site.add_url_rule("/", view_func=lambda: flask.request.get_data(), methods=["POST"])
    line = Line({"type": "http.request", "body": b"x" * BUFFERED_BYTES, "more_body": True}, {"type": "http.disconnect"})
    length = str(2 * BUFFERED_BYTES).encode()
    await asgi_of(site)({**SCOPE, "headers": [(b"content-length", length)]}, line.coming.get, line.send)
    assert (line.answer, caplog.records) == ([], [])


class Stuck:
    """A site whose views stand still until they are released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked.append(environ["REQUEST_METHOD"] + environ["PATH_INFO"])
        assert self.release.wait(30)
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]


async def test_a_request_whose_client_left_before_it_began_only_runs_if_it_may_change_something(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "THREADS", 1)
    site = Stuck()
    app = asgi_of(site)
    lines = [Line(WHOLE) for _ in range(4)]
    requests = [("GET", "/first"), ("GET", "/read"), ("POST", "/change"), ("GET", "/last")]
    tasks = []
    for line, (method, path) in zip(lines, requests, strict=True):
        scope = {**SCOPE, "method": method, "path": path}
        tasks.append(asyncio.ensure_future(app(scope, line.coming.get, line.send)))
        await line.until(lambda: site.asked)
    for line in lines[1:3]:
        line.coming.put_nowait({"type": "http.disconnect"})
    await line.until(lambda: all(each.coming.empty() for each in lines))
    site.release.set()
    await asyncio.gather(*tasks)
    assert site.asked == ["GET/first", "POST/change", "GET/last"]
    assert [bool(line.answer) for line in lines] == [True, False, False, True]


async def test_requests_do_not_gather_without_end_before_a_site_that_stands_still(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(wsgi, "THREADS", 1)
    monkeypatch.setattr(wsgi, "WAITING_MOST", 2)
    site = Stuck()
    app = asgi_of(site)
    lines = [Line(WHOLE) for _ in range(5)]
    tasks = []
    for line in lines:
        tasks.append(asyncio.ensure_future(app(SCOPE, line.coming.get, line.send)))
        await line.until(lambda: site.asked)
        await asyncio.wait(tasks[-1:], timeout=0.1)
    assert [task.done() for task in tasks] == [False] * 3 + [True] * 2
    for line in lines[3:]:
        assert line.answer[0]["status"] == 503
        assert (b"retry-after", b"60") in line.answer[0]["headers"]
    assert caplog.text.count("2 requests wait: refused") == 1
    site.release.set()
    await asyncio.gather(*tasks)
    assert len(site.asked) == 3

"""HTTP through Tornado: what the app says arrives as it is, and each side waits for the other."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from tests.support.tornado_site import mounted, read_body
from tornado.web import RequestHandler

from hotshoe.config import Settings


async def ask(port: int, path: str = "/apps/x", method: str = "GET", **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.request(method, path, **more)


def answering(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


async def test_repeated_headers_in_their_order_and_the_sites_own() -> None:
    class Site(RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("X-Site", "yes")
            self.set_header("X-Frame-Options", "DENY")

    app = answering(b"hi", (b"set-cookie", b"a=1"), (b"content-type", b"text/x"), (b"set-cookie", b"b=2"),
                    (b"x-frame-options", b"SAMEORIGIN"), (b"content-length", b"2"))
    async with mounted(app, handler=Site) as port:
        answer = await ask(port)
    assert answer.text == "hi"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers["x-site"] == "yes"
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]


async def test_head_has_the_headers_and_no_body() -> None:
    async with mounted(answering(b"", (b"content-length", b"7"), (b"etag", b'"e"'))) as port:
        answer = await ask(port, method="HEAD")
        assert (answer.status_code, answer.headers["content-length"], answer.headers["etag"]) == (200, "7", '"e"')
        assert (await ask(port, method="HEAD")).content == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(status: int) -> None:
    async with mounted(answering(b"", (b"etag", b'"e"'), (b"vary", b"cookie"), status=status)) as port:
        answer = await ask(port)
        assert (answer.status_code, answer.headers["etag"], answer.headers["vary"]) == (status, '"e"', "cookie")
        assert "transfer-encoding" not in answer.headers


async def test_tornado_adds_neither_compression_nor_digest() -> None:
    body = b"a" * 5000
    packed = gzip.compress(body)
    async with mounted(answering(body, (b"content-type", b"text/plain")), compress_response=True) as port:
        plain = await ask(port, headers={"accept-encoding": "gzip"})
    async with mounted(answering(packed, (b"content-encoding", b"gzip"), (b"content-type", b"text/plain")),
                       compress_response=True) as port:
        compressed = await ask(port, headers={"accept-encoding": "gzip"})
    assert plain.content == compressed.content == body
    assert "content-encoding" not in plain.headers
    assert "etag" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"


async def test_bodies_are_streamed_in_both_directions() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            event = await receive()
            more = event["more_body"]
            await send({"type": "http.response.body", "body": event["body"], "more_body": more})

    async with mounted(echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /apps/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for word in (b"one", b"two", b"three"):
            writer.write(b"%x\r\n%s\r\n" % (len(word), word))
            assert word in await asyncio.wait_for(reader.readuntil(word), 20)  # before the next one is sent
        writer.write(b"0\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 20)
        writer.write(b"GET /apps/again HTTP/1.1\r\nHost: x\r\n\r\n")  # the connection is kept
        assert b"200" in await asyncio.wait_for(reader.readline(), 20)
        writer.close()


async def test_the_visitor_waits_for_an_app_that_does_not_read() -> None:
    go_on = asyncio.Event()
    got = bytearray()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        got.extend(await read_body(receive))
        await answering(b"done", (b"content-length", b"4"))(scope, receive, send)

    async with mounted(slow, settings=Settings(max_body_size=0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /apps/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        sent = await push(writer, 64)
        assert sent < 64 << 20
        go_on.set()
        writer.write(bytes((64 << 20) - sent))
        await writer.drain()
        assert b"200" in await asyncio.wait_for(reader.readline(), 60)
        writer.close()
    assert len(got) == 64 << 20


async def push(writer: asyncio.StreamWriter, most: int) -> int:
    """Sends so many MB, until nobody takes any more for a second; the bytes that are under way."""
    for number in range(1, most + 1):
        writer.write(bytes(1 << 20))
        try:
            await asyncio.wait_for(writer.drain(), 1)
        except TimeoutError:
            return number << 20
    return most << 20


async def test_an_app_waits_for_a_visitor_who_does_not_read() -> None:
    sent = 0
    ended = asyncio.Event()

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
                sent += 1
        except OSError:  # as ASGI says, when the visitor has gone
            ended.set()
            raise

    async with mounted(flood) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /apps/x HTTP/1.1\r\nHost: x\r\n\r\n")
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.5)
        assert sent < 64
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 20)


async def test_bodies_that_are_too_large() -> None:
    taken = bytearray()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "http.request":
            taken.extend(event["body"])
            if not event["more_body"]:
                break
        await answering(b"fine")(scope, receive, send)

    async def chunks() -> Any:
        for _ in range(100):
            yield bytes(1000)

    async with mounted(app, settings=Settings(max_body_size=5000)) as port:
        assert (await ask(port, method="POST", content=bytes(5000))).text == "fine"
        taken.clear()
        assert (await ask(port, method="POST", content=bytes(5001))).status_code == 413
        assert not taken
        with pytest.raises((httpx.HTTPStatusError, httpx.HTTPError)):
            (await ask(port, method="POST", content=chunks())).raise_for_status()
        assert len(taken) <= 5000


async def test_the_app_hears_that_the_visitor_has_gone() -> None:
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        heard.set_result((await receive())["type"])

    async with mounted(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /apps/x HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.close()
        assert await asyncio.wait_for(heard, 20) == "http.disconnect"


async def test_failures_get_the_sites_own_page(caplog: pytest.LogCaptureFixture) -> None:
    class Site(RequestHandler):
        def write_error(self, status_code: int, **more: Any) -> None:
            self.write(f"our page for {status_code}")

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("silent"):
            return
        raise ZeroDivisionError

    async with mounted(broken, handler=Site) as port:
        for path in ("/apps/broken", "/apps/silent"):
            answer = await ask(port, path)
            assert (answer.status_code, answer.text) == (500, "our page for 500")
    assert "ZeroDivisionError" in caplog.text
    assert "the app has sent no response" in caplog.text


async def test_forms_are_the_apps_own_matter() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(await read_body(receive))(scope, receive, send)

    async with mounted(app, xsrf_cookies=True) as port:
        assert (await ask(port, method="POST", data={"name": "Ada"})).text == "name=Ada"


async def test_the_sites_prepare_may_answer() -> None:
    class Site(RequestHandler):
        async def prepare(self) -> None:
            if not self.get_cookie("who"):
                self.redirect("/login")

    async with mounted(answering(b"in", (b"content-length", b"2")), handler=Site) as port:
        answer = await ask(port, method="POST", content=b"x")
        assert (answer.status_code, answer.headers["location"]) == (302, "/login")
        assert (await ask(port, headers={"cookie": "who=ada"})).text == "in"


async def test_what_is_below_the_prefix_and_nothing_else() -> None:
    async with mounted(answering(b"app", (b"content-length", b"3"))) as port:
        assert (await ask(port, "/")).text == "home"
        for path in ("/apps", "/apps/", "/apps/a/b", "/%61pps/x"):
            assert (await ask(port, path)).text == "app", path
        assert (await ask(port, "/appsx")).status_code == 404

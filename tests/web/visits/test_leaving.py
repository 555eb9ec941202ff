"""Clients that leave before their page is ready: nothing is built for them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from tests.support.front_site import Site
from tests.support.waiting import until

from hotshoe.http import requests
from hotshoe.http.requests import unless_left


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "WATCH_AFTER_S", 0.0)


class Client:
    """The ``receive`` of a client that leaves when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._sent = False

    async def receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_an_answer_in_time_is_the_answer() -> None:
    client = Client()

    async def answer() -> str:
        await asyncio.sleep(0.02)
        return "page"

    assert await unless_left(client.receive, answer()) == "page"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1, "nobody watches any more"


async def test_an_answer_for_nobody_is_cancelled() -> None:
    client, cancelled = Client(), asyncio.Event()

    async def answer() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "page"

    asyncio.get_running_loop().call_later(0.02, client.left.set)
    assert await unless_left(client.receive, answer()) is None
    assert cancelled.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_cancellation_from_outside_is_one() -> None:
    task = asyncio.create_task(unless_left(Client().receive, asyncio.sleep(60)))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_is_passed_on() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_left(Client().receive, fail())


async def test_a_receive_that_fails_leaves_the_answer_alone() -> None:
    async def broken() -> dict[str, Any]:
        raise RuntimeError("no second call")

    assert await unless_left(broken, asyncio.sleep(0.02, "page")) == "page"


def as_it_is(front: Any) -> Any:
    return front


def within_middleware(front: Any) -> Any:
    """It raises an error for a request that gets no response."""
    return BaseHTTPMiddleware(front, dispatch=lambda request, call_next: call_next(request))


@pytest.mark.parametrize("around", [as_it_is, within_middleware])
@pytest.mark.parametrize("path", ["/a", "/a/autoload.js?bokeh-autoload-element=e"])
async def test_the_host_is_not_asked_any_longer_for_one_who_left(
    site: Site, path: str, around: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.host.gate, client, sent = asyncio.Event(), Client(), list[Any]()
    ended: list[BaseException] = []

    def watching(opens: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        async def opening(open_request: Any) -> Any:
            try:
                return await opens(open_request)
            except BaseException as error:
                ended.append(error)
                raise

        return opening

    monkeypatch.setattr(site.host, "open", watching(site.host.open))

    async def send(event: Any) -> None:
        sent.append(event)

    name, _, query = path.partition("?")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": name,
             "raw_path": name.encode(), "root_path": "", "scheme": "http", "query_string": query.encode(),
             "headers": [(b"host", b"testserver")], "client": ("127.0.0.1", 1), "server": ("testserver", 80)}
    serving = asyncio.create_task(around(site.front)(scope, client.receive, send))
    await until(lambda: site.host.open_requests, 60)
    client.left.set()
    async with asyncio.timeout(60):
        await serving
    await until(lambda: ended, 60)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert not [event for event in sent if event.get("status", 499) != 499]

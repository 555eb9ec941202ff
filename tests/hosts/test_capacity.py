"""How many sessions there may be, from the count to what viewers are told."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from bokeh.document import Document
from tests.web.hosting import Peer, socket_scope

from hotshoe.apps import App, Hooks, Request
from hotshoe.config import Settings
from hotshoe.errors import CapacityError
from hotshoe.hosts import InlineHost, OpenRequest
from hotshoe.hosts.capacity import LOG_EVERY_S, Capacity
from hotshoe.tokens import mint
from hotshoe.web.front import Front

Make = Callable[..., InlineHost]


def wish(session_id: str, app: str = "/a", *, payload: dict[str, str] | None = None) -> OpenRequest:
    return OpenRequest(app, Request(), session_id, payload)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    hosts: list[InlineHost] = []

    def make(most: int, *apps: App) -> InlineHost:
        placed = {f"/{name}": app for name, app in zip("abc", apps, strict=False)}
        hosts.append(InlineHost(placed, Settings(threads=4, max_sessions=most)))
        return hosts[-1]

    yield make
    for host in hosts:
        await host.stop()


def test_the_log_names_the_flag_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    capacity = Capacity(2, lambda: now_s)
    capacity.admit(1)
    for now_s in (0.0, 1.0, 2.0, LOG_EVERY_S):  # noqa: B007 - the clock reads it
        with pytest.raises(CapacityError, match="All places are taken"):
            capacity.admit(2)
    assert [record.getMessage() for record in caplog.records] == [
        "There are 2 sessions, as many as --max-sessions allows: turned away 1",
        "There are 2 sessions, as many as --max-sessions allows: turned away 3",
    ]


def test_zero_is_no_limit() -> None:
    Capacity(0).admit(10**6)


async def test_apps_share_the_places_and_who_has_one_keeps_it(make: Make) -> None:
    host = make(2, App(build=lambda document: None), App(build=lambda document: None))
    await host.start()
    await host.open(wish("1"))
    await host.open(wish("2", "/b"))
    with pytest.raises(CapacityError):
        await host.open(wish("3"))
    with pytest.raises(CapacityError):
        await host.open(wish("1", "/b"))
    assert (await host.open(wish("1"))).id == "1"
    assert host.statistics().sessions == {"/a": 1, "/b": 1}


async def test_sessions_that_are_being_built_count_and_can_be_waited_for(make: Make) -> None:
    go_on = threading.Event()
    built: list[Document] = []

    def slow(document: Document) -> None:
        go_on.wait(10)
        built.append(document)

    host = make(1, App(build=slow))
    await host.start()
    first = asyncio.create_task(host.open(wish("1")))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(host.open(wish("1")))
    with pytest.raises(CapacityError):
        await host.open(wish("2"))
    go_on.set()
    await asyncio.gather(first, second)
    assert len(built) == 1


async def test_many_at_once_do_not_slip_through_while_a_hook_is_awaited(make: Make) -> None:
    async def process(request: Request) -> dict[str, str]:
        await asyncio.sleep(0.01)
        return {}

    host = make(2, App(build=lambda document: None, hooks=Hooks(process_request=process)))
    await host.start()
    results = await asyncio.gather(*(host.open(wish(str(n))) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(result, CapacityError) for result in results) == 8


async def test_a_place_is_free_again_when_a_session_ends_or_fails(make: Make) -> None:
    def fail(document: Document) -> None:
        raise ValueError

    host = make(1, App(build=fail), App(build=lambda document: None))
    await host.start()
    for _ in range(3):
        with pytest.raises(Exception, match="failed to build"):
            await host.open(wish("1"))
    await host.open(wish("2", "/b"))


async def test_what_viewers_are_told(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    host = make(1, App(build=lambda document: None), App(build=lambda document: None))
    front = Front(host, settings=Settings(session_ids="unsigned"))
    await front.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://h") as client:
        assert (await client.get("/a", headers={"Bokeh-Session-Id": "x"})).status_code == 200
        refused = await client.get("/a")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
        assert "<h1>All places are taken.</h1>" in refused.text
        assert "Please try again in a minute." in refused.text
        script = await client.get("/a/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/a")
        assert (script.status_code, script.headers["Retry-After"]) == (503, "60")
        assert "All places are taken" in script.text
        assert (await client.get("/a", headers={"Bokeh-Session-Id": "x"})).status_code == 200
        assert (await client.get("/static/js/bokeh.min.js")).status_code == 200

    peers = {}
    for session_id in ("x", "new"):
        token = mint(session_id, now_s=time.time(), lifetime_s=300, payload={})
        peers[session_id] = Peer(front, socket_scope("/a/ws", protocols=["bokeh", token]))
        assert (await peers[session_id].hear())["type"] == "websocket.accept"
    assert await peers["new"].hear() == {
        "type": "websocket.close", "code": 1013, "reason": "All places are taken. Please try again in a minute."}
    assert '"ACK"' in (await peers["x"].hear())["text"]
    peers["x"].leave()
    await asyncio.gather(*(peer.ended() for peer in peers.values()))
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1

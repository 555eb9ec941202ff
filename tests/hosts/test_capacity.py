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
from hotshoe.auth import User
from hotshoe.config import Settings
from hotshoe.errors import CapacityError
from hotshoe.hosts import InlineHost, OpenRequest
from hotshoe.hosts.capacity import Capacity, network_of
from hotshoe.log_pace import LOG_EVERY_S
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
    capacity = Capacity(2, clock=lambda: now_s)
    capacity.admit([Request()], Request())
    for now_s in (0.0, 1.0, 2.0, LOG_EVERY_S):  # noqa: B007 - the clock reads it
        with pytest.raises(CapacityError, match="All places are taken"):
            capacity.admit([Request()] * 2, Request())
    assert [record.getMessage() for record in caplog.records] == [
        "There are 2 sessions, as many as --max-sessions allows: turned away 1",
        "There are 2 sessions, as many as --max-sessions allows: turned away 3",
    ]


def test_zero_is_no_limit() -> None:
    someone = Request(user="u", remote_ip="198.51.100.1", client_known=True)
    Capacity().admit([someone] * 10_000, someone)


def test_a_user_has_so_many(caplog: pytest.LogCaptureFixture) -> None:
    capacity = Capacity(most_per_user=2)
    held = [Request(user=User("ann")), Request(user="ann"), Request(user=User("bob")), Request(), Request()]
    for wanted in (Request(user=User("bob")), Request()):
        capacity.admit(held, wanted)
    with pytest.raises(CapacityError, match="as many pages open as one user may have") as caught:
        capacity.admit(held, Request(user=User("ann")))
    assert (caught.value.status, caught.value.close_code) == (429, 1013)
    assert caplog.messages == ["User ann has 2 sessions, as many as --max-sessions-per-user allows: turned away 1"]


def visit(address: str | None, *, known: bool = True) -> Request:
    return Request(remote_ip=address, client_known=known)


def test_an_address_has_so_many(caplog: pytest.LogCaptureFixture) -> None:
    capacity = Capacity(most_per_address=2)
    held = [visit("198.51.100.1"), visit("198.51.100.1"), visit("198.51.100.2"),
            visit("2001:db8::1"), visit("2001:db8::2:3")]
    for wanted in ("198.51.100.2", "2001:db8:1::1", None):
        capacity.admit(held, visit(wanted))
    for wanted in ("198.51.100.1", "2001:db8::ffff"):
        with pytest.raises(CapacityError, match="too many visitors from your address") as caught:
            capacity.admit(held, visit(wanted))
        assert caught.value.status == 429
    assert "--max-sessions-per-address" in caplog.messages[0]
    assert len(caplog.messages) == 1


def test_an_address_that_may_be_a_proxys_has_no_limit() -> None:
    Capacity(most_per_address=1).admit([visit("127.0.0.1", known=False)] * 9, visit("127.0.0.1", known=False))


@pytest.mark.parametrize(("address", "network"), [
    ("198.51.100.1", "198.51.100.1"), ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"), ("testclient", "testclient"),
    ("::ffff:198.51.100.1", "198.51.100.1"),
])
def test_one_visitor_may_have_many_addresses_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


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


async def test_one_visitor_too_many_is_told_so() -> None:
    host = InlineHost({"/a": App(build=lambda document: None)}, Settings(max_sessions_per_address=1))
    front = Front(host, settings=Settings(use_xheaders=True))
    await front.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://h") as client:
        answers = [await client.get("/a", headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in (1, 1, 2)]
        assert [answer.status_code for answer in answers] == [200, 429, 200]
        assert "<h1>There are too many visitors from your address.</h1>" in answers[1].text
        assert answers[1].headers["Retry-After"] == "60"
        assert [(await client.get("/a")).status_code for _ in range(3)] == [200] * 3
    await front.stop()

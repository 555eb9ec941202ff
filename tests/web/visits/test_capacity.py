"""How many sessions there may be, from the count to what viewers are told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import FrameType
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from jinja2 import Template
from tests.support import hosts
from tests.support.asgi_websocket import Peer, socket_scope

from hotshoe.apps import App, Hooks, Request
from hotshoe.auth import User
from hotshoe.base.addresses import network_of
from hotshoe.base.errors import BuildError, CapacityError, RequestError
from hotshoe.base.logs import LOG_EVERY_S
from hotshoe.base.tasks import Deadline
from hotshoe.config import Settings
from hotshoe.hosts.host import AppsChanged, AsPage, Host, OpenRequest, SessionEnded, View
from hotshoe.hosts.inline import InlineHost
from hotshoe.tokens import mint
from hotshoe.web.front import Front
from hotshoe.web.visits.capacity import Capacity


def visit(address: str | None = None, *, user: Any = None, known: bool = True) -> Request:
    return Request(user=user, remote_ip=address, client_known=known)


numbers = itertools.count()


def take(capacity: Capacity, *visits: Request) -> None:
    """A session for each."""
    for each in visits:
        with capacity.opening("/a", f"session {next(numbers)}", each):
            pass


def test_the_log_names_the_flag_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    capacity = Capacity(2, clock=lambda: now_s)
    take(capacity, visit(), visit())
    for now_s in (0.0, 1.0, 2.0, LOG_EVERY_S):  # noqa: B007 - the clock reads it
        with pytest.raises(CapacityError, match="All places are taken"):
            take(capacity, visit())
    assert [record.getMessage() for record in caplog.records] == [
        "There are 2 sessions, as many as --max-sessions allows: turned a visitor away",
        "There are 2 sessions, as many as --max-sessions allows: turned a visitor away "
        "(and 2 more since the last such line)",
    ]


def test_zero_is_no_limit() -> None:
    someone = visit("198.51.100.1", user="u")
    take(Capacity(), *[someone] * 10_000)


def test_a_user_has_so_many(caplog: pytest.LogCaptureFixture) -> None:
    capacity = Capacity(most_per_user=2)
    take(capacity, visit(user=User("ann")), visit(user="ann"), visit(user=User("bob")), visit(), visit())
    take(capacity, visit(user=User("bob")), visit())
    with pytest.raises(CapacityError, match="as many pages open as one user may have") as caught:
        take(capacity, visit(user=User("ann")))
    assert (caught.value.status, caught.value.close_code) == (429, 1013)
    assert caplog.messages == [
        "User ann has 2 sessions, as many as --max-sessions-per-user allows: turned one more away"]


def test_an_address_has_so_many(caplog: pytest.LogCaptureFixture) -> None:
    capacity = Capacity(most_per_address=2)
    take(capacity, visit("198.51.100.1"), visit("198.51.100.1"), visit("198.51.100.2"),
         visit("2001:db8::1"), visit("2001:db8::2:3"))
    take(capacity, *map(visit, ("198.51.100.2", "2001:db8:1::1", None)))
    for wanted in ("198.51.100.1", "2001:db8::ffff"):
        with pytest.raises(CapacityError, match="too many visitors from your address") as caught:
            take(capacity, visit(wanted))
        assert caught.value.status == 429
    assert "--max-sessions-per-address" in caplog.messages[0]
    assert len(caplog.messages) == 1


def test_an_address_that_may_be_a_proxys_has_no_limit() -> None:
    capacity = Capacity(most_per_address=1)
    take(capacity, *[visit("127.0.0.1", known=False)] * 9)


@pytest.fixture
def one() -> Capacity:
    """Room for one session of anybody."""
    return Capacity(most=1, most_per_user=1, most_per_address=1)


ANN = visit("198.51.100.1", user="ann")
ENDED = SessionEnded("/a", "s")


def is_full(capacity: Capacity) -> bool:
    try:
        with capacity.opening("/a", "another", visit()):
            pass
    except CapacityError:
        return True
    capacity.handle_event(SessionEnded("/a", "another"))
    return False


def test_a_session_that_ends_gives_its_place_back(one: Capacity) -> None:
    for _ in range(3):
        with one.opening("/a", "s", ANN):
            assert is_full(one)
        assert is_full(one)
        for told in (SessionEnded("/b", "s"), SessionEnded("/a", "other"), AppsChanged({})):
            one.handle_event(told)
        assert is_full(one)
        one.handle_event(ENDED)
        one.handle_event(ENDED)
        assert not is_full(one)


def test_two_openings_of_one_session_hold_one_place(one: Capacity) -> None:
    with one.opening("/a", "s", ANN), one.opening("/a", "s", visit()):
        pass
    with one.opening("/a", "s", ANN):
        assert is_full(one)
    one.handle_event(ENDED)
    assert not is_full(one)


def fail(capacity: Capacity, *told: SessionEnded) -> None:
    with contextlib.suppress(BuildError), capacity.opening("/a", "s", ANN):
        for event in told:
            capacity.handle_event(event)
        raise BuildError("/a", "0123abcd")


def test_an_opening_that_fails_gives_its_place_back_once_the_host_tells(one: Capacity) -> None:
    fail(one, ENDED)
    assert not is_full(one)
    fail(one)  # it may still be built, for all that is known
    assert is_full(one)
    one.handle_event(ENDED)
    assert not is_full(one)


def test_one_that_fails_beside_one_that_does_not(one: Capacity) -> None:
    with one.opening("/a", "s", ANN):
        fail(one, ENDED)
    assert is_full(one)
    one.handle_event(ENDED)
    assert not is_full(one)
    with contextlib.suppress(BuildError), one.opening("/a", "s", ANN):
        with one.opening("/a", "s", ANN):
            pass
        raise BuildError("/a", "0123abcd")
    assert is_full(one)


def test_what_ended_while_it_was_opened_again_lives(one: Capacity) -> None:
    with one.opening("/a", "s", ANN):
        one.handle_event(ENDED)  # an earlier one
    assert is_full(one)


def test_a_host_that_stops_gives_all_places_back(one: Capacity) -> None:
    with one.opening("/a", "s", ANN):
        one.clear()
    assert not is_full(one)
    with one.opening("/a", "s", ANN):
        assert is_full(one)


@pytest.mark.parametrize(("address", "network"), [
    ("198.51.100.1", "198.51.100.1"), ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"), ("testclient", "testclient"),
    ("::ffff:198.51.100.1", "198.51.100.1"),
])
def test_one_visitor_may_have_many_addresses_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.fixture(params=hosts.KINDS)
async def make(request: pytest.FixtureRequest) -> AsyncIterator[MakeOpener]:
    made: list[Host] = []

    async def make(most: int, *apps: App) -> FrontSide:
        placed = {f"/{name}": app for name, app in zip("abc", apps, strict=False)}
        made.append(hosts.host_of(request.param, InlineHost(placed, Settings(threads=4))))
        await made[-1].start()
        return FrontSide(made[-1], Capacity(most))

    yield make
    for host in made:
        await host.stop()


class FrontSide:
    """What a front does with a host and its limits."""

    def __init__(self, host: Host, capacity: Capacity) -> None:
        self.host = host
        self.capacity = capacity
        host.listen(capacity.handle_event)

    async def open(self, session_id: str, app: str = "/a", view: View | None = None) -> None:
        open_request = OpenRequest(app, Request(), session_id, view=view)
        with self.capacity.opening(app, session_id, open_request.request):
            await self.host.open(open_request)

    async def is_full(self) -> bool:
        for _ in range(20):  # events and answers cross
            await asyncio.sleep(0)
        return is_full(self.capacity)


MakeOpener = Callable[..., Awaitable[FrontSide]]


async def test_apps_share_the_places_and_who_has_one_keeps_it(make: MakeOpener) -> None:
    front = await make(2, App(build=lambda document: None), App(build=lambda document: None))
    await front.open("1")
    await front.open("2", "/b")
    with pytest.raises(CapacityError):
        await front.open("3")
    with pytest.raises(CapacityError):
        await front.open("1", "/b")
    await front.open("1")
    assert (await front.host.statistics()).sessions == {"/a": 1, "/b": 1}


async def test_sessions_that_are_being_built_count_and_can_be_waited_for(make: MakeOpener) -> None:
    building, go_on = threading.Event(), threading.Event()
    built: list[Document] = []

    def slow(document: Document) -> None:
        building.set()
        go_on.wait(10)
        built.append(document)

    front = await make(1, App(build=slow))
    first = asyncio.create_task(front.open("1"))
    await asyncio.to_thread(building.wait, 10)
    second = asyncio.create_task(front.open("1"))
    with pytest.raises(CapacityError):
        await front.open("2")
    go_on.set()
    await asyncio.gather(first, second)
    assert len(built) == 1


async def test_many_at_once_do_not_slip_through_while_a_hook_is_awaited(make: MakeOpener) -> None:
    async def process(request: Request) -> dict[str, str]:
        await asyncio.sleep(0.01)
        return {}

    front = await make(2, App(build=lambda document: None, hooks=Hooks(process_request=process)))
    results = await asyncio.gather(*(front.open(str(n)) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(result, CapacityError) for result in results) == 8


async def test_a_place_is_free_again_when_a_session_ends_or_fails(make: MakeOpener) -> None:
    def fail(document: Document) -> None:
        raise ValueError

    front = await make(1, App(build=fail), App(build=lambda document: None))
    for _ in range(3):
        with pytest.raises(BuildError):
            await front.open("1")
        assert not await front.is_full()
    await front.open("2", "/b")


@pytest.mark.parametrize("where", ["process_request", "build"])
async def test_a_client_that_leaves_gives_its_place_back_when_nothing_is_built_for_it(
    make: MakeOpener, where: str
) -> None:
    waits, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: object) -> None:
        waits.set()
        await go_on.wait()

    hooks = Hooks(process_request=wait) if where == "process_request" else Hooks(session_created=wait)
    front = await make(1, App(build=lambda document: None, hooks=hooks))
    opening = asyncio.create_task(front.open("1"))
    await waits.wait()
    opening.cancel()
    await asyncio.wait([opening])
    if where == "build":  # it goes on, so its place is taken
        assert await front.is_full()
    go_on.set()
    async with asyncio.timeout(10):
        while await front.is_full():
            await asyncio.sleep(0.005)
    assert (await front.host.statistics()).sessions == {"/a": 0}


@pytest.mark.parametrize("steps", range(12))
async def test_a_client_that_leaves_at_any_moment_takes_no_place(make: MakeOpener, steps: int) -> None:
    front = await make(1, App(build=lambda document: None, hooks=Hooks(process_request=lambda request: {})))
    opening = asyncio.create_task(front.open("1"))
    for _ in range(steps):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    async with asyncio.timeout(10):
        while await front.is_full():
            await front.host.close("/a", "1")  # it was built, if the client left so late
            await asyncio.sleep(0.005)


async def test_an_app_that_has_just_been_withdrawn_takes_no_place(make: MakeOpener) -> None:
    front = await make(1, App(build=lambda document: None))
    await front.host.withdraw_app("/a")
    with pytest.raises(RequestError, match="no app at /a"):
        await front.open("1")
    assert not await front.is_full()


@pytest.mark.parametrize("where", ["build", "page"])
async def test_a_session_whose_app_is_replaced_while_it_is_opened_keeps_no_place(make: MakeOpener, where: str) -> None:
    """Nobody may come for it: it is not found any more, and ends."""
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> str:
        begun.set()
        assert go_on.wait(10)
        return ""

    def build(document: Document) -> None:
        document.template = Template("{{ wait() }}")
        document.template.globals["wait"] = wait if where == "page" else str
        if where == "build":
            wait()

    front = await make(1, App(build=build))
    opening = asyncio.create_task(front.open("1", view=AsPage()))
    await asyncio.to_thread(begun.wait, 10)
    await hosts.inline_of(front.host).serve_app("/a", App(build=lambda document: None))
    assert await front.is_full()
    go_on.set()
    await opening
    assert not await front.is_full()


async def test_what_outlives_a_stop_holds_no_place_after_the_next_start() -> None:
    release = threading.Event()
    app = App(build=lambda document: None, hooks=Hooks(session_destroyed=lambda context: release.wait(20)))
    front = Front(InlineHost({"/a": app}, Settings(threads=4)), settings=Settings(max_sessions=1))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://h") as client:
        await front.start()
        assert (await client.get("/a")).status_code == 200
        assert (await client.get("/a")).status_code == 503
        try:
            await front.stop(Deadline(0.1))
            await front.start()
            assert (await client.get("/a")).status_code == 200
        finally:
            release.set()
        await front.stop()


async def test_what_viewers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    host = InlineHost({"/a": App(build=lambda document: None)}, Settings(threads=4))
    front = Front(host, settings=Settings(session_ids="unsigned", max_sessions=1))
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
    await front.stop()


async def test_one_visitor_too_many_is_told_so() -> None:
    host = InlineHost({"/a": App(build=lambda document: None)}, Settings())
    front = Front(host, settings=Settings(use_xheaders=True, max_sessions_per_address=1))
    await front.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://h") as client:
        answers = [await client.get("/a", headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in (1, 1, 2)]
        assert [answer.status_code for answer in answers] == [200, 429, 200]
        assert "<h1>There are too many visitors from your address.</h1>" in answers[1].text
        assert answers[1].headers["Retry-After"] == "60"
        assert [(await client.get("/a")).status_code for _ in range(3)] == [200] * 3
    await front.stop()


class Lines:
    """Counts the lines of hotshoe's own code that this thread runs."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> Lines | None:
        if "hotshoe" not in frame.f_code.co_filename or "tests" in frame.f_code.co_filename:
            return None
        self.count += event == "line"
        return self


async def lines_of_a_page(sessions: int) -> int:
    # What is done now and then for all sessions is not to come in between.
    settings = Settings(threads=0, check_unused_sessions_milliseconds=10**9, stats_log_frequency_milliseconds=10**9)
    host = InlineHost({"/a": App(build=lambda document: document.add_root(Div()))}, settings)
    capacity = Capacity(0, 100_000, 100_000)
    host.listen(capacity.handle_event)
    await host.start()

    async def show(visitor: Request, session_id: str) -> None:
        open_request = OpenRequest("/a", visitor, session_id, view=AsPage())
        with capacity.opening("/a", session_id, visitor):
            await host.open(open_request)

    try:
        for number in range(sessions):
            await show(visit(f"198.51.100.{number % 250}", user=User(f"user {number}")), str(number))
        lines, before = Lines(), sys.gettrace()
        sys.settrace(lines)
        try:
            await show(visit("203.0.113.1", user=User("ann")), "new")
        finally:
            sys.settrace(before)
        return lines.count
    finally:
        await host.stop()


async def test_a_page_costs_the_same_however_many_sessions_there_are() -> None:
    await lines_of_a_page(0)  # what is done once is done
    few, many = await lines_of_a_page(10), await lines_of_a_page(1000)
    assert few > 100
    assert many <= few * 1.1

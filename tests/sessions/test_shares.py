"""How users, addresses and apps share threads: real sessions on a pool of a real size."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from bokeh.document import Document
from tests.support.waiting import until

from hotshoe.apps import App, Hooks, Request
from hotshoe.auth import User
from hotshoe.base.tasks import Deadline
from hotshoe.base.threads import ThreadPool
from hotshoe.base.turns import COMPUTING_OF_ADDRESS, Shares, TurnQueue
from hotshoe.sessions import Pulse, Registry, Session, Surroundings

THREADS = 12


class Server:
    """Apps on one pool, and events that their callbacks wait for."""

    def __init__(self, threads: int, spare: int) -> None:
        self.threads = threads
        self.pool = ThreadPool(threads, asyncio.get_running_loop(), spare=spare)
        self.shares = Shares(threads, 2)
        self.release = threading.Event()
        self.registries: list[Registry] = []
        self.count = 0

    def app(self, build: Callable[[Document], Any], hooks: Hooks | None = None) -> Registry:
        surroundings = Surroundings(asyncio.get_running_loop(), self.pool, Pulse(), shares=self.shares)
        registry = Registry(App(build=build, hooks=hooks or Hooks()), f"/app{len(self.registries)}", surroundings)
        self.registries.append(registry)
        return registry

    def opening(self, registry: Registry, request: Request | None = None) -> asyncio.Task[Session]:
        self.count += 1
        return asyncio.create_task(registry.open(f"session {self.count}", request or Request(), {}))

    def wait(self, *args: Any) -> None:
        self.release.wait(120)

    def compute(self, *args: Any) -> None:
        while not self.release.is_set():
            sum(range(1000))

    async def fill(self) -> None:
        """Let waiting jobs take all threads; without spare ones, no other job gets one."""
        for _ in range(self.threads):
            self.pool.start(self.wait, TurnQueue())
        await until(lambda: self.running_count == self.threads, 60)

    @property
    def running_count(self) -> int:
        return len(self.pool.running())


async def served(threads: int, spare: int) -> AsyncIterator[Server]:
    server = Server(threads, spare)
    yield server
    server.release.set()
    for registry in server.registries:
        await registry.close(Deadline(5))
    server.pool.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async for server in served(THREADS, 7 * THREADS):
        yield server


@pytest.fixture
async def full() -> AsyncIterator[Server]:
    """One thread, no spare ones: ``fill`` fills it, and one job runs after the other."""
    async for full in served(1, 0):
        yield full


def nothing(document: Document) -> None:
    pass


async def ran(session: Session) -> None:
    """Wait until a callback of the session has run."""
    async with asyncio.timeout(60):
        await session.run(int)


@pytest.mark.parametrize("visitor", ["user", "anonymous", "address"])
async def test_64_callbacks_that_wait_for_ever_leave_threads_for_others(server: Server, visitor: str) -> None:
    request = {"user": Request(user=User("mallory")), "anonymous": Request(),
               "address": Request(remote_ip="192.0.2.1", client_known=True)}[visitor]
    app = server.app(nothing)
    sessions = await asyncio.gather(*(server.opening(app, request) for _ in range(64)))
    other = await server.opening(app, Request(user=User("ada"), remote_ip="192.0.2.2", client_known=True))
    for session in sessions:
        session.lane.run(server.wait)
    for _ in range(3):
        await ran(other)
    async with asyncio.timeout(60):
        await server.opening(app, Request(user=User("bob")))
    mallorys = {"user": THREADS, "anonymous": 64, "address": 4 * THREADS}[visitor]
    await until(lambda: server.running_count >= mallorys, 60)
    await ran(other)
    assert server.pool.waiting_count == 64 - mallorys


async def test_two_callbacks_of_a_user_compute_and_others_do_not_wait(server: Server) -> None:
    app, mallory = server.app(nothing), Request(user=User("mallory"))
    sessions = await asyncio.gather(*(server.opening(app, mallory) for _ in range(6)))
    other = await server.opening(app, Request(user=User("ada")))
    for session in sessions:
        session.lane.run(server.compute)
    for _ in range(5):
        await ran(other)
    assert server.pool.waiting_count == 4
    server.release.set()
    for session in sessions:
        await ran(session)


async def test_an_address_may_compute_more_than_a_user(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    lines = [TurnQueue() for _ in range(12)]
    for line in lines:
        server.shares.assign(line, "/app", None, "192.0.2.1", is_build=False)
    passed = [line for line in lines if server.pool._turns.admit(line)]
    assert len(passed) == 2 * COMPUTING_OF_ADDRESS
    stranger = TurnQueue()
    server.shares.assign(stranger, "/app", None, "192.0.2.2", is_build=False)
    assert server.pool._turns.admit(stranger)
    unknown = TurnQueue()
    server.shares.assign(unknown, "/app", None, None, is_build=False)
    assert server.pool._turns.admit(unknown), "the address may be a proxy's"


async def test_builds_of_an_app_leave_threads_for_another_app(server: Server) -> None:
    begun: list[Document] = []

    def build(document: Document) -> None:
        begun.append(document)
        server.wait()

    stuck, fine = server.app(build), server.app(nothing)
    openings = [server.opening(stuck) for _ in range(3 * THREADS)]
    await until(lambda: len(begun) == THREADS // 2, 60)
    async with asyncio.timeout(60):
        session = await server.opening(fine)
    await ran(session)
    assert len(begun) == THREADS // 2, "the others of this app wait"
    server.release.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*openings)


async def test_live_sessions_come_before_builds(full: Server) -> None:
    order: list[str] = []
    app = full.app(lambda document: order.append("build"))
    live = await full.opening(app)
    order.clear()
    await full.fill()
    openings = [full.opening(app) for _ in range(3)]
    await until(lambda: full.pool.waiting_count == 3, 60)
    live.lane.run(lambda: order.append("live"))
    assert full.pool.waiting_count == 4
    full.release.set()
    await asyncio.gather(*openings)
    await ran(live)
    assert order[0] == "live"


async def test_a_build_that_nobody_waits_for_never_begins(full: Server) -> None:
    built: list[str] = []
    hooked: list[object] = []
    hooks = Hooks(session_created=hooked.append, session_destroyed=hooked.append)
    app = full.app(lambda document: built.append("built"), hooks)
    await full.fill()
    gone = [full.opening(app) for _ in range(5)]
    stays = full.opening(app)
    await until(lambda: full.pool.waiting_count == 6, 60)
    for opening in gone:
        opening.cancel()
    await asyncio.wait(gone)
    await until(lambda: app.held_count == 1, 60)
    assert full.pool.waiting_count == 1
    full.release.set()
    await stays
    assert built == ["built"]
    assert len(hooked) == 1, "no hooks of sessions that have not begun"


async def test_one_of_two_who_wait_may_leave(full: Server) -> None:
    app = full.app(nothing)
    await full.fill()
    first, second = (asyncio.create_task(app.open("a", Request(), {})) for _ in range(2))
    await until(lambda: full.pool.waiting_count == 1, 60)
    first.cancel()
    await asyncio.wait([first])
    full.release.set()
    async with asyncio.timeout(60):
        assert not (await second).destroyed


async def test_who_asks_again_at_once_gets_a_session(full: Server) -> None:
    app = full.app(nothing)
    await full.fill()
    first = asyncio.create_task(app.open("a", Request(), {}))
    await until(lambda: full.pool.waiting_count == 1, 60)
    first.cancel()
    second = asyncio.create_task(app.open("a", Request(), {}))
    await asyncio.wait([first])
    full.release.set()
    async with asyncio.timeout(60):
        assert not (await second).destroyed

"""One line has one connection, however many open it, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from bokeh.document import Document
from tests.support.scripted_server import Caller, scripted

from hotshoe.client import AsyncSession, ClientError, RefusedError, Session, push_session_async
from hotshoe.client.line import FIRST_S, LONGEST_S, STABLE_S, Backoff

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOKEH_SECRET_KEY", raising=False)


class Server:
    """Counts connections. It greets them once ``greets`` is set, and then answers all."""

    def __init__(self) -> None:
        self.url = ""
        self.dialled = 0
        self.open = 0
        self.greets = asyncio.Event()

    async def play(self, caller: Caller) -> None:
        self.dialled += 1
        self.open += 1
        try:
            closed = asyncio.ensure_future(caller.connection.wait_closed())
            greets = asyncio.ensure_future(self.greets.wait())
            await asyncio.wait([closed, greets], return_when=asyncio.FIRST_COMPLETED)
            greets.cancel()
            await caller.answer(Document())
        finally:
            self.open -= 1


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    async with scripted(server.play) as server.url:
        yield server


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_two_who_open_at_once_share_a_connection() -> None:
    async with serving() as server:
        before = asyncio.all_tasks()
        server.greets.set()
        async with AsyncSession(url=server.url) as session:
            _, info = await asyncio.gather(session.pull(), session.request_server_info())
            assert info["version_info"]["bokeh"] == "3.9.0"
            assert (server.dialled, server.open) == (1, 1)
        await until(lambda: server.open == 0)
        await until(lambda: asyncio.all_tasks() <= before)


async def test_one_who_is_cancelled_leaves_the_connection_to_the_other() -> None:
    async with serving() as server:
        async with AsyncSession(url=server.url) as session:
            first, second = (asyncio.create_task(session.pull()) for _ in range(2))
            await until(lambda: server.dialled)
            first.cancel()
            server.greets.set()
            await asyncio.wait_for(second, WAIT_S)
            assert first.cancelled()
            await until(lambda: server.open == 1)
        await until(lambda: server.open == 0)


async def test_who_is_cancelled_while_connecting_leaves_nothing_and_may_try_again() -> None:
    async with serving() as server:
        before = asyncio.all_tasks()
        async with AsyncSession(url=server.url) as session:
            opening = asyncio.create_task(session.connect())
            await until(lambda: server.dialled)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await until(lambda: server.open == 0)
            server.greets.set()
            await session.pull()
            assert (server.dialled, server.open) == (2, 1)
        await until(lambda: asyncio.all_tasks() <= before)


async def test_one_that_is_refused_does_not_keep_the_next_from_trying() -> None:
    answers = [(403, "no"), (403, "no"), None]
    async with serving() as server:
        server.greets.set()
        refusing = scripted(server.play, answer=lambda request: answers.pop(0))
        async with refusing as url, AsyncSession("id", url) as session:
            results = await asyncio.gather(session.connect(), session.connect(), return_exceptions=True)
            assert [type(result) for result in results] == [RefusedError, RefusedError]
            await session.pull()
            assert server.dialled == 1


@pytest.mark.parametrize("others", [0, 2])
async def test_closing_while_it_connects_ends_the_attempt_and_those_who_wait_for_it(others: int) -> None:
    async with serving() as server:
        before = asyncio.all_tasks()
        session = AsyncSession(url=server.url)
        opening = [asyncio.create_task(session.pull()) for _ in range(1 + others)]
        await until(lambda: server.dialled)
        await asyncio.wait_for(session.close(), WAIT_S)
        for each in opening:
            with pytest.raises(ClientError, match="the session is closed"):
                await asyncio.wait_for(each, WAIT_S)
        await until(lambda: server.open == 0)
        assert server.dialled == 1
        await until(lambda: asyncio.all_tasks() <= before)


async def test_one_that_was_closed_does_not_connect() -> None:
    async with serving() as server:
        server.greets.set()
        session = AsyncSession(url=server.url)
        await session.close()
        for work in (session.connect, session.pull, session.push, session.request_server_info):
            with pytest.raises(ClientError, match="the session is closed"):
                await work()
        assert server.dialled == 0


async def test_a_close_that_is_cancelled_still_disconnects() -> None:
    async with serving() as server:
        server.greets.set()
        session = await push_session_async(Document(), url=server.url)
        closing = asyncio.create_task(session.close())
        for _ in range(2):  # once it waits for the task of the line
            await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await until(lambda: server.open == 0)
        await asyncio.wait_for(session.wait_until_closed(), WAIT_S)
        assert session.document is not None
        session.document.title = "nobody is told"


async def test_two_threads_that_open_share_a_connection_too() -> None:
    async with serving() as server:
        server.greets.set()
        await asyncio.to_thread(_open_by_threads, server.url)
        assert server.dialled == 1
        await until(lambda: server.open == 0)


def _open_by_threads(url: str) -> None:
    session, together = Session(websocket_url=url), threading.Barrier(4)
    failures: list[BaseException] = []

    def each() -> None:
        together.wait(WAIT_S)
        try:
            session.pull()
        except BaseException as error:
            failures.append(error)

    _run_in_threads(4, each)
    session.close()
    assert failures == []


async def test_threads_that_close_while_others_ask_get_an_answer_or_an_error() -> None:
    async with serving() as server:
        server.greets.set()
        for _ in range(20):
            await asyncio.wait_for(asyncio.to_thread(_close_and_ask, server.url), WAIT_S)
        await until(lambda: server.open == 0)


def _close_and_ask(url: str) -> None:
    session, together, failures = Session(websocket_url=url), threading.Barrier(6), list[tuple[str, BaseException]]()
    session.pull()
    turns: Iterator[Callable[[], object]] = iter([
        session.close, session.close, session.wait_until_closed, session.wait_until_closed, session.force_roundtrip,
        session.pull])

    def each() -> None:
        work = next(turns)
        together.wait(WAIT_S)
        try:
            work()
        except BaseException as error:
            failures.append((getattr(work, "__name__", ""), error))

    _run_in_threads(6, each)
    assert [(name, error) for name, error in failures
            if name not in ("force_roundtrip", "pull") or not isinstance(error, ClientError)] == []
    assert not session.connected


def _run_in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


# -- how long it waits before it dials again


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_delays_double_up_to_a_bound(clock: Clock) -> None:
    backoff = Backoff(1000, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    delays = [backoff.delay_s() for _ in range(10)]
    assert delays[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert delays[-1] == LONGEST_S


def test_chance_shortens_them_to_a_half(clock: Clock) -> None:
    backoff = Backoff(1000, clock=clock, chance=lambda: 0.0)
    backoff.cut()
    assert backoff.delay_s() == FIRST_S / 2


def test_it_gives_up_and_does_not_oversleep(clock: Clock) -> None:
    backoff = Backoff(1, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    clock.now_s = 0.9
    assert backoff.delay_s() == pytest.approx(0.1)
    clock.now_s = 1.0
    assert backoff.delay_s() is None


def test_a_connection_that_lasts_lets_it_begin_anew(clock: Clock) -> None:
    backoff = Backoff(10, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    clock.now_s = 9
    backoff.connected()
    clock.now_s += STABLE_S
    backoff.cut()
    assert backoff.delay_s() == FIRST_S


def test_one_that_does_not_last_counts_as_a_failure(clock: Clock) -> None:
    backoff = Backoff(10, clock=clock, chance=lambda: 1.0)
    backoff.cut()
    for _ in range(3):
        clock.now_s += 4
        backoff.connected()
        backoff.cut()
    assert backoff.delay_s() is None


def test_zero_never_tries(clock: Clock) -> None:
    backoff = Backoff(0, clock=clock)
    backoff.cut()
    assert backoff.delay_s() is None

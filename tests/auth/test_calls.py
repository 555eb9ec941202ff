"""Functions of the operator's: on threads, limited, and none of them ends the server."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from tornado import gen
from tornado.web import authenticated

from hotshoe.auth.calls import Calls, runs_on_loop
from hotshoe.base.errors import CapacityError


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    calls = Calls()
    yield calls
    calls.stop()


async def test_what_is_not_async_runs_beside_the_loop(calls: Calls) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait() -> str:
        entered.set()
        assert leave.wait(20)
        return threading.current_thread().name

    waiting = asyncio.create_task(calls.run(wait))
    while not entered.is_set():  # the loop turns meanwhile
        await asyncio.sleep(0.01)
    leave.set()
    assert await waiting != threading.current_thread().name


async def test_what_is_async_runs_on_the_loop(calls: Calls) -> None:
    async def name() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert await calls.run(name) == threading.current_thread().name


async def test_an_awaitable_is_awaited_and_never_taken_for_a_result(calls: Calls) -> None:
    async def nobody() -> None:
        return None

    def hidden() -> Awaitable[None]:
        return nobody()

    assert await calls.run(hidden) is None


async def test_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(limit_s=0.05)
    leave = threading.Event()
    with pytest.raises(CapacityError, match="Please try again"):
        await calls.run(leave.wait)
    assert "wait did not return within 0.05 s" in caplog.text
    leave.set()
    calls.stop()


async def test_a_timeout_of_the_code_s_own_is_not_the_limit() -> None:
    def ask() -> None:
        raise TimeoutError("the directory does not answer")

    with pytest.raises(TimeoutError, match="the directory"):
        await Calls().run(ask)


class Database:
    """One that stands still until it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.back = threading.Event()

    def get(self, name: str) -> str:
        self.asked.append(name)
        assert self.back.wait(30)
        return name


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.back.set()


async def asked_by(database: Database, count: int) -> None:
    async with asyncio.timeout(20):
        while len(database.asked) < count:
            await asyncio.sleep(0.001)


async def test_calls_that_nobody_waits_for_any_more_never_run(database: Database) -> None:
    calls = Calls(threads=2)
    asking = [asyncio.create_task(calls.run(database.get, name)) for name in "abcdef"]
    await asked_by(database, 2)
    for task in asking[:5]:  # the time of all but the last is up
        task.cancel()
    await asyncio.wait(asking[:5])
    database.back.set()
    assert await asking[5] == "f"
    assert database.asked == ["a", "b", "f"]
    calls.stop()


async def test_no_more_wait_than_may(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(threads=1, waiting_most=2)
    asking = [asyncio.create_task(calls.run(database.get, "a"))]
    await asked_by(database, 1)
    asking += [asyncio.create_task(calls.run(database.get, name)) for name in "bc"]
    async with asyncio.timeout(20):
        while calls._pool is None or calls._pool.waiting_count < 2:
            await asyncio.sleep(0.001)
    for _ in range(2):
        with pytest.raises(CapacityError, match="Please try again") as caught:
            await calls.run(database.get, "d")
        assert caught.value.status == 503
    assert caplog.text.count("Database.get: 0 of 1 threads are stuck and 2 calls wait: refused") == 1
    database.back.set()
    assert await asyncio.gather(*asking) == ["a", "b", "c"]
    assert await calls.run(database.get, "e") == "e"
    calls.stop()


async def test_nobody_waits_once_all_threads_are_stuck(database: Database) -> None:
    calls = Calls(threads=2, limit_s=1)
    asking = [asyncio.create_task(calls.run(database.get, name)) for name in "ab"]
    await asked_by(database, 2)  # so that the limit of these two is up before that of the third
    await asyncio.gather(*asking, calls.run(database.get, "c"), return_exceptions=True)
    with pytest.raises(CapacityError):
        calls.run(database.get, "d").send(None)  # before it awaits anything
    database.back.set()
    answers: Any = None
    async with asyncio.timeout(20):
        while answers != ["e"]:
            answers = list(await asyncio.gather(calls.run(database.get, "e"), return_exceptions=True))
    assert database.asked[:2] == ["a", "b"]
    assert set(database.asked[2:]) == {"e"}
    calls.stop()


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_exit_ends_nothing(calls: Calls, is_async: bool) -> None:
    async def leave_async() -> None:
        sys.exit(3)

    def leave() -> None:
        sys.exit(3)

    with pytest.raises(RuntimeError, match="SystemExit"):
        await calls.run(leave_async if is_async else leave)


def test_what_runs_on_the_loop() -> None:
    async def coroutine(self: Any = None) -> None: ...
    def plain(self: Any = None) -> None: ...
    @gen.coroutine
    def old() -> Any:
        yield gen.moment

    class Called:
        async def __call__(self) -> None: ...
        async def method(self) -> None: ...

    on_loop: list[Callable[..., Any]] = [coroutine, old, Called(), Called().method, authenticated(coroutine)]
    on_threads: list[Callable[..., Any]] = [plain, print, Called, authenticated(plain)]
    assert all(map(runs_on_loop, on_loop))
    assert not any(map(runs_on_loop, on_threads))

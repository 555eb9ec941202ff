"""Functions of the operator's: on threads, limited, and none of them ends the server."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tornado import gen
from tornado.web import authenticated

from hotshoe.auth.calls import Calls, runs_on_loop


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


async def test_a_limit() -> None:
    calls = Calls(limit_s=0.05)
    leave = threading.Event()
    with pytest.raises(TimeoutError, match=r"wait gave no answer within 0\.05 s"):
        await calls.run(leave.wait)
    leave.set()
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

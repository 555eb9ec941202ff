"""App code on a thread uses the server's loop as if it ran in it: asyncio's own loop and uvloop's."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import uvloop
from tests.support.served_app import both_loops

from hotshoe.base.app_tasks import AppTasks, owner
from hotshoe.base.lent_loop import await_on, call_with, install, is_current, lend
from hotshoe.base.threads import ThreadPool
from hotshoe.server.loops import close_loop, new_loop

Away = Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]]


@pytest.fixture
def away() -> Iterator[Away]:
    """Runs a piece of app code on a thread, for the loop that runs the test."""
    install()
    pools: list[ThreadPool] = []

    async def run(function: Callable[[], Any], is_running: bool = True) -> Any:
        loop = asyncio.get_running_loop()
        if not pools:
            lend(loop)
            pools.append(ThreadPool(2, loop))
        async with asyncio.timeout(5):
            return await pools[0].run(partial(call_with, loop, is_running, function))

    yield run
    pools[0].close()


async def value() -> tuple[int, int]:
    await asyncio.sleep(0.001)
    return 7, threading.get_ident()


@both_loops
async def test_the_loop_counts_as_running_in_a_piece_of_app_code_only(away: Away) -> None:
    loop = asyncio.get_running_loop()
    assert await away(asyncio.get_running_loop) is loop
    assert await away(asyncio.current_task) is None
    with pytest.raises(RuntimeError, match="no running event loop"):
        await asyncio.to_thread(asyncio.get_running_loop)


@both_loops
async def test_a_task_runs_on_the_loop_when_the_piece_has_ended(away: Away) -> None:
    seen: list[str] = []

    async def task() -> tuple[int, int]:
        seen.append("task")
        return await value()

    def piece() -> asyncio.Task[tuple[int, int]]:
        task_ = asyncio.create_task(task(), name="mine")
        time.sleep(0.02)
        seen.append("piece")
        return task_

    made = await away(piece)
    assert (await made, made.get_name()) == ((7, threading.get_ident()), "mine")
    assert seen == ["piece", "task"]


@both_loops
async def test_calls_and_timers_keep_their_order_and_can_be_cancelled(away: Away) -> None:
    seen: list[object] = []
    ended = asyncio.Event()

    def piece() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(seen.append, 1)
        loop.call_soon(seen.append, "cancelled").cancel()
        loop.call_later(0.02, ended.set)
        loop.call_at(loop.time() + 0.01, seen.append, 2)
        timer = loop.call_later(0.01, seen.append, "cancelled")
        timer.cancel()
        assert timer.cancelled()

    await away(piece)
    await asyncio.wait_for(ended.wait(), 5)
    assert seen == [1, 2]


@both_loops
async def test_a_timer_is_cancelled_in_another_piece(away: Away) -> None:
    seen: list[str] = []
    timer = await away(lambda: asyncio.get_running_loop().call_later(0.03, seen.append, "fired"))
    await away(timer.cancel)
    await asyncio.sleep(0.05)
    assert not seen


@both_loops
async def test_asyncios_objects_are_made_away_and_used_on_the_loop(away: Away) -> None:
    queue, event = await away(lambda: (asyncio.Queue[int](), asyncio.Event()))
    got = asyncio.create_task(queue.get())
    waited = asyncio.create_task(event.wait())
    future = await away(lambda: asyncio.get_running_loop().create_future())
    await asyncio.sleep(0)
    await away(lambda: (queue.put_nowait(5), event.set(), future.set_result(6)))
    async with asyncio.timeout(5):
        assert (await got, await waited, await future) == (5, True, 6)


@both_loops
async def test_a_task_is_cancelled_away(away: Away) -> None:
    task = await away(lambda: asyncio.create_task(asyncio.sleep(60)))
    await asyncio.sleep(0.001)
    assert await away(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


@both_loops
async def test_a_reader_is_added_away(away: Away) -> None:
    read, write = os.pipe()
    came = asyncio.Event()
    await away(lambda: asyncio.get_running_loop().add_reader(read, came.set))
    os.write(write, b"x")
    await asyncio.wait_for(came.wait(), 5)
    await away(lambda: asyncio.get_running_loop().remove_reader(read))
    await asyncio.sleep(0.001)
    os.close(read)
    os.close(write)


@both_loops
async def test_what_makes_a_loop_of_its_own_works_there(away: Away) -> None:
    def piece() -> list[Any]:
        own, theirs = asyncio.new_event_loop(), uvloop.new_event_loop()
        try:
            return [asyncio.run(value())[0], own.run_until_complete(value())[0], theirs.run_until_complete(value())[0],
                    asyncio.get_running_loop()]
        finally:
            own.close()
            theirs.close()

    assert await away(piece) == [7, 7, 7, asyncio.get_running_loop()]


@both_loops
async def test_the_loop_itself_runs_a_coroutine_for_a_thread_that_waits(away: Away) -> None:
    def piece() -> list[Any]:
        task = asyncio.create_task(value())
        loop = asyncio.get_running_loop()
        return [loop.run_until_complete(task), loop.run_until_complete(value())]

    assert await away(piece) == [(7, threading.get_ident())] * 2
    with pytest.raises(RuntimeError, match="--loop asyncio"):
        asyncio.get_running_loop().run_until_complete(value())


@both_loops
async def test_packages_that_refuse_a_running_loop_see_none(away: Away) -> None:
    module: dict[str, Any] = {"__name__": "django.utils.asyncio", "asyncio": asyncio}
    exec("def is_inside():\n    return asyncio.get_running_loop()", module)
    with pytest.raises(RuntimeError, match=r"^no running event loop$"):
        await away(module["is_inside"])


@both_loops
async def test_without_the_setting_the_error_names_it(away: Any) -> None:
    with pytest.raises(RuntimeError, match=r"no running event loop.*running-loop"):
        await away(asyncio.get_running_loop, is_running=False)


@both_loops
async def test_nobody_waits_for_a_piece_that_holds_a_thread(away: Away) -> None:
    free = threading.Event()
    held = asyncio.create_task(away(lambda: (asyncio.create_task(value()), free.wait(5))))
    began = time.monotonic()
    assert (await (await away(lambda: asyncio.create_task(value()))))[0] == 7
    assert time.monotonic() - began < 1
    free.set()
    task, is_free = await held
    assert is_free
    assert (await task)[0] == 7


class ForeignLoop(asyncio.SelectorEventLoop):
    """As loops that are not written in Python: their class can't be changed."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "__class__":
            raise TypeError("__class__ assignment only supported for mutable types")
        super().__setattr__(name, value)


def test_a_loop_that_can_not_be_lent_stays_as_it_is(away: Away) -> None:
    async def main() -> None:
        assert await away(lambda: 5) == 5
        with pytest.raises(RuntimeError, match="no running event loop"):
            await away(asyncio.get_running_loop)
        assert type(asyncio.get_running_loop()) is ForeignLoop

    with asyncio.Runner(loop_factory=ForeignLoop) as runner:
        runner.run(main())


@both_loops
async def test_only_the_loops_own_thread_runs_on_it(away: Away) -> None:
    loop = asyncio.get_running_loop()
    assert is_current(loop)
    assert not await away(lambda: is_current(loop))


@both_loops
async def test_a_thread_waits_for_what_it_has_scheduled(away: Any) -> None:
    loop = asyncio.get_running_loop()
    for is_running in (True, False):
        both = await away(lambda: await_on(loop, asyncio.gather(value(), value())), is_running)
        assert both == [(7, threading.get_ident())] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@both_loops
async def test_in_a_forked_child_no_loop_runs(away: Away) -> None:
    def piece() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of threads
            child = os.fork()
        if not child:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                os._exit(7)
            os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert await away(piece) == 7


@both_loops
async def test_a_task_that_only_the_loop_has_made_is_nobodys(away: Away) -> None:
    tasks, loop = AppTasks(lambda error: None), asyncio.get_running_loop()
    library: dict[str, Any] = {"asyncio": asyncio}
    code = "def submit(loop): return asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop)"
    exec(compile(code, json.__file__, "exec"), library)

    def piece() -> Any:
        owner.set(tasks)
        return library["submit"](loop)

    future = await away(partial(contextvars.Context().run, piece))
    await asyncio.sleep(0.001)
    assert not tasks
    future.cancel()


@both_loops
async def test_a_session_s_code_sees_only_its_own_tasks_of_the_loop(away: Away) -> None:
    tasks, others = AppTasks(lambda error: None), asyncio.create_task(asyncio.sleep(60))

    async def cancel_all() -> int:
        found = asyncio.all_tasks()
        assert asyncio.current_task() in found
        rest = found - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.wait(rest, timeout=5)
        return len(rest)

    def piece() -> Any:
        owner.set(tasks)
        own = asyncio.create_task(asyncio.sleep(60))
        assert asyncio.all_tasks() == asyncio.tasks.all_tasks(asyncio.get_running_loop()) == {own}
        assert asyncio.run(cancel_in_loop_of_its_own()) == 1
        return asyncio.create_task(cancel_all())

    async def cancel_in_loop_of_its_own() -> int:
        asyncio.create_task(asyncio.sleep(60))  # noqa: RUF006 - it is cancelled at once
        return await cancel_all()

    assert await (await away(partial(contextvars.Context().run, piece))) == 1
    assert not others.done()
    assert others in asyncio.all_tasks()
    others.cancel()


@pytest.mark.parametrize("kind", ["asyncio", "auto"])
@pytest.mark.parametrize("is_servers", [True, False])
def test_a_session_s_code_can_not_stop_the_server_s_loop(
    kind: str, is_servers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop(kind) if is_servers else asyncio.new_event_loop()

    async def main() -> None:
        lend(loop)
        context = contextvars.Context()
        context.run(owner.set, AppTasks(lambda error: None))
        context.run(loop.stop)
        await asyncio.sleep(0.01)

    try:
        if is_servers:
            loop.run_until_complete(main())
        else:
            with pytest.raises(RuntimeError, match="stopped before"):
                loop.run_until_complete(main())
    finally:
        close_loop(loop)
    assert ("can't stop the event loop" in caplog.text) == is_servers


@pytest.mark.parametrize("kind", ["asyncio", "auto"])
def test_a_session_s_code_can_not_change_how_the_server_s_loop_works(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop(kind)

    def change() -> None:
        owner.set(AppTasks(lambda error: None))
        loop.set_task_factory(lambda loop, coroutine, **options: 1 / 0)  # type: ignore[arg-type]
        loop.set_exception_handler(lambda loop, context: None)

    async def main() -> None:
        lend(loop)
        contextvars.Context().run(change)
        await asyncio.create_task(asyncio.sleep(0))

    try:
        loop.run_until_complete(main())
        assert loop.get_task_factory() is None
        assert loop.get_exception_handler() is None
    finally:
        close_loop(loop)
    assert [record.getMessage().partition(": ")[2].partition(" of the")[0] for record in caplog.records] == [
        "an app's code can't set the task factory", "an app's code can't set the exception handler"]


class OfNestAsyncio(asyncio.SelectorEventLoop):
    """A loop as nest_asyncio leaves it."""

    _nest_patched = True

    def run_until_complete(self, future: Any) -> Any:
        return "nested" if self.is_running() else super().run_until_complete(future)


def test_what_a_loop_could_do_before_it_still_can() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        lend(loop)
        return loop.run_until_complete(value())

    with warnings.catch_warnings(), asyncio.Runner(loop_factory=OfNestAsyncio) as runner:
        warnings.simplefilter("ignore")  # the coroutine is not awaited
        assert runner.run(main()) == "nested"


def test_a_loop_that_does_not_run_is_as_it_was() -> None:
    made: list[Any] = []

    def make(loop: Any, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop = asyncio.new_event_loop()
    lend(loop)
    loop.set_task_factory(make)
    read, write = os.pipe()
    try:
        coroutine = value()
        assert loop.run_until_complete(coroutine)[0] == 7
        loop.add_reader(read, print)
        assert made == [coroutine]
        assert loop.remove_reader(read)
        assert not loop.remove_reader(read)
    finally:
        loop.close()
        os.close(read)
        os.close(write)


def test_lazy_modules_stay_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise AssertionError("it is loaded")

    monkeypatch.setitem(sys.modules, "lazy_one", Lazy("lazy_one"))
    install()

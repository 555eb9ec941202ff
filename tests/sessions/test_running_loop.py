"""Tasks of an app's code: of the server's loop, in the session's context, and ended with their session."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import ButtonClick
from bokeh.io import curdoc
from bokeh.models.widgets import Button, Div
from tests.support.session_client import Open

from hotshoe.apps import Hooks, Request
from hotshoe.base.errors import UnlockedChangeError
from hotshoe.base.lent_loop import install, lend
from hotshoe.base.threads import ThreadPool
from hotshoe.sessions import Registry

MakeRegistry = Callable[..., Registry]


@pytest.fixture(autouse=True)
async def _lent(pool: ThreadPool | None) -> None:
    install()
    lend(asyncio.get_running_loop())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)



async def test_a_task_of_a_script_runs_with_its_document_and_may_schedule_changes(open_session: Open) -> None:
    found: list[Any] = []

    def script(document: Document) -> None:
        async def later() -> None:
            found.extend([curdoc(), name, threading.get_ident()])
            document.add_next_tick_callback(lambda: setattr(div, "text", "from task"))

        asyncio.create_task(later())  # noqa: RUF006 - the session keeps it
        name = "defined after the task was made"
        div = Div()
        document.add_root(div)

    session = await open_session(script)
    await until(lambda: session.document.roots[0].text == "from task")  # type: ignore[attr-defined]
    assert found == [session.document, "defined after the task was made", threading.get_ident()]


async def test_a_task_is_told_that_its_change_is_unlocked(open_session: Open) -> None:
    errors: list[BaseException] = []

    def click(event: Any) -> None:
        async def later() -> None:
            try:
                div.text = "unlocked"
            except UnlockedChangeError as error:
                errors.append(error)

        asyncio.create_task(later())  # noqa: RUF006 - the session keeps it

    div, button = Div(), Button()
    button.on_click(click)
    session = await open_session(lambda document: document.add_root(div))
    await session.run(lambda: click(None))
    await until(lambda: errors)
    assert "add_next_tick_callback" in str(errors[0])


async def test_tasks_end_with_their_session_before_its_modules_are_emptied(make_registry: MakeRegistry) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            seen.append("task ended")

    def script(document: Document) -> None:
        asyncio.create_task(work())  # noqa: RUF006 - the session keeps it
        document.on_session_destroyed(lambda context: seen.append("hook"))

    registry = make_registry(script)
    session = await registry.open("session-1", Request(), {})
    await until(lambda: len(session.tasks) == 1)
    async with asyncio.timeout(5):
        assert await registry.end("session-1")
    assert seen == ["hook", "task ended"]
    assert not session.tasks


async def test_what_tasks_start_while_they_end_ends_too(make_registry: MakeRegistry) -> None:
    seen: list[str] = []

    async def sleep(name: str, delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            seen.append(f"{name} done")
        except asyncio.CancelledError:
            seen.append(f"{name} cancelled")

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            asyncio.create_task(sleep("left behind", 60))  # noqa: RUF006 - the session keeps it
            await asyncio.create_task(sleep("cleanup", 0.01))

    registry = make_registry(lambda document: asyncio.create_task(work()) and None)
    session = await registry.open("session-1", Request(), {})
    await until(lambda: len(session.tasks) == 1)
    async with asyncio.timeout(5):
        assert await registry.end("session-1")
    assert seen == ["cleanup done", "left behind cancelled"]
    late = session.tasks.new(asyncio.get_running_loop(), sleep("late", 60), {})
    with pytest.raises(asyncio.CancelledError):
        await late
    assert not session.tasks


async def test_a_task_that_does_not_end_does_not_keep_the_session(
    make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await free.wait()

    monkeypatch.setattr("hotshoe.sessions.lifecycle.TASKS_S", 0.05)
    registry = make_registry(lambda document: asyncio.create_task(stubborn()))
    session = await registry.open("session-1", Request(), {})
    await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        assert await registry.end("session-1")
    assert session.tasks
    assert "1 of its tasks still run" in caplog.text
    free.set()
    await until(lambda: not session.tasks)


async def test_tasks_that_a_library_makes_for_itself_live_on(open_session: Open) -> None:
    library: dict[str, Any] = {"__name__": "library", "asyncio": asyncio}
    exec(compile("def connect(): return asyncio.create_task(asyncio.sleep(60))", json.__file__, "exec"), library)
    library_task: list[asyncio.Task[None]] = []
    session = await open_session(lambda document: library_task.append(library["connect"]()))
    assert not session.tasks
    await session.tasks.end(1)
    assert not library_task[0].done()
    library_task[0].cancel()


async def test_the_error_of_a_task_is_logged_with_its_session(
    open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError("from a task")

    await open_session(lambda document: asyncio.create_task(fail()) and None)
    await until(lambda: "from a task" in caplog.text)
    assert "in a task of app /app, session" in caplog.text
    assert "never retrieved" not in caplog.text


async def test_the_error_of_a_task_that_is_awaited_is_its_waiters(
    open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError("from a task")

    caught: list[BaseException] = []

    async def callback() -> None:
        try:
            await asyncio.create_task(fail())
        except ValueError as error:
            caught.append(error)

    session = await open_session(lambda document: document.add_next_tick_callback(callback))
    await until(lambda: caught)
    await session.run(lambda: None)
    assert "from a task" not in caplog.text


async def test_a_task_of_an_async_callback_has_the_lock_while_the_callback_is_awaited(open_session: Open) -> None:
    div = Div()

    async def change(text: str) -> None:
        div.text += text

    async def callback() -> None:
        await asyncio.gather(change("a"), change("b"))

    session = await open_session(lambda document: document.add_root(div))
    await session.run(callback)
    assert div.text == "ab"


async def test_a_callback_that_returns_a_task_does_not_wait_for_it(open_session: Open) -> None:
    button = Button()
    button.on_click(lambda: asyncio.create_task(asyncio.sleep(60)))  # type: ignore[arg-type]
    session = await open_session(lambda document: document.add_root(button))
    await session.run(lambda: button._trigger_event(ButtonClick(button)))
    async with asyncio.timeout(5):
        await session.run(lambda: None)
    assert len(session.tasks) == 1


async def test_hooks_make_tasks(make_registry: MakeRegistry) -> None:
    seen: list[str] = []

    async def note(text: str) -> None:
        seen.append(text)

    hooks = Hooks(session_created=lambda context: asyncio.create_task(note("created")) and None,
                  session_destroyed=lambda context: asyncio.get_running_loop().call_soon(seen.append, "destroyed"))
    registry = make_registry(lambda document: None, hooks)
    await registry.open("session-1", Request(), {})
    await until(lambda: seen == ["created"])
    await registry.end("session-1")
    await until(lambda: seen == ["created", "destroyed"])

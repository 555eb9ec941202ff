from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from tests.support.session_client import Attach, Open

from hotshoe.base.tasks import Deadline
from hotshoe.sessions import Registry, Session, locked_callback


@pytest.fixture
def div() -> Div:
    return Div(text="")


@pytest.fixture
async def session(open_session: Open, div: Div) -> Session:
    return await open_session(lambda document: document.add_root(div))


async def settled(callback: Any) -> None:
    async with asyncio.timeout(10):
        while callback.pending:
            await asyncio.sleep(0.002)


async def test_every_call_from_any_thread_runs_in_order(session: Session, div: Div, attach: Attach) -> None:
    client = await attach(session)

    @locked_callback(session.document)
    def append(text: str, *, end: str = "") -> None:
        div.text += text + end

    thread = threading.Thread(target=lambda: [append(letter) for letter in "abcdef"])
    thread.start()
    thread.join()
    append("g", end="!")
    await settled(append)
    assert div.text == "abcdefg!"
    told = ""
    while told != "abcdefg!":
        _, _, content, _ = await client.next()
        told = content["events"][-1]["new"]


async def test_latest_keeps_one_call_waiting(session: Session) -> None:
    ran: list[int] = []
    release = asyncio.Event()

    async def blocks() -> None:
        await release.wait()

    blocked = asyncio.create_task(session.run(blocks))
    await asyncio.sleep(0.01)
    callback = locked_callback(session.document, ran.append, policy="latest")
    for index in range(10):
        callback(index)
    release.set()
    await blocked
    await settled(callback)
    assert ran == [9]


async def test_a_coroutine_function_keeps_the_lock(session: Session, div: Div) -> None:
    @locked_callback(session.document)
    async def slow(text: str) -> None:
        before = div.text
        await asyncio.sleep(0.005)
        div.text = before + text

    for letter in "abc":
        slow(letter)
    await settled(slow)
    assert div.text == "abc"


async def test_a_failing_call_is_reported_and_the_next_one_runs(
    session: Session, div: Div, caplog: pytest.LogCaptureFixture
) -> None:
    @locked_callback(session.document)
    def divide(by: int) -> None:
        div.text = str(1 / by)

    divide(0)
    divide(1)
    await settled(divide)
    assert div.text == "1.0"
    assert "ZeroDivisionError" in caplog.text


async def test_it_closes_with_its_session(session: Session, registries: list[Registry]) -> None:
    ran: list[int] = []
    callback = locked_callback(session.document, ran.append)
    await registries[0].close(Deadline(1))
    assert callback.closed
    callback(1)
    assert not callback.pending
    assert ran == []


async def test_wrong_use_says_what_is_wrong(session: Session) -> None:
    with pytest.raises(ValueError, match="'every' or 'latest'"):
        locked_callback(session.document, print, policy="never")  # type: ignore[call-overload]
    with pytest.raises(RuntimeError, match="hotshoe serves"):
        locked_callback(Document(), print)

"""Events between Tornado and the app: order, room, and an end that does not pass."""

from __future__ import annotations

import asyncio

from hotshoe.integrations.tornado.inbox import Inbox


async def test_events_come_in_order_and_the_end_stays() -> None:
    inbox = Inbox()
    await inbox.put({"type": "first"})
    await inbox.put({"type": "second"})
    inbox.end({"type": "end"})
    inbox.end({"type": "another end"})
    assert [(await inbox.get())["type"] for _ in range(4)] == ["first", "second", "end", "end"]


async def test_who_writes_waits_for_room() -> None:
    inbox = Inbox(1)
    await inbox.put({"type": "first"})
    second = asyncio.create_task(inbox.put({"type": "second"}))
    await asyncio.sleep(0.01)
    assert not second.done()
    assert (await inbox.get())["type"] == "first"
    await second
    assert (await inbox.get())["type"] == "second"


async def test_the_end_lets_the_writer_go() -> None:
    inbox = Inbox(1)
    await inbox.put({"type": "first"})
    waiting = asyncio.create_task(inbox.put({"type": "never read"}))
    await asyncio.sleep(0)
    inbox.end({"type": "end"})
    await waiting
    await inbox.put({"type": "too late"})
    assert [(await inbox.get())["type"] for _ in range(2)] == ["first", "end"]


async def test_who_reads_waits_for_the_end() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.end({"type": "end"})
    assert (await reading)["type"] == "end"

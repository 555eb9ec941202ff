from __future__ import annotations

import asyncio
import threading

import pytest

import hotshoe.sessions.outbox as outbox_module
from hotshoe.sessions.outbox import Outbox
from hotshoe.wire import Close


def message(text: str) -> tuple[bytes, ...]:
    return (b"{}", b"{}", text.encode())


async def test_messages_keep_their_order_and_come_together() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    outbox.put([message("a"), message("b")])
    outbox.put([message("c")])
    assert await outbox.receive() == [message("a"), message("b"), message("c")]


async def test_what_waits_is_sent_before_the_close_and_nothing_after() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    outbox.put([message("a")])
    outbox.close(1001, "bye")
    outbox.put([message("late")])
    outbox.close(1011, "second")
    assert await outbox.receive() == [message("a")]
    assert await outbox.receive() == Close(1001, "bye")
    assert await outbox.receive() == Close(1001, "bye")


async def test_no_message_is_lost_between_threads() -> None:
    outbox = Outbox(asyncio.get_running_loop())

    def put() -> None:
        for index in range(500):
            outbox.put([message(str(index))])

    thread = threading.Thread(target=put)
    thread.start()
    received: list[bytes] = []
    async with asyncio.timeout(10):
        while len(received) < 500:
            batch = await outbox.receive()
            assert isinstance(batch, list)
            received += [bytes(fragments[2]) for fragments in batch]
    thread.join()
    assert received == [str(index).encode() for index in range(500)]


async def test_putting_nothing_wakes_nobody() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    outbox.put([])
    waiting = asyncio.create_task(outbox.receive())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    outbox.put([message("a")])
    assert await waiting == [message("a")]


async def test_it_says_when_too_much_waits_and_when_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "WAITING_BYTES_MOST", 100)
    outbox = Outbox(asyncio.get_running_loop())
    assert not outbox.put([message("a" * 50)])
    assert outbox.put([message("b" * 50)])
    assert outbox.is_over
    assert not outbox.drain()
    await outbox.receive()
    assert outbox.is_over
    assert outbox.drain()
    assert not outbox.is_over
    assert outbox.is_drained
    assert not outbox.drain()
    outbox.put([message("c")])
    assert not outbox.is_drained

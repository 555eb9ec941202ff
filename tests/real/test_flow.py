"""A viewer that stops reading costs the server nothing and its neighbour nothing, and catches up at once."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.differential.conversations import connect, model_of, new_token
from tests.support.raw_websocket import WebSocket
from tests.support.server_process import serve
from tests.support.size import full_size
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.alone]

APP = Path(__file__).parent / "apps" / "firehose.py"
SETTLED = 6 * 10**6
"""Bytes until a stream has settled: pools, caches, the socket's own buffers."""
STALLED = (60 if full_size() else 15) * 10**6
"""Bytes that one viewer reads while the other does not: at 2 MB/s for half a minute, or a few seconds."""
STALL_MOST_S = 120.0
"""A busy machine streams less than 2 MB/s, but it gets there."""
MEMORY_MOST = 5 * 10**6


class Neighbour(threading.Thread):
    """Reads all the time; keeps the beats it has seen and the longest time between two messages."""

    def __init__(self, socket: WebSocket, beat: str) -> None:
        super().__init__(daemon=True)
        self._socket, self._beat = socket, beat
        self.beats: list[int] = []
        self.longest_s = 0.0
        self.bytes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        last_s = time.monotonic()
        while not self._ended.is_set():
            _, _, content, buffers = self._socket.next()
            now_s = time.monotonic()
            self.longest_s, last_s = max(self.longest_s, now_s - last_s), now_s
            self.bytes += sum(len(data) for _, data in buffers)
            self.beats += beats_of(content, self._beat)

    def end(self) -> None:
        self._ended.set()
        self.join(10)


def beats_of(content: Any, beat: str) -> list[int]:
    return [event["new"] for event in content.get("events", ()) if event.get("model", {}).get("id") == beat]


def test_a_viewer_that_stops_reading_costs_nobody_anything() -> None:
    with serve(APP) as server, ExitStack() as stack:
        token = new_token()
        steady, slow = (stack.enter_context(connect(server.port, "/firehose/ws", token=token, timeout_s=20.0))
                        for _ in range(2))
        document = steady.pull()
        slow.pull()
        beat = model_of(document, "beat")["id"]
        process = psutil.Process(server.process.pid)
        neighbour = Neighbour(steady, beat)
        neighbour.start()
        wait_until(lambda: neighbour.bytes > SETTLED, STALL_MOST_S)
        before, first = process.memory_info().rss, neighbour.beats[-1]
        wait_until(lambda: neighbour.bytes > SETTLED + STALLED, STALL_MOST_S)
        grown = process.memory_info().rss - before
        assert grown < MEMORY_MOST
        assert neighbour.beats == list(range(neighbour.beats[0], neighbour.beats[-1] + 1)), "a beat was lost"
        assert neighbour.longest_s < 5, "a stall of the slow one lasts longer"

        current = neighbour.beats[-1]
        read_again_s, messages = time.monotonic(), 0
        while not any(number >= current for number in beats_of(slow.next()[2], beat)):
            messages += 1
        assert messages < (current - first) / 2, "it was sent what it had missed"
        assert time.monotonic() - read_again_s < 10
        neighbour.end()

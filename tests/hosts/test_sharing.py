"""A host's settings for sharing threads."""

from __future__ import annotations

import asyncio
import threading

import pytest
from bokeh.document import Document
from tests.support.waiting import until

from hotshoe.apps import App, Request
from hotshoe.auth import User
from hotshoe.config import Settings
from hotshoe.hosts.host import OpenRequest
from hotshoe.hosts.inline import InlineHost


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (3, 3), (0, 4)])
async def test_as_many_callbacks_of_a_user_compute_as_the_setting_says(most: int, expected: int) -> None:
    stop, begun, ended = threading.Event(), list[int](), list[int]()

    def compute() -> None:
        begun.append(1)
        while not stop.is_set():
            sum(range(1000))
        ended.append(1)

    def build(document: Document) -> None:
        document.add_timeout_callback(compute, 1)

    host = InlineHost({"/app": App(build=build)}, Settings(threads=8, max_computing_per_user=most))
    await host.start()
    try:
        ada = Request(user=User("ada"))
        openings = [asyncio.create_task(host.open(OpenRequest("/app", ada, str(number)))) for number in range(4)]
        await until(lambda: len(begun) == expected, 60)
        async with asyncio.timeout(60):
            await host.open(OpenRequest("/app", Request(user=User("bob")), "bob"))
        await until(lambda: len(begun) == expected + 1, 60)
        stop.set()
        await asyncio.gather(*openings)
        await until(lambda: len(ended) == 5, 60)
    finally:
        stop.set()
        await host.stop()


async def test_with_one_thread_no_two_callbacks_run_at_once() -> None:
    release, order = threading.Event(), list[str]()

    def build(document: Document) -> None:
        order.append("begun")
        release.wait(60)
        order.append("done")

    host = InlineHost({"/app": App(build=build)}, Settings(threads=1))
    await host.start()
    try:
        openings = [asyncio.create_task(host.open(OpenRequest("/app", Request(), str(number)))) for number in range(3)]
        await until(lambda: order == ["begun"], 60)
        await asyncio.sleep(0.3)
        release.set()
        await asyncio.gather(*openings)
        assert order == ["begun", "done"] * 3
    finally:
        await host.stop()

"""The hooks of the server's life: those that ran at its start have their counterpart run, and none keeps it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from bokeh.document import Document
from tests.support.hosts import MakeHost

from hotshoe.apps import App, Hooks
from hotshoe.base.errors import InternalError


def empty(document: Document) -> None:
    """There is nothing to see."""


async def test_what_has_been_loaded_before_a_failure_is_unloaded(make: MakeHost) -> None:
    seen: list[str] = []

    def hooks(name: str) -> Hooks:
        return Hooks(server_loaded=lambda context: fail() if name == "b" else seen.append(f"load {name}"),
                     server_unloaded=lambda context: seen.append(f"unload {name}"))

    def fail() -> None:
        raise OSError("no database")

    others = set(threading.enumerate())
    host = await make({f"/{name}": App(build=empty, hooks=hooks(name)) for name in "abc"}, started=False)
    with pytest.raises((OSError, InternalError)):
        await host.start()
    assert seen == ["load a", "unload a"]
    async with asyncio.timeout(20):
        while set(threading.enumerate()) - others:
            await asyncio.sleep(0.01)


async def test_a_hook_that_is_stuck_leaves_time_for_the_others(
    make: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    release = threading.Event()
    stuck = App(build=empty, hooks=Hooks(server_unloaded=lambda context: release.wait(20)))
    other = App(build=empty, hooks=Hooks(server_unloaded=lambda context: seen.append("unload")))
    host = await make({"/stuck": stuck, "/other": other}, threads=4)
    began_s = time.monotonic()
    try:
        await host.stop(grace_s=1.0)
        assert time.monotonic() - began_s < 5
    finally:
        release.set()
    assert seen == ["unload"]
    assert "on_server_unloaded of app /stuck has not ended" in caplog.text


async def test_a_hook_that_fails_or_exits_is_logged(make: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def leave(context: object) -> None:
        raise SystemExit(3)

    hooks = (Hooks(server_unloaded=lambda context: 1 / 0), Hooks(server_unloaded=leave),
             Hooks(server_unloaded=lambda context: seen.append("unload")))
    apps = {f"/{number}": App(build=empty, hooks=each) for number, each in enumerate(hooks)}
    host = await make(apps)
    await host.stop()
    assert seen == ["unload"]
    assert "on_server_unloaded of app /0 failed" in caplog.text
    assert "on_server_unloaded of app /1 failed" in caplog.text

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from hotshoe.server.loops import (
    SWITCH_INTERVAL_S,
    StopSignals,
    close_loop,
    new_loop,
    run_to_end,
    short_switch_interval,
)


def test_closing_cancels_and_does_not_wait_for_threads() -> None:
    loop, release, ends = new_loop(), threading.Event(), []

    async def work() -> None:
        try:
            await asyncio.to_thread(release.wait, 20)
        finally:
            ends.append("cancelled")

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        return task

    task = loop.run_until_complete(begin())
    started = time.monotonic()
    close_loop(loop)
    release.set()
    assert time.monotonic() - started < 10
    assert loop.is_closed()
    assert task.cancelled()
    assert ends == ["cancelled"]


def test_the_switch_interval_comes_back() -> None:
    before = sys.getswitchinterval()
    with short_switch_interval(True):
        assert abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6
    with short_switch_interval(False):
        assert sys.getswitchinterval() == before
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize("make", [asyncio.new_event_loop, new_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_an_app_s_tasks_raise_does_not_end_the_loop(
    make: Callable[[], asyncio.AbstractEventLoop], error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    loop = make()

    async def fail() -> None:
        raise error

    async def serve() -> str:
        loop.call_soon(lambda: (_ for _ in ()).throw(error()))
        failing = [asyncio.create_task(fail()) for _ in range(3)]
        await asyncio.wait(failing)
        assert [type(task.exception()) for task in failing] == [error] * 3
        with pytest.raises(error):
            await asyncio.gather(*[asyncio.create_task(fail()) for _ in range(2)])
        return "served"

    try:
        assert run_to_end(loop, loop.create_task(serve())) == "served"
    finally:
        close_loop(loop)
    assert error.__name__ in caplog.text


def test_the_loop_ends_by_what_its_own_task_raises_and_when_it_must() -> None:
    loop = new_loop()

    async def fail() -> None:
        raise SystemExit(3)

    async def serve() -> None:
        loop.create_task(fail()).add_done_callback(lambda task: task.exception())
        await asyncio.sleep(60)

    try:
        with pytest.raises(SystemExit):
            run_to_end(loop, loop.create_task(fail()))
        with pytest.raises(SystemExit):
            run_to_end(loop, loop.create_task(serve()), lambda: True)
    finally:
        close_loop(loop)


def test_a_task_that_exits_when_it_is_cancelled_does_not_stop_the_closing() -> None:
    loop = new_loop()

    async def exit_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            sys.exit(3)

    async def begin() -> None:
        for _ in range(3):
            asyncio.create_task(exit_when_cancelled())  # noqa: RUF006 - closing the loop finds it
        await asyncio.sleep(0.01)

    loop.run_until_complete(begin())
    close_loop(loop)
    assert loop.is_closed()


def test_a_replaced_handler_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caught: list[signal.Signals] = []
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals(caught.append) as signals:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signals.restore()
        assert "SIGTERM" in caplog.text
        signal.raise_signal(signal.SIGTERM)
        assert caught == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signals.restore()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "the server stops: others have set it"
        assert not signals.is_forced
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process of its own")
def test_closed_standard_descriptors_lead_nowhere() -> None:
    code = """
import os, socket
from hotshoe.server.loops import fill_descriptors
report = os.dup(1)
for descriptor in (0, 1, 2):
    os.close(descriptor)
fill_descriptors()
connection = socket.socket()
print("to nobody")
os.write(report, b"%d" % (connection.fileno() > 2))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert result.stdout == b"1"

"""Thousands of sessions, in every way that one can end: nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from tests.support.hosts import host_of, join, open_session
from tests.support.size import full_size

from hotshoe.base.errors import BuildError, SessionGone
from hotshoe.config import Settings
from hotshoe.hosts.app_threads import SPARE
from hotshoe.hosts.host import AsPage, Host
from hotshoe.hosts.inline import InlineHost
from hotshoe.wire import Close, Incoming

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NOISE_BYTES = 20 * 2**20
NOISE_OBJECTS = 2000

APP = """
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

slider = Slider(start=0, end=10, value=0, step=1, name="slider")
source = ColumnDataSource({"x": list(range(100))})
slider.on_change("value", lambda attr, old, new: source.stream({"x": [new]}))
for root in (slider, source, Div(text="x")):
    curdoc().add_root(root)
curdoc().add_periodic_callback(lambda: None, 60_000)
"""

RAISES = APP + "raise ValueError('on purpose')\n"


class Ledger:
    """What the process holds."""

    def __init__(self) -> None:
        for _ in range(3):
            gc.collect()
        process = psutil.Process()
        self.objects = len(gc.get_objects())
        self.bytes = process.memory_info().rss
        self.files = process.num_fds()
        self.threads = threading.active_count()
        self.modules = {name for name in sys.modules if name.startswith("bokeh_app")}


Visit = Callable[[Host, str], Awaitable[None]]


async def use(host: Host, session_id: str) -> None:
    """A page, a socket, a document, and off."""
    while True:
        try:
            return await _use(host, session_id)
        except SessionGone:  # on a busy machine a lease can end before the page connects
            continue


async def _use(host: Host, session_id: str) -> None:
    await open_session(host, "/app", session_id, view=AsPage())
    attachment = await join(host, "/app", session_id)
    attachment.handle(Incoming("m", "PULL-DOC-REQ", b"{}"))
    answered = False
    while not answered:
        received = await attachment.receive()
        assert not isinstance(received, Close)
        answered = any(b"PULL-DOC-REPLY" in bytes(fragments[0]) for fragments in received)
    attachment.detach()


async def look(host: Host, session_id: str) -> None:
    """A page that is never connected."""
    await open_session(host, "/app", session_id, view=AsPage())


async def fail(host: Host, session_id: str) -> None:
    """An app that raises."""
    with pytest.raises(BuildError):
        await open_session(host, "/raises", session_id)


async def visits(host: Host, visit: Visit, count: int) -> None:
    for start in range(0, count, 200):
        await asyncio.gather(*(visit(host, f"{visit.__name__}-{start + index}") for index in range(min(200, count))))
        await quiet(host)


async def quiet(host: Host) -> None:
    """All sessions have expired."""
    async with asyncio.timeout(60):
        while sum((await host.statistics()).sessions.values()):
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(("kind", "threads"), [("inline", 16), ("inline", 0), ("loopback", 16)],
                         ids=["threads", "loop", "behind bytes"])
async def test_nothing_is_left_of_thousands_of_sessions(kind: str, threads: int, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.py" for name in ("app", "raises")}
    paths["app"].write_text(APP)
    paths["raises"].write_text(RAISES)
    settings = Settings(
        threads=threads, check_unused_sessions_milliseconds=20, unused_session_lifetime_milliseconds=400)
    others = Ledger().modules  # other tests of this process may have left some
    host = host_of(kind, InlineHost({f"/{name}": path for name, path in paths.items()}, settings))
    await host.start()
    for visit in (use, look, fail):
        await visits(host, visit, 200)
    before, tasks = Ledger(), asyncio.all_tasks()
    most = 10_000 if kind == "inline" and threads else 2_000
    # A leak of one object each is more than the noise.
    counts = (most, 1_000, 300) if full_size() else (1_700, 500, 300)
    for visit, count in zip((use, look, fail), counts, strict=True):
        await visits(host, visit, count)
    after = Ledger()
    assert after.modules | before.modules <= others
    assert after.objects - before.objects < NOISE_OBJECTS
    assert after.bytes - before.bytes < NOISE_BYTES
    assert after.files <= before.files
    assert after.threads <= before.threads + (1 + SPARE) * threads + 1  # one writes the log
    assert asyncio.all_tasks() <= tasks
    await host.stop()

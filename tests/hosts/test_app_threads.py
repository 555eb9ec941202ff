"""The thread of an app's code: any of the pool, one of its own, or the event loop's."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document, without_document_lock
from tests.support.hosts import join, open_session, until_empty

from hotshoe.apps import App, Hooks
from hotshoe.base.errors import AppError, BuildError
from hotshoe.config import Settings
from hotshoe.hosts import watch
from hotshoe.hosts.app_threads import AppThreads
from hotshoe.hosts.inline import InlineHost
from hotshoe.sessions import FailureInfo, Session, on_exception

MakeInline = Callable[..., Awaitable[InlineHost]]
HERE = threading.get_ident


@pytest.fixture
async def make() -> AsyncIterator[MakeInline]:
    """Make and start a host."""
    hosts: list[InlineHost] = []

    async def make(targets: Any, *, reloads: bool = False, **options: Any) -> InlineHost:
        host = InlineHost(targets, Settings(**options), reloads=reloads)
        hosts.append(host)
        await host.start()
        return host

    yield make
    for host in hosts:
        await host.stop(2)


@pytest.fixture
def failures() -> Iterator[list[BaseException]]:
    """What apps raise."""
    seen: list[BaseException] = []

    def note(error: BaseException, failure: FailureInfo) -> None:
        seen.append(error)

    remove = on_exception(note)
    yield seen
    remove()


class Stop:
    """A callback that is stuck until it is released."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self.release.wait(10)


async def session_of(host: InlineHost, app: str = "/app", name: str = "one") -> Session:
    await open_session(host, app, name)
    session = host._registries[app].get(name)
    assert session is not None
    return session


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


APP = {
    "seen_threads.py": "import threading\nseen = []\n"
                       "def note(place):\n    seen.append((place, threading.get_ident()))\n",
    "app/__init__.py": "import seen_threads\nseen_threads.note('package')\n",
    "app/app_hooks.py": "from seen_threads import note\nnote('hooks')\n" + "".join(
        f"def {hook}({argument}):\n    note('{hook}')\n    return None\n" for hook, argument in {
            "on_server_loaded": "server_context", "on_server_unloaded": "server_context",
            "on_session_created": "session_context", "on_session_destroyed": "session_context",
            "process_request": "request"}.items()),
    "app/main.py": """
from bokeh.io import curdoc
from bokeh.document import without_document_lock
from bokeh.models import Slider
from seen_threads import note
note('script')
document, slider = curdoc(), Slider(start=0, end=9, name="slider")
slider.on_change("value", lambda attr, old, new: note("callback"))
document.add_root(slider)
document.on_session_destroyed(lambda session_context: note("destroyed"))
document.add_next_tick_callback(lambda: note("next tick"))
document.add_timeout_callback(lambda: note("timeout"), 1)
document.add_next_tick_callback(without_document_lock(lambda: note("unlocked")))
""",
}
PLACES = {
    "package", "hooks", "on_server_loaded", "process_request", "on_session_created", "script", "next tick", "timeout",
    "unlocked", "callback", "destroyed", "on_session_destroyed", "on_server_unloaded",
}


@pytest.mark.parametrize("thread", ["own", "loop"])
async def test_all_code_of_an_app_runs_on_one_thread(
    thread: str, make: MakeInline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in APP.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    host = await make(tmp_path / "app", app_thread={"app": thread})
    import seen_threads  # type: ignore[import-not-found]

    seen: list[tuple[str, int]] = seen_threads.seen
    try:
        for name in "abc":
            session = await session_of(host, name=name)
            slider: Any = session.document.get_model_by_name("slider")
            await session.run(partial(setattr, slider, "value", 5))
        await until(lambda: sum(place in ("next tick", "timeout", "unlocked") for place, _ in seen) == 9)
        await host.withdraw_app("/app")
    finally:
        del sys.modules["seen_threads"]
    assert {place for place, _ in seen} == PLACES
    (ident,) = {ident for _, ident in seen}
    assert (ident == HERE()) == (thread == "loop")
    if thread == "own":  # its app has been withdrawn
        await until(lambda: all(each.ident != ident for each in threading.enumerate()))


async def test_each_app_has_its_own(make: MakeInline) -> None:
    idents: dict[str, set[int]] = {"a": set(), "b": set(), "c": set()}
    host = await make({name: lambda document, name=name: idents[name].add(HERE()) for name in idents},
                      app_thread=["own", "c=loop"])
    for name in idents:
        await asyncio.gather(*(session_of(host, f"/{name}", str(number)) for number in range(4)))
    assert [len(each) for each in idents.values()] == [1, 1, 1]
    assert idents["a"].isdisjoint(idents["b"])
    assert idents["c"] == {HERE()}


async def test_own_with_no_other_threads(make: MakeInline) -> None:
    idents: dict[str, int] = {}
    host = await make({name: lambda document, name=name: idents.setdefault(name, HERE()) and None for name in "ab"},
                      threads=0, app_thread={"a": "own"})
    await session_of(host, "/a")
    await session_of(host, "/b")
    assert idents["a"] != HERE()
    assert idents["b"] == HERE()


async def test_no_thread_takes_the_place_of_one_that_is_stuck(make: MakeInline) -> None:
    stop, idents = Stop(), set[int]()
    host = await make({"app": lambda document: idents.add(HERE())}, app_thread="own")
    stuck, other = await session_of(host, name="stuck"), await session_of(host, name="other")
    waiting = asyncio.ensure_future(stuck.run(stop))
    await until(stop.begun.is_set)
    stuck.abandon()  # as when its end is forced
    later = asyncio.ensure_future(other.run(lambda: idents.add(HERE())))
    await asyncio.sleep(0.02)
    assert not later.done()
    stop.release.set()
    await asyncio.gather(waiting, later, return_exceptions=True)
    assert len(idents) == 1
    assert (await host.statistics()).threads == 1


async def test_the_server_stops_although_the_thread_is_stuck(make: MakeInline) -> None:
    stop, ended = Stop(), list[str]()
    hooks = Hooks(session_destroyed=lambda context: ended.append(context.id))
    host = await make({"app": App(lambda document: None, hooks=hooks)}, app_thread="own")
    stuck, _ = await session_of(host, name="stuck"), await session_of(host, name="other")
    waiting = asyncio.ensure_future(stuck.run(stop))
    await until(stop.begun.is_set)
    began_s = time.monotonic()
    await host.stop(0.5)
    assert time.monotonic() - began_s < 5
    assert sorted(ended) == ["other", "stuck"]
    stop.release.set()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("thread", ["own", "loop"])
async def test_sessions_take_turns(thread: str, make: MakeInline) -> None:
    host = await make({"app": lambda document: None}, app_thread=thread)
    busy, other = await session_of(host, name="busy"), await session_of(host, name="other")
    done: list[int] = []

    def work() -> None:
        time.sleep(0.005)
        done.append(1)

    for _ in range(60):
        busy.lane.run(work)
    await until(lambda: done)
    await other.run(lambda: None)
    assert len(done) < 30
    await busy.run(lambda: None)
    assert len(done) == 60


async def test_the_log_names_the_app_whose_thread_is_taken(
    make: MakeInline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "LONG_S", 0.01)
    monkeypatch.setattr("hotshoe.hosts.app_threads.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(watch._paced, "warning", partial(logging.getLogger("hotshoe.threads").warning))
    stop = Stop()
    host = await make({"app": lambda document: None}, app_thread="own")
    slow, other = await session_of(host, name="slow"), await session_of(host, name="other")
    runs = [asyncio.ensure_future(slow.run(stop))]
    await until(stop.begun.is_set)
    runs.append(asyncio.ensure_future(other.run(lambda: None)))
    text = "on the one thread of app /app (--app-thread own), and other work of the app waits for it"
    try:
        await until(lambda: any(text in each for each in caplog.messages))
    finally:
        stop.release.set()
        await asyncio.gather(*runs)


async def test_a_session_ends_on_the_thread_as_well(make: MakeInline) -> None:
    idents = set[int]()
    hooks = Hooks(session_destroyed=lambda context: idents.add(HERE()))
    host = await make({"app": App(lambda document: idents.add(HERE()), hooks=hooks)}, app_thread="own")
    await session_of(host)
    await host.close("/app", "one")
    await until_empty(host, "/app")
    assert len(idents) == 1


async def test_errors_name_the_setting(make: MakeInline, failures: list[BaseException],
                                       caplog: pytest.LogCaptureFixture) -> None:
    def build(document: Document) -> None:
        raise ValueError("signal only works in main thread of the main interpreter")

    host = await make({"app": build}, dev=True)
    with pytest.raises(BuildError) as caught:
        await open_session(host, "/app", "one")
    assert "--app-thread loop" in str(failures[0].__notes__)
    assert "--app-thread loop" in caplog.text
    assert caught.value.report is not None
    assert "--app-thread loop" in str(caught.value.report)


async def test_a_notice_in_dev_mode_names_the_setting(make: MakeInline) -> None:
    @without_document_lock
    def fail() -> None:
        raise RuntimeError("main thread is not in main loop")

    host = await make({"app": lambda document: None}, dev=True)
    session = await session_of(host)
    attachment = await join(host, "/app", "one")
    await attachment.receive()
    await session.run(lambda: session.document.add_next_tick_callback(fail))
    sent = str(await attachment.receive())
    assert "--app-thread own" in sent


@pytest.mark.parametrize("thread", ["own", "loop"])
async def test_a_reload_runs_on_the_thread(thread: str, make: MakeInline, tmp_path: Path) -> None:
    folder = tmp_path / "reloaded"
    folder.mkdir()
    hooks = "import threading\nidents = getattr(threading, 'of_test', set())\nidents.add(threading.get_ident())\n"
    (folder / "app_hooks.py").write_text(hooks)
    (folder / "main.py").write_text("")
    idents: set[int] = set()
    threading.of_test = idents  # type: ignore[attr-defined]
    host = await make(folder, app_thread=thread, dev=True, reloads=True)
    version = host.apps["/reloaded"].version
    (folder / "app_hooks.py").write_text(hooks + "idents.add(threading.get_ident())\nagain = 1\n")
    await until(lambda: host.apps["/reloaded"].version != version)
    del threading.of_test  # type: ignore[attr-defined]
    (ident,) = idents
    assert (ident == HERE()) == (thread == "loop")


@pytest.mark.parametrize(("thread", "threads"), [("own", 4), ("own", 0), ("loop", 4), ("loop", 0)])
async def test_an_app_that_is_added_is_loaded_on_the_thread(
    thread: str, threads: int, make: MakeInline, tmp_path: Path
) -> None:
    folder = tmp_path / "added"
    folder.mkdir()
    (folder / "app_hooks.py").write_text("import threading\nthreading.of_test.add(threading.get_ident())\n")
    (folder / "main.py").write_text("import threading\nthreading.of_test.add(threading.get_ident())\n")
    idents: set[int] = set()
    threading.of_test = idents  # type: ignore[attr-defined]
    host = await make({}, app_thread={"added": thread}, threads=threads)
    await host.serve_app("/added", folder)
    await session_of(host, "/added")
    del threading.of_test  # type: ignore[attr-defined]
    (ident,) = idents
    assert (ident == HERE()) == (thread == "loop")


async def test_the_loop_does_not_wait_for_the_thread_on_which_an_app_is_loaded(make: MakeInline) -> None:
    stop, began_s = Stop(), time.monotonic()
    host = await make({"app": lambda document: None}, app_thread="own", threads=0)
    session = await session_of(host)
    busy = asyncio.ensure_future(session.run(stop))
    await until(stop.begun.is_set)
    adding = asyncio.ensure_future(host.serve_app("/app", lambda document: None))
    await asyncio.sleep(0.01)
    stop.release.set()
    await asyncio.gather(busy, adding)
    assert time.monotonic() - began_s < 5


async def test_an_app_whose_thread_is_stuck_does_not_stop_others_from_being_loaded(
    make: MakeInline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotshoe.hosts.app_threads.BEGIN_S", 0.05)
    stop = Stop()
    host = await make({"app": lambda document: None}, app_thread="own")
    session = await session_of(host)
    busy = asyncio.ensure_future(session.run(stop))
    await until(stop.begun.is_set)
    with pytest.raises(AppError, match=r"/app: can't be loaded, since its thread was busy for 0.05 s"):
        await host.serve_app("/app", lambda document: None)
    await host.serve_app("/other", lambda document: None)
    stop.release.set()
    await busy
    await host.serve_app("/app", lambda document: None)


async def test_an_app_that_can_not_be_loaded_leaves_no_thread(make: MakeInline, tmp_path: Path) -> None:
    host = await make({"app": lambda document: None}, app_thread="own")
    with pytest.raises(AppError):
        await host.serve_app("/missing", tmp_path / "missing.py")
    with pytest.raises(AppError):
        InlineHost({"missing": tmp_path / "missing.py"}, Settings(app_thread=("own",)))
    await until(lambda: all(each.name != "hotshoe-app/missing" for each in threading.enumerate()))


async def test_a_name_without_an_app_is_a_warning(make: MakeInline, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"app_thread": {"sales": "own"}, "all_bundles": {"deep/er": True},
                "running_loop": {"*": "no", "app": "yes"}}
    await make({"app": lambda document: None}, **settings)
    assert [line for line in caplog.messages if " names" in line] == [
        f"No app is at {url} now, which {name} names; the apps are at /app"
        for url, name in (("/deep/er", "all-bundles"), ("/sales", "app-thread"))]


def test_threads_are_counted_while_another_thread_loads_an_app() -> None:
    threads, is_done = AppThreads(Settings(app_thread=("own",))), threading.Event()
    for number in range(200):
        threads.at(f"/{number}")

    def load() -> None:
        while not is_done.is_set():
            threads.at("/more")
            threads.forget("/more")

    loader = threading.Thread(target=load)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        loader.start()
        end_s = time.monotonic() + 0.3
        while time.monotonic() < end_s:
            assert threads.count == 0
    finally:
        is_done.set()
        sys.setswitchinterval(interval_s)
        loader.join()
        threads.close()

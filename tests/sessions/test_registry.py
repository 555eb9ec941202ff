from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from bokeh.plotting import figure
from tests.support.session_client import Attach
from tests.support.size import full_size

from hotshoe.apps import App, Hooks, Request
from hotshoe.base.errors import BuildError, RequestError, SessionGone
from hotshoe.base.tasks import Deadline
from hotshoe.base.threads import ThreadPool
from hotshoe.base.turns import TurnQueue
from hotshoe.sessions import Pulse, Registry, Surroundings

MakeRegistry = Callable[..., Registry]


def empty(document: Document) -> None:
    document.add_root(Div(text="here"))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_all_who_ask_for_one_id_get_one_session(make_registry: MakeRegistry) -> None:
    built = 0

    def build(document: Document) -> None:
        nonlocal built
        built += 1
        time.sleep(0.02)

    registry = make_registry(build)
    sessions = await asyncio.gather(*(registry.open("a", Request(), {}) for _ in range(5)))
    assert built == 1
    assert len(set(sessions)) == 1
    assert registry.sessions == [sessions[0]]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), KeyboardInterrupt(), GeneratorExit()])
async def test_an_app_that_raises_anything_leaves_nothing_and_keeps_nobody_waiting(
    error: BaseException, make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    destroyed: list[str] = []

    def build(document: Document) -> None:
        document.add_root(Div())
        raise error

    registry = make_registry(build, Hooks(session_destroyed=lambda context: destroyed.append(context.id)))
    async with asyncio.timeout(5):
        waiting = [registry.open("a", Request(), {}) for _ in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
    for result in results:
        assert isinstance(result, BuildError)
        assert result.error_id in caplog.text
    assert registry.sessions == []
    assert destroyed == ["a"]


async def test_a_script_may_end_with_a_plain_exit(make_registry: MakeRegistry) -> None:
    def build(document: Document) -> None:
        document.add_root(Div())
        sys.exit()

    session = await make_registry(build).open("a", Request(), {})
    assert len(session.document.roots) == 1


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_a_session_that_nobody_waits_for_any_more_ends_when_it_is_built(make_registry: MakeRegistry) -> None:
    started, release = threading.Event(), threading.Event()

    def build(document: Document) -> None:
        started.set()
        release.wait(10)

    registry = make_registry(build)
    asking = asyncio.create_task(registry.open("a", Request(), {}))
    await asyncio.to_thread(started.wait, 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    release.set()
    await eventually(lambda: not registry.sessions and not registry.held_count and not registry._endings)


async def test_an_unused_session_expires_and_a_used_one_does_not(
    make_registry: MakeRegistry, attach: Attach
) -> None:
    registry = make_registry(empty)
    used, unused = await registry.open("used", Request(), {}), await registry.open("unused", Request(), {})
    client = await attach(used)
    await registry.expire(lifetime_s=100)
    await asyncio.sleep(0.02)
    assert len(registry.sessions) == 2
    await registry.expire(lifetime_s=0)
    await eventually(lambda: registry.sessions == [used])
    with pytest.raises(SessionGone):
        await unused.run(lambda: None)
    client.connection.detach()
    await registry.expire(lifetime_s=0)
    await eventually(lambda: not registry.sessions)


async def test_the_loop_has_its_turns_while_many_sessions_end(make_registry: MakeRegistry) -> None:
    registry, turns = make_registry(empty), 0
    count = 5000 if full_size() else 300
    for number in range(count):
        await registry.open(f"s{number}", Request(), {})

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    taking = asyncio.create_task(take_turns())
    await registry.expire(lifetime_s=3600)
    assert (len(registry.sessions), registry.held_count) == (count, count)
    before = turns
    await registry.expire(lifetime_s=0)
    assert turns - before >= count
    await eventually(lambda: not registry.sessions and not registry.held_count)
    taking.cancel()


async def test_a_session_that_comes_back_to_life_is_not_ended(make_registry: MakeRegistry, attach: Attach) -> None:
    registry = make_registry(empty)
    session = await registry.open("a", Request(), {})
    release = asyncio.Event()
    blocked = asyncio.create_task(session.lane.outcome(release.wait))
    await asyncio.sleep(0.01)
    await registry.expire(lifetime_s=0)
    assert registry._endings
    attaching = asyncio.ensure_future(attach(session))
    await asyncio.sleep(0.01)
    release.set()
    await blocked
    client = await attaching
    await eventually(lambda: not registry._endings)
    assert registry.sessions == [session]
    assert await client.pull()


async def test_the_hooks_run_in_order_and_see_the_session(make_registry: MakeRegistry) -> None:
    seen: list[Any] = []
    module = types.ModuleType("hotshoe_test_module")
    module.value = "alive"  # type: ignore[attr-defined]

    def build(document: Document) -> None:
        seen.append("build")
        document.modules.add(module)
        document.on_session_destroyed(lambda session_context: seen.append(("document", session_context.destroyed)))

    async def created(context: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("created", context.id, context.destroyed))

    async def destroyed(context: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("destroyed", context.destroyed, module.value, context.request.arguments))

    registry = make_registry(build, Hooks(session_created=created, session_destroyed=destroyed))
    await registry.open("a", Request(arguments={"q": [b"1"], "bokeh-session-id": [b"a"]}), {})
    await registry.close(Deadline(1))
    assert seen == [
        ("created", "a", False), "build", ("document", True), ("destroyed", True, "alive", {"q": [b"1"]}),
    ]
    assert "hotshoe_test_module" not in sys.modules
    assert not hasattr(module, "value")


async def test_a_failing_hook_stops_nothing(make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture) -> None:
    def fails(context: Any) -> None:
        raise ValueError("hook failed")

    registry = make_registry(empty, Hooks(session_created=fails, session_destroyed=fails))
    session = await registry.open("a", Request(), {})
    assert len(session.document.roots) == 1
    await registry.close(Deadline(1))
    assert caplog.text.count("hook failed") >= 2


async def test_a_destroyed_hook_may_lock_the_document_a_last_time(make_registry: MakeRegistry) -> None:
    texts: list[str] = []

    async def keep(document: Document) -> None:
        texts.extend(root.text for root in document.roots if isinstance(root, Div))

    async def destroyed(context: Any) -> None:
        assert context.destroyed
        await context.with_locked_document(keep)

    registry = make_registry(empty, Hooks(session_destroyed=destroyed))
    await registry.open("a", Request(), {})
    await registry.close(Deadline(10))
    assert texts == ["here"]


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_a_stuck_callback_does_not_keep_the_server_from_stopping(make_registry: MakeRegistry) -> None:
    destroyed = threading.Event()
    release = threading.Event()
    registry = make_registry(empty, Hooks(session_destroyed=lambda context: destroyed.set()))
    session = await registry.open("a", Request(), {})
    stuck = asyncio.create_task(session.lane.outcome(lambda: release.wait(20)))
    await asyncio.sleep(0.05)
    started_s = time.monotonic()
    await registry.close(Deadline(0.1))
    assert time.monotonic() - started_s < 5
    assert destroyed.is_set()
    release.set()
    await stuck


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_a_stuck_callback_leaves_time_for_the_hook(make_registry: MakeRegistry) -> None:
    done: list[str] = []
    release = threading.Event()

    def destroyed(context: Any) -> None:
        time.sleep(0.5)
        done.append("destroyed")

    registry = make_registry(empty, Hooks(session_destroyed=destroyed))
    session = await registry.open("a", Request(), {})
    stuck = asyncio.create_task(session.lane.outcome(partial(release.wait, 60)))
    await asyncio.sleep(0)
    # About half of the time is for the callback; the hook needs a small part of the rest, also on a busy machine.
    await registry.close(Deadline(8.0))
    assert done == ["destroyed"]
    assert not stuck.done(), "the callback is still stuck"
    release.set()
    stuck.cancel()


async def test_a_session_that_can_not_be_made_is_not_held(make_registry: MakeRegistry) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError("no name")

    registry = make_registry(empty)
    for _ in range(3):
        with pytest.raises(ValueError, match="no name"):
            await registry.open("a", Request(user=Unspeakable()), {})
    assert (registry.held_count, registry.holds("a")) == (0, False)
    assert (await registry.open("a", Request(), {})).id == "a"
    assert registry.held_count == 1


@pytest.mark.parametrize("ending", ["closed", "expired", "failed", "replaced", "given up"])
async def test_each_session_that_is_gone_is_told_once(pool: ThreadPool | None, pulse: Pulse, ending: str) -> None:
    gone: list[str] = []
    building, go_on = asyncio.Event(), asyncio.Event()

    async def created(context: Any) -> None:
        building.set()
        await go_on.wait()

    def build(document: Document) -> None:
        if ending == "failed":
            raise ValueError

    surroundings = Surroundings(asyncio.get_running_loop(), pool, pulse)
    app = App(build=build, hooks=Hooks(session_created=created))
    registry = Registry(app, "/app", surroundings, on_gone=gone.append)
    opening = asyncio.create_task(registry.open("a", Request(), {}))
    await building.wait()
    assert registry.holds("a")
    if ending == "given up":
        opening.cancel()
    go_on.set()
    await asyncio.wait([opening])
    if ending == "replaced":
        registry.replace_app(App(build=build))
    if ending == "expired":
        await registry.expire(-1)
    if ending != "closed":
        await eventually(lambda: gone == ["a"])
    await registry.close(Deadline(5))
    assert (gone, registry.holds("a")) == (["a"], False)


async def test_a_session_with_the_id_of_one_that_is_ending_is_another(pool: ThreadPool | None, pulse: Pulse) -> None:
    gone: list[str] = []
    go_on = asyncio.Event()

    async def destroyed(context: Any) -> None:
        await go_on.wait()

    surroundings = Surroundings(asyncio.get_running_loop(), pool, pulse)
    app = App(build=empty, hooks=Hooks(session_destroyed=destroyed))
    registry = Registry(app, "/app", surroundings, on_gone=gone.append)
    first = await registry.open("a", Request(), {})
    await registry.expire(-1)
    await eventually(lambda: first.destroyed)
    assert gone == []
    second = await registry.open("a", Request(), {})
    assert gone == ["a"]
    go_on.set()
    await eventually(lambda: not registry._endings)
    assert (gone, registry.sessions) == (["a"], [second])
    await registry.close(Deadline(5))
    assert gone == ["a", "a"]


async def test_what_is_odd_about_a_document_is_logged_once(
    make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry(lambda document: document.add_root(figure()))
    for session_id in "abc":
        await registry.open(session_id, Request(), {})
    assert caplog.text.count("MISSING_RENDERERS") == 1


async def test_a_closed_registry_opens_nothing(make_registry: MakeRegistry) -> None:
    registry = make_registry(empty)
    await registry.close(Deadline(1))
    with pytest.raises(RequestError) as caught:
        await registry.open("a", Request(), {})
    assert caught.value.status == 503


async def test_the_end_closes_the_connections(make_registry: MakeRegistry, attach: Attach) -> None:
    registry = make_registry(empty)
    client = await attach(await registry.open("a", Request(), {}))
    await registry.close(Deadline(1))
    assert (await client.closed()).code == 1001


async def test_an_ended_session_is_freed_without_a_collection(make_registry: MakeRegistry, attach: Attach) -> None:
    def build(document: Document) -> None:
        div = Div()
        div.on_change("text", lambda attr, old, new: document.add_root(div))
        document.add_root(div)
        document.add_periodic_callback(lambda: None, 10_000)

    registry = make_registry(build)
    session = await registry.open("a", Request(), {})
    client = await attach(session)
    await client.pull()
    dead = [weakref.ref(thing) for thing in (session, session.document, *session.document.models)]
    gc.collect()
    gc.disable()
    try:
        client.connection.detach()
        del session, client
        await registry.expire(lifetime_s=0)
        await eventually(lambda: not registry.sessions and not registry._endings)
        await eventually(lambda: all(reference() is None for reference in dead))
    finally:
        gc.enable()


class Holder:
    """A job that holds its thread."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self.go_on.wait(120)


@pytest.mark.parametrize("has_begun", [False, True], ids=["waits", "has begun"])
async def test_the_end_of_a_failed_build_goes_on_when_its_client_leaves(has_begun: bool) -> None:
    loop, ended = asyncio.get_running_loop(), threading.Event()
    pool = ThreadPool(1, loop)
    first, second = Holder(), Holder()

    def build(document: Document) -> None:
        pool.start(first, TurnQueue())
        raise ValueError("no")

    hooks = Hooks(session_destroyed=lambda context: ended.set())
    registry = Registry(App(build=build, hooks=hooks), "/app", Surroundings(loop, pool, Pulse()))
    opening = asyncio.create_task(registry.open("a", Request(), {}))
    await eventually(lambda: first.begun.is_set() and pool.waiting_count == 1)  # the end of the session waits
    if has_begun:
        pool.start(second, TurnQueue())
        first.go_on.set()
        await eventually(lambda: second.begun.is_set() and pool.waiting_count == 1)  # its hook waits
    opening.cancel()
    await asyncio.wait([opening])
    first.go_on.set()
    second.go_on.set()
    await eventually(ended.is_set)
    await eventually(lambda: registry.held_count == 0)
    pool.close()

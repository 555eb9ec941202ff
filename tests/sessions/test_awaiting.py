"""``async`` functions, and others that return awaitables, in every place that takes a callback."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest
from bokeh.document import Document, without_document_lock
from bokeh.document.events import DocumentPatchedEvent
from bokeh.events import ButtonClick, DocumentReady
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Button, Div, Slider
from tests.support.session_client import Open

from hotshoe.base.errors import UnlockedChangeError
from hotshoe.sessions import FailureInfo, Session, on_exception

Trigger = Callable[[Document], object]
"""What a browser or an app does, with the document locked."""


@pytest.fixture(autouse=True)
def awaited_all() -> Iterator[None]:
    """No coroutine is left un-awaited, not even silently."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert [str(each.message) for each in caught if "never awaited" in str(each.message)] == []


@pytest.fixture
def failures() -> Iterator[list[tuple[BaseException, FailureInfo]]]:
    """What fails."""
    seen: list[tuple[BaseException, FailureInfo]] = []
    remove = on_exception(lambda error, failure: seen.append((error, failure)))
    yield seen
    remove()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


def the(document: Document, name: str) -> Any:
    return document.get_model_by_name(name)


def click(document: Document) -> None:
    """What a browser sends for a click."""
    button = the(document, "button")
    button._trigger_event(ButtonClick(button))


def slide(document: Document) -> None:
    the(document, "slider").value = 7


def send(document: Document) -> None:
    event: Any = {"kind": "MessageSent", "msg_type": "hello", "msg_data": 7}
    DocumentPatchedEvent.handle_event(document, event, None)


def stream(document: Document) -> None:
    the(document, "source").stream({"x": [7]})


PLACES: dict[str, tuple[Callable[[Any, Any], object], Trigger]] = {
    "Button.on_click": (lambda document, f: the(document, "button").on_click(f), click),
    "Model.on_event": (lambda document, f: the(document, "button").on_event("button_click", f), click),
    "Model.on_change": (lambda document, f: the(document, "slider").on_change("value", f), slide),
    "data.on_change": (lambda document, f: the(document, "source").on_change("data", f), stream),
    "Document.on_event": (lambda document, f: document.on_event(DocumentReady, f),
                          lambda document: document.callbacks.trigger_event(DocumentReady())),
    "Document.on_change": (lambda document, f: document.on_change(f), lambda document: setattr(document, "title", "t")),
    "Document.on_message": (lambda document, f: document.on_message("hello", f), send),
}
ARGUMENTS = {"Button.on_click": 1, "Model.on_change": 3, "data.on_change": 3}


def of_arguments(count: int, function: Callable[[], Any]) -> Callable[..., Any]:
    """A plain function with so many arguments, as bokeh checks them."""
    if count == 3:
        return lambda attr, old, new: function()
    return lambda event: function()


def fill(document: Document) -> None:
    source = ColumnDataSource({"x": [1]}, name="source")
    for root in (Button(name="button"), Slider(start=0, end=9, name="slider"), Div(name="out"), source):
        document.add_root(root)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["async def", "lambda", "partial"])
async def test_it_runs_on_the_loop_with_the_lock(open_session: Open, place: str, kind: str) -> None:
    session = await open_session(fill)
    add, trigger = PLACES[place]
    seen: list[tuple[int, object, bool]] = []

    async def run() -> None:
        await asyncio.sleep(0)
        await asyncio.create_task(asyncio.sleep(0))
        if not seen:  # a document's on_change is called for this change, too
            seen.append((threading.get_ident(), curdoc(), session.is_locked_here))
            the(session.document, "out").text = "awaited"

    async def run_1(event: Any) -> None:
        await run()

    async def run_3(attr: str, old: Any, new: Any) -> None:
        await run()

    async def run_bound(extra: int, *arguments: Any) -> None:
        await run()

    count = ARGUMENTS.get(place, 1)
    callback: Any = {1: run_1, 3: run_3}[count]
    if kind == "lambda":
        callback = of_arguments(count, run)
    elif kind == "partial":
        callback = partial(callback)
    await session.run(partial(add, session.document, callback))
    await session.run(partial(trigger, session.document))
    await until(lambda: seen and the(session.document, "out").text == "awaited")
    assert seen == [(threading.get_ident(), session.document, True)]


async def test_later_work_waits_until_it_ends(open_session: Open) -> None:
    session = await open_session(fill)
    order: list[str] = []

    async def slow() -> None:
        order.append("begin")
        await asyncio.sleep(0.02)
        order.append("end")

    await session.run(partial(the(session.document, "button").on_click, slow))
    await session.run(partial(click, session.document))
    await session.run(lambda: order.append("next"))
    assert order == ["begin", "end", "next"]


async def test_an_unlocked_one_runs_without_the_lock(open_session: Open,
                                                     failures: list[tuple[BaseException, FailureInfo]]) -> None:
    session = await open_session(fill)

    @without_document_lock
    async def unlocked() -> None:
        assert not session.is_locked_here
        the(session.document, "out").text = "no"

    await session.run(partial(the(session.document, "button").on_click, unlocked))
    await session.run(partial(click, session.document))
    await until(lambda: failures)
    assert isinstance(failures[0][0], UnlockedChangeError)


async def test_its_error_is_reported(open_session: Open, failures: list[tuple[BaseException, FailureInfo]]) -> None:
    session = await open_session(fill)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ArithmeticError("of the app")

    await session.run(partial(the(session.document, "button").on_click, fail))
    await session.run(partial(click, session.document))
    await until(lambda: failures)
    error, failure = failures[0]
    assert (repr(error), failure.session_id) == ("ArithmeticError('of the app')", session.id)


async def test_an_async_generator_is_an_error(open_session: Open,
                                              failures: list[tuple[BaseException, FailureInfo]]) -> None:
    session = await open_session(fill)

    async def generate() -> Any:
        yield 1

    await session.run(partial(the(session.document, "button").on_click, generate))
    await session.run(partial(click, session.document))
    await until(lambda: failures)
    assert "generate() is an async generator, which can't be a callback: remove its yield" in str(failures[0][0])


async def test_a_change_before_the_model_is_in_the_document(open_session: Open) -> None:
    seen: list[object] = []

    def build(document: Any) -> None:
        async def changed(attr: str, old: object, new: object) -> None:
            seen.append((curdoc(), new))

        slider: Any = Slider(start=0, end=9, value=1)
        slider.on_change("value", changed)
        slider.value = 2
        assert not seen
        document.add_root(slider)

    session = await open_session(build)
    await until(lambda: seen)
    assert seen == [(session.document, 2)]


async def test_one_that_waits_when_the_session_ends_is_dropped(open_session: Open) -> None:
    session = await open_session(fill)
    begun: list[str] = []

    async def late() -> None:
        begun.append("late")

    def end() -> None:
        click(session.document)
        session.begin_to_end()

    await session.run(partial(the(session.document, "button").on_click, late))
    await session.run(end)
    await session.lane.outcome(session.dismantle, even_if_ended=True)
    assert not begun


async def test_callbacks_are_removed_as_before(open_session: Open) -> None:
    session = await open_session(fill)
    document: Any = session.document
    seen: list[object] = []

    async def changed(*arguments: Any) -> None:
        seen.append(arguments)

    async def on_change(event: Any) -> None:
        seen.append(event)

    slider = the(document, "slider")
    slider.on_change("value", lambda attr, old, new: None)
    document.on_change(on_change)
    document.on_change(on_change)
    document.remove_on_change(on_change)
    document.on_message("hello", changed)
    document.callbacks.remove_on_message("hello", changed)
    await session.run(partial(slide, document))
    await session.run(partial(send, document))
    await session.run(lambda: None)
    assert not seen


def test_other_documents_are_as_in_stock() -> None:
    document, button = Document(), cast(Any, Button(name="button"))
    seen: list[object] = []

    async def run() -> None:
        """Is never awaited here: nothing is served."""

    def plain() -> None:
        seen.append(curdoc())

    button.on_click(run)
    button.on_click(plain)
    document.add_root(button)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        click(document)
    assert seen == [document]
    assert document.callbacks.session_callbacks == []


async def test_the_session_s_destroyed_hook(open_session: Open) -> None:
    seen: list[bool] = []

    def build(document: Any) -> None:
        async def destroyed(session_context: Any) -> None:
            await asyncio.sleep(0)
            seen.append(session_context.destroyed)

        document.on_session_destroyed(destroyed)

    session: Session = await open_session(build)
    (hook,) = session.document.session_destroyed_callbacks
    await session.run(partial(cast(Any, hook), session.context))
    assert seen == [False]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_a_coroutine_that_the_app_drops_is_logged(open_session: Open, caplog: pytest.LogCaptureFixture) -> None:
    async def forgotten() -> None:
        """Is never awaited."""

    def build(document: Document) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forgotten()  # type: ignore[unused-coroutine]

    await open_session(build)
    (line,) = [each for each in caplog.messages if "never awaited" in each]
    assert line.startswith(f"forgotten() of {__file__}:")

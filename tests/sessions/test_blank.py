"""A page without anything in it says so, in its page and in the log, until the app adds something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from jinja2 import Template
from tests.support.session_client import Attach, Client, Open

from hotshoe.sessions import Session, blank

Told = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blank, "WAIT_S", 0.02)
    monkeypatch.setattr(blank, "PATIENCE_S", 0.4)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.WARNING, logger="hotshoe")
    return lambda: [record.getMessage() for record in caplog.records if "added nothing" in record.getMessage()]


def nothing(document: Document) -> None: ...


async def visit(session: Session, attach: Attach) -> Client:
    """A page, and its pull."""
    await session.run(lambda: session.render(lambda: "page"))
    client = await attach(session)
    await client.pull()
    return client


async def notice(client: Client, other_than: Any = None) -> Any:
    """The next notice of blankness."""
    while True:
        _, metadata, _, _ = await client.next()
        if metadata.get("blank", other_than) != other_than:
            return metadata["blank"]


@pytest.mark.parametrize("dev", [False, True])
async def test_page_and_log_say_it_and_the_page_stops_with_the_first_root(
        open_session: Open, attach: Attach, told: Told, dev: bool) -> None:
    session = await open_session(nothing, dev=dev)
    client = await visit(session, attach)
    words = {"reasons": list(blank.REASONS) if dev else []}
    assert await notice(client) == words
    (line,) = told()
    assert line.startswith("app /app has added nothing to its document, so its page is blank.")
    assert "__main__" in line
    assert "show()" in line
    assert ".servable()" in line
    again = await visit(session, attach)  # somebody else opens the page
    assert await notice(again) == words
    await session.run(lambda: session.document.add_root(Div(text="at last")))
    assert [await notice(each, words) for each in (client, again)] == [False, False]
    assert session.blank is None


def in_next_tick(document: Document) -> None:
    document.add_next_tick_callback(lambda: document.add_root(Div()))


def when_ready(document: Document) -> None:
    document.add_timeout_callback(lambda: document.add_root(Div()), 150)


def after_a_while(document: Document) -> None:
    left = [5]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            document.add_root(Div())
            document.remove_periodic_callback(periodic)

    periodic = document.add_periodic_callback(step, 20)


def a_template(document: Document) -> None:
    document.template = Template("{% block contents %}my own page{% endblock %}")


def a_root(document: Document) -> None:
    document.add_root(Div())


@pytest.mark.parametrize("build", [in_next_tick, when_ready, after_a_while, a_template, a_root])
async def test_what_fills_later_or_has_a_page_of_its_own_is_not_accused(
        open_session: Open, attach: Attach, told: Told, build: Callable[[Document], None]) -> None:
    session = await open_session(build)
    await visit(session, attach)
    async with asyncio.timeout(10):
        while build is not a_template and not session.document.roots:
            await asyncio.sleep(0.01)
    await asyncio.sleep(2 * blank.WAIT_S)
    assert told() == []


async def test_a_title_alone_may_be_on_purpose(open_session: Open, attach: Attach, told: Told) -> None:
    def build(document: Document) -> None:
        document.title = "mine"

    session = await open_session(build)
    client = await visit(session, attach)
    async with asyncio.timeout(10):
        while not told():
            await asyncio.sleep(0.01)
    await session.run(lambda: session.document.add_root(Div()))
    _, metadata, content, _ = await client.next()
    assert ("blank" in metadata, content["events"][0]["kind"]) == (False, "RootAdded")


async def test_a_callback_that_never_fills_it_gets_no_patience_for_ever(
        open_session: Open, attach: Attach, told: Told) -> None:
    def build(document: Document) -> None:
        document.add_periodic_callback(lambda: None, 50)

    session = await open_session(build)
    client = await visit(session, attach)
    assert await notice(client) == {"reasons": []}
    assert len(told()) == 1

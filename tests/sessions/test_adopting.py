"""A session that is built before it is known who it is for, and gets its visitor afterwards."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models.widgets import Div
from tests.support.needs import need_module
from tests.support.session_client import Attach

from hotshoe.apps import App, Hooks, Request
from hotshoe.base import logs
from hotshoe.base.errors import BuildError, EarlyReadError, SessionGone
from hotshoe.base.threads import ThreadPool
from hotshoe.base.users import User
from hotshoe.sessions import FailureInfo, Pulse, ServerContext, Session, SessionVisit, Surroundings, on_exception
from hotshoe.sessions.lifecycle import build, end

REQUEST = Request(arguments={"a": [b"1"]}, headers={"X-Of": "visitor"}, cookies={"c": "d"}, user=User("ada"),
                  logout_url="../logout")
VISIT = SessionVisit("an-id", REQUEST, {"more": 1})
READS: dict[str, Callable[[Any], Any]] = {
    "session_context.id": lambda context: context.id,
    "session_context.request": lambda context: context.request.arguments,
    "session_context.token_payload": lambda context: context.token_payload,
    "session_context.user": lambda context: context.user,
    "session_context.logout_url": lambda context: context.logout_url,
}


@pytest.fixture
async def session(pool: ThreadPool | None, pulse: Pulse) -> Session:
    """A session without a visitor."""
    loop = asyncio.get_running_loop()
    server_context = ServerContext("/app", loop, list, lambda: App(add_div))
    return Session("/app", server_context, Surroundings(loop, pool, pulse))


def add_div(document: Document) -> None:
    document.add_root(Div(text="built", name="div"))


@pytest.mark.parametrize("name", READS)
async def test_an_app_that_reads_too_early_is_told_what_it_read(
    session: Session, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def reading(document: Document) -> None:
        READS[name](document.session_context)

    with pytest.raises(BuildError) as raised:
        await build(session, App(build=reading))
    assert isinstance(raised.value.__cause__, EarlyReadError)
    assert raised.value.__cause__.name == session.context.early_read == name
    assert f"{name} was read before the session had a visitor" in caplog.text
    assert "READS[name](document.session_context)" in caplog.text, "the line of the app's code"


async def test_what_is_read_too_early_is_known_though_the_app_goes_on(session: Session) -> None:
    def forgiving(document: Document) -> None:
        for read in (READS["session_context.user"], READS["session_context.id"]):
            try:
                read(document.session_context)
            except Exception:
                document.add_root(Div(text="nobody"))

    await build(session, App(build=forgiving))
    assert len(session.document.roots) == 2
    assert session.context.early_read == "session_context.user", "the first"


async def test_a_hook_that_reads_too_early_is_told_so(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    await build(session, App(build=add_div, hooks=Hooks(session_created=READS["session_context.request"])))
    assert session.context.early_read == "session_context.request"
    assert "on_session_created" in caplog.text


@pytest.mark.parametrize(("read", "name"), [
    ("user", "session_context.user"),
    ("cookies", "session_context.request"),
    ("headers", "session_context.request"),
    ("session_args", "session_context.request"),
])
async def test_what_panel_reads_for_an_app_is_named(session: Session, read: str, name: str) -> None:
    need_module("panel")
    import panel

    from hotshoe.seams.panel.panel_documents import panel_state

    assert panel_state() is panel.state

    def reading() -> Any:
        assert panel.state.curdoc is session.document
        return getattr(panel.state, read)

    with pytest.raises(EarlyReadError, match=name):
        await session.run(reading)
    assert session.context.early_read == name


async def test_a_component_of_panel_s_reads_too_early(session: Session) -> None:
    """Each asks for the theme, which an argument of the page's address can choose, and for the session's id."""
    need_module("panel")
    import panel

    def fill(document: Document) -> None:
        panel.pane.Str("text").server_doc(document)  # type: ignore[no-untyped-call]

    with pytest.raises(BuildError):
        await build(session, App(build=fill))
    assert session.context.early_read in ("session_context.request", "session_context.id")


async def test_where_panel_is_loaded_it_gets_the_visitor_afterwards(session: Session) -> None:
    need_module("panel")
    import panel

    created: list[str] = []

    def note(context: Any) -> None:
        created.append(context.id)

    panel.state.on_session_created(note)
    try:
        await build(session, App(build=add_div))
        assert (session.context.early_read, created) == (None, [])
        await session.adopt(SessionVisit("an-id", Request(path="/below/app", user=User("ada")), {}))
        assert created == ["an-id"]
        assert await session.run(lambda: (panel.state.base_url, panel.state.user)) == ("/below/", "ada")
    finally:
        panel.state._on_session_created.remove(note)


async def test_it_gets_all_that_a_session_has_from_its_visitor(session: Session, attach: Attach) -> None:
    await build(session, App(build=add_div))
    assert session.context.early_read is None
    noted = logs.note(request_id="of-the-visitor")
    await session.adopt(VISIT)
    logs.forget(noted)

    context = session.context
    assert (session.id, context.id, session.stock.id, session.user) == ("an-id",) * 3 + ("ada",)
    assert (context.user, context.logout_url) == (REQUEST.user, "../logout")
    assert (context.request.arguments, context.request.headers) == ({"a": [b"1"]}, {"X-Of": "visitor"})
    assert context.token_payload == {"arguments": {"a": [b"1"]}, "headers": {"X-Of": "visitor"},
                                     "cookies": {"c": "d"}, "more": 1}
    fields = {"session": logs.session_hash("an-id"), "app": "/app", "user": "ada", "request_id": "of-the-visitor"}
    assert await session.run(logs.known) == fields
    assert logs.known() == {}
    client = await attach(session)
    client.send("PULL-DOC-REQ")
    assert "built" in str((await client.until("PULL-DOC-REPLY"))[-1])


async def test_failures_name_the_visitor_once_there_is_one(session: Session) -> None:
    seen: list[FailureInfo] = []
    remove = on_exception(lambda error, failure: seen.append(failure))

    def fail() -> None:
        raise ValueError

    session.callbacks.run(fail)
    await session.run(lambda: None)
    await session.adopt(VISIT)
    session.callbacks.run(fail)
    await session.run(lambda: None)
    remove()
    assert [(failure.session_id, failure.user) for failure in seen] == [(None, None), ("an-id", "ada")]


@pytest.mark.parametrize("pool", [8], indirect=True)
async def test_no_callback_sees_half_of_a_visitor(session: Session) -> None:
    began, go_on, seen = asyncio.Event(), threading.Event(), list[bool]()
    loop = asyncio.get_running_loop()

    def look() -> None:
        loop.call_soon_threadsafe(began.set)
        go_on.wait(20)
        seen.append(session.user is None)

    session.lane.run(look)
    await began.wait()
    adopting = asyncio.create_task(session.adopt(VISIT))
    await asyncio.sleep(0)
    assert session.user is None
    go_on.set()
    await adopting
    assert seen == [True]
    assert session.user == "ada"


async def test_code_of_the_session_may_adopt_it(session: Session) -> None:
    async def adopt() -> str:
        await session.adopt(VISIT)
        assert curdoc() is session.document
        return session.id

    assert await session.run(adopt) == "an-id"


async def test_a_session_has_one_visitor(session: Session) -> None:
    await session.adopt(VISIT)
    with pytest.raises(RuntimeError, match="was adopted before"):
        await session.adopt(SessionVisit("another", Request(), {}))
    assert (session.id, session.user) == ("an-id", "ada")


async def test_one_that_has_ended_gets_none(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    app = App(build=add_div)
    await build(session, app)
    assert await end(session, app)
    with pytest.raises(SessionGone, match="session without a visitor has ended"):
        await session.adopt(VISIT)
    assert not caplog.records

"""Whoever is to learn that an app's code raised: listeners, the log, the pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document, without_document_lock
from bokeh.models.widgets import Slider
from tests.support.session_client import Attach, Open

import hotshoe
from hotshoe import FailureInfo
from hotshoe.apps import Request
from hotshoe.base.logs import session_hash
from hotshoe.sessions import failures as failures_module
from hotshoe.sessions.failures import (
    KINDS_MOST,
    NOTICE_EVERY_S,
    REPEATS_IN_S,
    REPEATS_MOST,
    Notices,
    Repeats,
    report,
    report_too_big,
)

Heard = list[tuple[BaseException, FailureInfo]]


@pytest.fixture
def heard() -> Any:
    heard: Heard = []
    end = hotshoe.on_exception(lambda error, info: heard.append((error, info)))
    yield heard
    end()


def raised(message: str = "boom") -> ValueError:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_listeners_are_told_until_they_end_it(heard: Heard) -> None:
    gone: Heard = []
    end = hotshoe.on_exception(lambda error, info: gone.append((error, info)))
    error = raised()
    info = report(error, what="a test", app="/a", session_id="s", user="ada")
    assert (info.what, info.app, info.session_id, info.user) == ("a test", "/a", "s", "ada")
    end()
    end()
    report(error, what="a test", app="/a")
    assert gone == [(error, info)]
    assert len(heard) == 2


def test_one_function_can_be_registered_twice() -> None:
    heard: Heard = []

    def hear(error: BaseException, info: FailureInfo) -> None:
        heard.append((error, info))

    end, end_again = hotshoe.on_exception(hear), hotshoe.on_exception(hear)
    report(raised(), what="a test", app="/a")
    end()
    report(raised(), what="a test", app="/a")
    end_again()
    report(raised(), what="a test", app="/a")
    assert len(heard) == 3


@pytest.mark.parametrize("ending", [ValueError("mine"), SystemExit(3)])
def test_what_a_listener_raises_goes_no_further(
    heard: Heard, ending: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    @hotshoe.on_exception
    def fail(error: BaseException, info: FailureInfo) -> None:
        raise ending

    info = report(raised(), what="a test", app="/a")
    fail()
    assert [told for _, told in heard] == [info]
    assert f"a function given to on_exception failed with error {info.error_id}" in caplog.text


def test_async_listeners_are_refused() -> None:
    async def listener(error: BaseException, info: FailureInfo) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        hotshoe.on_exception(listener)


def test_the_log_has_the_fields(caplog: pytest.LogCaptureFixture) -> None:
    info = report(raised(), what="a test", app="/a", session_id="s", user="ada")
    (record,) = caplog.records
    fields = {name: getattr(record, name) for name in ("session", "app", "user", "error_id")}
    session = session_hash("s")
    assert fields == {"session": session, "app": "/a", "user": "ada", "error_id": info.error_id}
    assert record.getMessage().startswith(f"error {info.error_id} in a test of app /a, session {session}\nTraceback")


def test_notices_are_rare_and_count() -> None:
    now_s = 100.0
    notices = Notices(dev=False, clock=lambda: now_s)
    info = FailureInfo("1", "a test", "/a")
    error = raised()
    first = notices.next(error, info)
    assert set(first) == {"id", "key", "count"}
    now_s += NOTICE_EVERY_S / 2
    assert [notices.next(error, info) for _ in range(2)] == [{}, {}]
    now_s += NOTICE_EVERY_S
    later = notices.next(raised(), FailureInfo("2", "a test", "/a"))
    assert later == {"id": "2", "key": first["key"], "count": 3}


def test_more_of_the_same_is_counted_and_told_with_the_next() -> None:
    now_s = 100.0
    repeats = Repeats(clock=lambda: now_s)
    error, other = raised(), KeyError()
    for number in range(REPEATS_MOST):
        assert repeats.count(error) == (None, 0)
        repeats.remember(error, FailureInfo(str(number), "a test", "/a"))
    for _ in range(7):
        last, _ = repeats.count(raised())
        assert last is not None
        assert last.error_id == str(REPEATS_MOST - 1)
    assert repeats.count(other) == (None, 0), "another kind is no repeat"
    now_s += REPEATS_IN_S
    assert repeats.count(error) == (None, 7)
    assert repeats.count(error) == (None, 0)


def test_kinds_of_failures_do_not_pile_up() -> None:
    repeats = Repeats()
    for number in range(3 * KINDS_MOST):
        repeats.count(type(f"Error{number}", (Exception,), {})())
    assert len(repeats._kinds) == KINDS_MOST


async def test_a_callback_that_always_fails_does_not_flood_the_log(
    heard: Heard, open_session: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_module, "REPEATS_IN_S", 1000.0)
    session = await open_session(lambda document: None)
    count = 0

    def fails() -> None:
        nonlocal count
        count += 1
        raise ValueError("again and again")

    callback = session.document.add_periodic_callback(fails, 1)
    async with asyncio.timeout(20):
        while count < 40:
            await asyncio.sleep(0.01)
    await session.run(lambda: session.document.remove_periodic_callback(callback))
    assert len(heard) == caplog.text.count("ValueError: again and again") == REPEATS_MOST


def test_the_key_tells_places_apart_and_says_nothing() -> None:
    errors = (raised("a"), raised("b"), KeyError())
    notices = [Notices(dev=False).next(error, FailureInfo("1", "", "")) for error in errors]
    keys = [notice["key"] for notice in notices]
    assert keys[0] == keys[1] != keys[2]
    assert all(len(key) == 8 for key in keys)


def test_dev_mode_says_all() -> None:
    notice = Notices(dev=True).next(raised("bo\nom"), FailureInfo("1", "a callback", "/a"))
    assert (notice["what"], notice["text"]) == ("a callback", "ValueError: bo om")
    assert "raise ValueError(message)" in notice["traceback"]


def _fail() -> None:
    raise ValueError("boom")


async def _fail_async() -> None:
    raise ValueError("boom")


@pytest.mark.parametrize("callback", [_fail, _fail_async, without_document_lock(_fail)])
async def test_a_failing_callback_is_told_to_listeners_and_pages(
    callback: Callable[[], Any], heard: Heard, open_session: Open, attach: Attach
) -> None:
    session = await open_session(lambda document: None)
    client = await attach(session)
    session.document.add_next_tick_callback(callback)
    header, metadata, content, _ = await client.next()
    assert (header["msgtype"], content) == ("PATCH-DOC", {"events": []})
    ((error, info),) = heard
    assert str(error) == "boom"
    assert (info.app, info.session_id) == ("/app", "session-1")
    assert metadata["failure"]["id"] == info.error_id
    assert "boom" not in str(metadata)


async def test_a_callback_that_fails_all_the_time_is_told_now_and_then(
    open_session: Open, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures_module, "NOTICE_EVERY_S", 1000.0)
    session = await open_session(lambda document: None)
    client = await attach(session)
    callback = session.document.add_periodic_callback(_fail, 5)
    await client.next()
    await asyncio.sleep(0.2)
    await session.run(lambda: session.document.remove_periodic_callback(callback))
    client.send("SERVER-INFO-REQ")
    assert (await client.next())[0]["msgtype"] == "SERVER-INFO-REPLY"


async def test_who_sent_the_message_gets_it_with_the_error_and_others_as_a_notice(
    open_session: Open, attach: Attach
) -> None:
    def fails(attr: str, old: float, new: float) -> None:
        raise ValueError("on purpose")

    slider = Slider(start=0, end=9, value=0, step=1)
    slider.on_change("value", fails)
    session = await open_session(lambda document: document.add_root(slider))
    sender, other = await attach(session), await attach(session)
    sender.set(slider, "value", 1)
    header, metadata, content, _ = await sender.next()
    assert header["msgtype"] == "ERROR"
    assert content["text"] == f"Something failed in this app. Error {metadata['failure']['id']}"
    assert (await other.next())[1] == metadata
    sender.send("SERVER-INFO-REQ")
    assert (await sender.next())[0]["msgtype"] == "SERVER-INFO-REPLY"


async def test_code_of_the_app_logs_with_the_fields(
    make_registry: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    from hotshoe.base import logs

    caplog.handler.addFilter(logs.AddFields())

    def build(document: Document) -> None:
        logging.getLogger("mine").warning("from the app")

    token = logs.note(request_id="r1")
    await make_registry(build).open("session-1", Request(user="ada"), {})
    logs.forget(token)
    (record,) = [record for record in caplog.records if record.name == "mine"]
    assert {name: getattr(record, name) for name in logs.FIELDS} == {
        "session": session_hash("session-1"), "app": "/app", "user": "ada", "request_id": "r1", "error_id": "-"}


@pytest.mark.parametrize(("data", "words"), [
    ({"bytes": 31457280, "limit": 20971520},
     "a message of 31457280 bytes, such as a large file: a message may have 20971520 bytes."),
    ({"bytes": 5e7, "limit": 0}, "a message of 50000000 bytes, such as a large file: a server in front takes"),
    (["anything"], "a message of 0 bytes"),
])
async def test_what_a_page_could_not_send_stands_in_the_log(
        open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture, data: Any, words: str) -> None:
    session = await open_session(lambda document: None)
    client = await attach(session)
    client.send("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "hotshoe:too-big", "msg_data": data}]})
    await client.until("OK")
    (record,) = [record for record in caplog.records if "could not send" in record.getMessage()]
    assert f"app /app, session {session_hash('session-1')}: its page could not send {words}" in record.getMessage()
    assert "--websocket-max-message-size" in record.getMessage()


@pytest.mark.parametrize("size", [10**400, float("inf"), float("nan"), -1, "1", None])
def test_no_number_of_a_page_breaks_the_log(caplog: pytest.LogCaptureFixture, size: Any) -> None:
    report_too_big("/app", "session-1", {"bytes": size, "limit": size})
    (record,) = caplog.records
    assert "a message of 0 bytes, such as a large file: a server in front takes" in record.getMessage()

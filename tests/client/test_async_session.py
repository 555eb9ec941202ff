"""What a session says of servers that refuse, are none, are too old, go away in the middle or make no sense."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models.widgets import Slider
from tests.support.scripted_server import Caller, Play, event_of, scripted, session_id_of
from tests.support.waiting import until

from hotshoe.client import (
    AsyncSession,
    ClientError,
    ClientTimeout,
    LostError,
    RefusedError,
    pull_session_async,
    push_session_async,
)
from hotshoe.client.line import Backoff
from hotshoe.wire import ack, error, patch_doc, reply, server_info_reply

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOKEH_SECRET_KEY", raising=False)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotshoe.client.line.FIRST_S", 0.01)


def document_of(value: int = 1) -> Document:
    document = Document()
    document.title = "Scripted"
    document.add_root(slider("slider", value))
    return document


def slider(model_id: str, value: int) -> Slider:
    made = Slider(name="slider", start=0, end=100, value=value)
    made._id = ID(model_id)  # type: ignore[attr-defined]
    return made


def slider_of(session: AsyncSession) -> Any:
    assert session.document is not None
    return session.document.get_model_by_name("slider")


def serving(document: Document, version: str = "3.9.0") -> Play:
    async def play(caller: Caller) -> None:
        await caller.answer(document, version)

    return play


# -- the beginning


@pytest.mark.parametrize(("answer", "status", "words"), [
    ((404, "nothing"), 404, "has no app at"),
    ((403, "Cross origin websockets not allowed"), 403, "refuses the connection .* Cross origin"),
    ((401, "Load this page again."), 401, r"refuses .* \(401\): give a login by headers= or cookies=$"),
    ((503, "starting"), 503, "status 503: starting"),
    ((302, "go"), 302, "redirects to .*/login.*cookies="),
])
async def test_a_refusal_says_why(answer: tuple[int, str], status: int, words: str) -> None:
    headers = {"Location": "/login"}
    async with scripted(serving(document_of()), answer=lambda request: answer, headers=headers) as url:
        with pytest.raises(RefusedError, match=words) as caught:
            await pull_session_async("id", url)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


async def test_a_page_where_a_websocket_should_be() -> None:
    async with scripted(serving(document_of()), answer=lambda request: (200, "<html>")) as url:
        with pytest.raises(ClientError, match="is not a Bokeh server"):
            await pull_session_async("id", url)


async def test_what_does_not_speak_http() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp ready\r\n")
        await reader.read(10_000)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ClientError, match="is not a Bokeh server"):
            await pull_session_async(url=f"http://127.0.0.1:{port}/")


async def test_a_websocket_of_something_else() -> None:
    async def play(caller: Caller) -> None:
        await caller.connection.send("hello")
        await caller.connection.recv()

    async with scripted(play) as url:
        with pytest.raises(ClientError, match="does not speak Bokeh's protocol"):
            await pull_session_async("id", url)


async def test_one_that_closes_before_its_greeting_tells_its_reason() -> None:
    async def play(caller: Caller) -> None:
        await caller.connection.close(1008, "Token is expired")

    async with scripted(play) as url:
        with pytest.raises(RefusedError, match="Token is expired") as caught:
            await pull_session_async("id", url)
    assert (caught.value.status, caught.value.code) == (None, 1008)


async def test_silence() -> None:
    async def play(caller: Caller) -> None:
        await caller.connection.wait_closed()

    async with scripted(play) as url:
        with pytest.raises(ClientTimeout, match=r"within 0\.2 s"):
            await pull_session_async("id", url, timeout=0.2)


async def test_too_old() -> None:
    async with scripted(serving(document_of(), "2.4.3")) as url:
        with pytest.raises(ClientError, match=r"bokeh 2\.4\.3 is too old"):
            await pull_session_async(url=url)
        with pytest.raises(ClientError, match=r"bokeh 2\.4\.3 is too old"):
            await push_session_async(document_of(), url=url)


async def test_an_error_for_an_answer() -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        while True:
            await caller.say(error((await caller.hear()).msgid, "it went wrong", "Traceback: secret"))

    async with scripted(play) as url:
        with pytest.raises(ClientError, match="it went wrong"):
            await pull_session_async(url=url)


@pytest.mark.parametrize("content", [b"nix", b"[]", b"{}", b'{"doc": 1}', b'{"doc": {"version": "3.9.0"}}'])
async def test_an_answer_that_makes_no_sense(content: bytes) -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        while True:
            await caller.say(reply("PULL-DOC-REPLY", (await caller.hear()).msgid, (b"{}", content)))

    async with scripted(play) as url:
        with pytest.raises(ClientError):
            await pull_session_async(url=url)


@pytest.mark.parametrize("header", ["a\r\nX: y", "a\x00"])
async def test_a_header_that_is_none(header: str) -> None:
    with pytest.raises(ClientError, match="not allowed in headers"):
        await pull_session_async(url="http://localhost:1/", headers={"X": header})
    with pytest.raises(ClientError, match="not allowed in headers"):
        await pull_session_async(url="http://localhost:1/", cookies={"x": header})


async def test_headers_and_cookies_are_sent() -> None:
    seen: list[Any] = []

    async def play(caller: Caller) -> None:
        assert caller.connection.request is not None
        seen.append(caller.connection.request.headers)
        await caller.answer(document_of())

    more: Any = {"headers": {"X-A": "b"}, "cookies": {"c": "d", "e": "f"}}
    async with scripted(play) as url, await pull_session_async("mine", url, **more) as session:
        assert session.id == "mine"
    (headers,) = seen
    assert headers["X-A"] == "b"
    assert headers["Cookie"] == "c=d; e=f"
    assert session_id_of(headers["Sec-WebSocket-Protocol"].split(", ")[1]) == "mine"


# -- the middle


async def test_changes_are_confirmed_before_the_end() -> None:
    heard: list[Any] = []

    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(document_of()):
            heard.append(event_of(message)["new"] if message.msgtype == "PATCH-DOC" else message.msgtype)

    async with scripted(play) as url, await pull_session_async(url=url) as session:
        for value in range(2, 50):
            slider_of(session).value = value
    assert heard == ["PULL-DOC-REQ", *range(2, 50), "SERVER-INFO-REQ"]


async def test_a_server_that_never_confirms_is_named_at_the_end() -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(document_of()):
            if message.msgtype == "PULL-DOC-REQ":
                break
        await caller.connection.wait_closed()

    async with scripted(play) as url:
        session = await pull_session_async(url=url, timeout=2)
        slider_of(session).value = 5
        with pytest.raises(ClientTimeout, match="1 change may not have arrived"):
            await session.close()
        slider_of(session).value = 6  # nobody is told


async def test_a_change_that_can_not_be_applied_lets_the_document_be_pulled_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        there = document_of()
        pulls = 0
        async for message in caller.requests(there):
            pulls += message.msgtype == "PULL-DOC-REQ"
            if pulls == 1:
                there.roots[0].value = 9  # type: ignore[attr-defined]
                await caller.say(patch_doc([b'{"kind":"ModelChanged","model":{"id":"nix"},"attr":"a","new":1}'], ()))

    async with scripted(play) as url, await pull_session_async(url=url) as session:
        slider = slider_of(session)
        await until(lambda: slider.value == 9)
        assert slider_of(session) is slider
    assert "pulled again" in caplog.text


async def test_a_change_that_the_server_fails_to_take_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(document_of()):
            if message.msgtype == "PULL-DOC-REQ":
                break
        await caller.say(error((await caller.hear()).msgid, "not that"))
        async for _ in caller.requests(document_of()):
            pass

    async with scripted(play) as url, await pull_session_async(url=url) as session:
        slider_of(session).value = 5
        await until(lambda: "not that" in caplog.text)
        await session.force_roundtrip()


async def test_what_a_callback_changes_while_the_document_is_renewed_stays() -> None:
    there, said = document_of(), []
    there.add_root(slider("other", 1))

    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(there):
            if message.msgtype == "PATCH-DOC":
                said.append(event_of(message)["new"])

    async with scripted(play) as url, await pull_session_async(url=url) as session:
        assert session.document is not None
        first, other = session.document.roots
        first.on_change("value", lambda attr, old, new: setattr(other, "value", 50))
        there.roots[0].value = 9  # type: ignore[attr-defined]
        there.roots[1].value = 10  # type: ignore[attr-defined]
        await session.pull()
        assert (first.value, other.value) == (9, 50)  # type: ignore[attr-defined]
        await session.force_roundtrip()
    assert said == [50]


async def test_a_push_that_fails_leaves_what_was_there(caplog: pytest.LogCaptureFixture) -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for _ in caller.requests(document_of()):
            break
        for _ in range(2):
            message = await caller.hear()
            if message.msgtype == "SERVER-INFO-REQ":
                await caller.say(server_info_reply(message.msgid, "3.9.0"))
            else:
                await caller.say(error(message.msgid, "no\npush \x1b[31m"))
        await caller.say(patch_doc([b'{"kind":"ModelChanged","model":{"id":"slider"},"attr":"value","new":4}'], ()))
        async for _ in caller.requests(document_of()):
            pass

    async with scripted(play) as url, await pull_session_async(url=url) as session:
        with pytest.raises(ClientError, match=r"answered with an error: no push \[31m"):
            await session.push()
        await until(lambda: slider_of(session).value == 4)


# -- the connection ends


def breaking(there: Document, *, after: str = "PULL-DOC-REQ") -> Play:
    """Serves up to the first of such requests, then breaks the connection."""
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(there):
            if message.msgtype == after:
                caller.connection.transport.abort()
                return

    return play


async def test_a_question_that_got_no_answer_is_asked_again() -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        await caller.hear()
        caller.connection.transport.abort()

    async with scripted(play, serving(document_of())) as url, await pull_session_async(url=url) as session:
        assert slider_of(session).value == 1


async def test_what_the_server_has_changed_meanwhile_is_taken_over() -> None:
    back, heard = asyncio.Event(), []
    server = scripted(breaking(document_of()), serving(document_of(7)))
    async with server as url, await pull_session_async(url=url, on_reconnect=back.set) as session:
        slider_of(session).on_change("value", lambda attr, old, new: heard.append(new))
        await asyncio.wait_for(back.wait(), WAIT_S)
        assert slider_of(session).value == 7
    assert heard == [7]


async def test_what_was_changed_here_meanwhile_is_said() -> None:
    said: asyncio.Queue[Any] = asyncio.Queue()

    async def listening(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(document_of(7)):
            if message.msgtype == "PATCH-DOC":
                said.put_nowait(event_of(message))

    async with scripted(breaking(document_of()), listening) as url, await pull_session_async(url=url) as session:
        await until(lambda: not session.connected)
        for value in range(20, 30):
            slider_of(session).value = value
        # Only the last, unless the line is back already, though not yet caught up: then each, in order.
        heard = [(await asyncio.wait_for(said.get(), WAIT_S))["new"]]
        while heard[-1] != 29:
            heard.append((await asyncio.wait_for(said.get(), WAIT_S))["new"])
        assert heard in ([29], list(range(20, 30)))
        assert slider_of(session).value == 29
    assert said.empty()


async def test_another_document_replaces_a_pulled_one(caplog: pytest.LogCaptureFixture) -> None:
    other, back = Document(), asyncio.Event()
    other.add_root(slider("else", 4))
    server = scripted(breaking(document_of()), serving(other))
    async with server as url, await pull_session_async(url=url, on_reconnect=back.set) as session:
        document = session.document
        await asyncio.wait_for(back.wait(), WAIT_S)
        assert session.document is document
        assert slider_of(session).value == 4
    assert "has a new session" in caplog.text


async def test_a_pushed_one_is_pushed_again() -> None:
    pushes: list[int] = []

    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for message in caller.requests(Document()):
            if message.msgtype == "PUSH-DOC":
                pushes.append(len(message.content))
                if len(pushes) == 1:
                    caller.connection.transport.abort()
                    return

    back = asyncio.Event()
    server = scripted(play)
    async with server as url, await push_session_async(document_of(), url=url, on_reconnect=back.set) as session:
        await asyncio.wait_for(back.wait(), WAIT_S)
        assert slider_of(session).value == 1
    assert len(pushes) >= 2


@pytest.mark.parametrize(("code", "reason", "words"), [
    (1009, "message too big", "--websocket-max-message-size"),
    (1002, "no such thing", "no such thing"),
    (1008, "logged out", "logged out"),
])
async def test_a_close_that_blames_us_is_final(code: int, reason: str, words: str) -> None:
    connections = 0

    async def play(caller: Caller) -> None:
        nonlocal connections
        connections += 1
        await caller.say(ack())
        async for _ in caller.requests(document_of()):
            await caller.connection.close(code, reason)
            return

    lost: list[LostError] = []
    async with scripted(play) as url:
        session = await pull_session_async(url=url, on_lost=lost.append)
        with pytest.raises(LostError, match=words):
            await asyncio.wait_for(session.wait_until_closed(), WAIT_S)
        assert connections == 1
        assert len(lost) == 1
        with pytest.raises(LostError, match=words):
            slider_of(session).value = 5
        with pytest.raises(LostError, match=words):
            await session.force_roundtrip()
        await session.close()


async def test_a_server_that_refuses_us_after_a_while_is_final() -> None:
    async def refusing(caller: Caller) -> None:
        await caller.connection.close(1008, "you again")

    async with scripted(breaking(document_of()), refusing) as url:
        session = await pull_session_async("id", url)
        with pytest.raises(LostError, match="you again"):
            await asyncio.wait_for(session.wait_until_closed(), WAIT_S)
        await session.close()


async def test_it_gives_up_after_a_while() -> None:
    async with scripted(breaking(document_of())) as url:
        session = await pull_session_async(url=url, reconnect=0.5)
    with pytest.raises(LostError, match="no server answers"):
        await asyncio.wait_for(session.wait_until_closed(), WAIT_S)
    await session.close()


async def test_a_large_message_that_breaks_each_connection_is_named() -> None:
    async def play(caller: Caller) -> None:
        await caller.say(ack())
        async for _ in caller.requests(document_of()):
            await caller.connection.recv()
            caller.connection.transport.abort()
            return

    async with scripted(play) as url:
        session = await pull_session_async(url=url)
        slider_of(session).title = "x" * 200_000
        with pytest.raises(LostError, match="too large for the server"):
            await asyncio.wait_for(session.wait_until_closed(), WAIT_S)
        with pytest.raises(LostError, match="may not have arrived"):
            await session.close()


async def test_without_a_listener_a_loss_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(breaking(document_of())) as url:
        session = await pull_session_async(url=url, reconnect=0)
        with pytest.raises(LostError):
            await session.wait_until_closed()
    await session.close()
    assert [record.levelno for record in caplog.records if "is lost" in record.getMessage()] == [logging.ERROR]


async def test_closing_leaves_nothing_behind() -> None:
    async with scripted(serving(document_of())) as url:
        before = asyncio.all_tasks()
        sessions = [await pull_session_async(url=url) for _ in range(3)]
        closing = [session.close() for session in sessions for _ in range(2)]
        await asyncio.gather(*closing)
        for session in sessions:
            with pytest.raises(ClientError, match="closed"):
                await session.pull()
        await until(lambda: asyncio.all_tasks() <= before)


async def test_cancelled_while_it_connects() -> None:
    async def play(caller: Caller) -> None:
        await caller.connection.wait_closed()

    async with scripted(play) as url:
        task = asyncio.create_task(pull_session_async("id", url))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_delays_are_short_here() -> None:
    backoff = Backoff(1)
    backoff.cut()
    assert (backoff.delay_s() or 9) <= 0.01

"""Websockets over ASGI: who is admitted, what is refused and how, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.support.asgi_websocket import BATCH, Peer, socket_scope
from tests.support.front_site import MakeSite, Site
from tests.support.waiting import until

from hotshoe.base.backlog import Backlog, Backlogs
from hotshoe.base.errors import BuildError
from hotshoe.base.logs import session_hash
from hotshoe.config.limit_table import LIMITS
from hotshoe.http.scopes import BACKLOG
from hotshoe.tokens import mint
from hotshoe.web.visits import sockets, websockets
from hotshoe.wire import Close

HEADER = json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"})


def token(session_id: str = "s", *, age_s: float = 0, **payload: Any) -> str:
    return mint(session_id, now_s=time.time() - age_s, lifetime_s=300, payload=payload)


def protocols(session_id: str = "s", **more: Any) -> list[str]:
    return ["bokeh", token(session_id, **more)]


async def opened(site: Site, **more: Any) -> Peer:
    """A socket that has got its ACK."""
    peer = site.connect("/a/ws", **({"protocols": protocols()} | more))
    assert await peer.hear() == {"type": "websocket.accept", "subprotocol": "bokeh"}
    header = json.loads((await peer.hear())["text"])
    assert header["msgtype"] == "ACK"
    assert [(await peer.hear())["text"] for _ in range(2)] == ["{}", "{}"]
    return peer


def say_message(peer: Peer) -> None:
    for fragment in (HEADER, "{}", "{}"):
        peer.say(type="websocket.receive", text=fragment)


async def test_messages_both_ways(site: Site) -> None:
    peer = await opened(site)
    say_message(peer)
    assert [(await peer.hear())["text"] for _ in range(3)] == ['{"reqid":"1"}', "{}", "{}"]
    site.host.pipes[0].outgoing.put_nowait([(b"h", b"{}", b"c", b"b", memoryview(b"\x00\xff"))])
    assert [(await peer.hear()).get("text") for _ in range(4)] == ["h", "{}", "c", "b"]
    assert await peer.hear() == {"type": "websocket.send", "bytes": b"\x00\xff"}
    peer.leave()
    assert await peer.ended() == []
    assert site.host.pipes[0].detached == 1


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    low = replace(LIMITS, progress_s=0.02, least_bytes_per_s=2**40, held_bytes=1, small_bytes=10)
    monkeypatch.setattr(sockets, "LIMITS", low)
    monkeypatch.setattr(websockets, "LIMITS", low)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("parts", [(HEADER,), (HEADER, "{}")])
async def test_half_a_message_is_not_waited_for(make_site: MakeSite, parts: tuple[str, ...]) -> None:
    peer = await opened(make_site("/a"))
    await asyncio.sleep(0.1)  # no message has begun
    for fragment in parts:
        peer.say(type="websocket.receive", text=fragment)
    assert await peer.hear() == {"type": "websocket.close", "code": 1008, "reason": "message too slow"}
    await peer.ended()


@pytest.mark.usefixtures("low_limits")
async def test_under_another_server_no_more_is_asked_for_than_may_wait(make_site: MakeSite) -> None:
    site = make_site("/a")
    first, second = await opened(site), await opened(site, protocols=protocols("t"))
    first.say(type="websocket.receive", text=json.dumps({"msgid": "long" * 10, "msgtype": "PULL-DOC-REQ"}))
    await until(lambda: first.waiting == 0)
    second.say(type="websocket.receive", text=HEADER)
    say_message(second)
    assert await first.hear() == {"type": "websocket.close", "code": 1008, "reason": "message too slow"}
    await first.ended()
    await until(lambda: second.waiting == 0)
    second.leave()
    await second.ended()


async def test_batches_where_the_server_can(site: Site) -> None:
    peer = site.connect("/a/ws", protocols=protocols(), batch=True)
    await peer.hear()
    assert [binary for _, binary in (await peer.hear())["fragments"]] == [False] * 3
    message = (b"h", b"{}", b"c", b"b", b"\0")
    site.host.pipes[0].outgoing.put_nowait([message, message])
    event = await peer.hear()
    assert event["type"] == BATCH
    assert event["fragments"] == [(data, index == 4) for index, data in enumerate(message)] * 2
    peer.leave()
    await peer.ended()


async def test_a_long_silence_is_broken_where_pings_are_not_ours_to_send(make_site: MakeSite) -> None:
    site = make_site("/a", keep_alive_milliseconds=30)
    peer = await opened(site)
    for _ in range(2):
        header, metadata, content = [(await peer.hear())["text"] for _ in range(3)]
        assert json.loads(header)["msgtype"] == "PATCH-DOC"
        assert (metadata, content) == ("{}", '{"events":[]}')
    say_message(peer)
    assert (await peer.hear())["text"] == '{"reqid":"1"}'
    peer.leave()
    await peer.ended()


@pytest.mark.parametrize(("batch", "keep_alive"), [(True, 30), (False, 0)])
async def test_silence_stays_silence(make_site: MakeSite, batch: bool, keep_alive: int) -> None:
    site = make_site("/a", keep_alive_milliseconds=keep_alive)
    peer = site.connect("/a/ws", protocols=protocols(), batch=batch)
    for _ in range(2 if batch else 4):
        await peer.hear()
    await asyncio.sleep(0.1)
    peer.leave()
    assert await peer.ended() == []


async def test_the_session_is_made_again_from_the_token(site: Site) -> None:
    given = token("gone", arguments={"x": ["1"]}, user="jo")
    peer = await opened(site, protocols=["bokeh", given], query=b"y=2", headers={"Cookie": "c=1"})
    [open_request] = site.host.open_requests
    assert (open_request.app, open_request.session_id) == ("/a", "gone")
    assert open_request.payload == {"arguments": {"x": ["1"]}, "user": "jo"}
    assert (open_request.request.arguments, open_request.request.cookies) == ({"x": [b"1"]}, {"c": "1"})
    peer.leave()
    await peer.ended()


@pytest.mark.parametrize(("offered", "code", "reason"), [
    ([], 1002, "Subprotocol header is not 'bokeh'"),
    (["bokeh"], 1002, "Subprotocol header is not 'bokeh'"),
    (["other", "x"], 1002, "Subprotocol header is not 'bokeh'"),
    (["bokeh", "a", "b"], 1002, "Subprotocol header is not 'bokeh'"),
    (["bokeh", ""], 1008, "No token received in subprotocol header"),
    (["bokeh", "nonsense"], 1008, "token can't be decoded"),
    (["bokeh", "<b>"], 1008, "malformed session token"),
])
async def test_refused_after_the_handshake(site: Site, offered: list[str], code: int, reason: str,
                                           caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    peer = site.connect("/a/ws", protocols=offered)
    accepted = await peer.hear()
    assert accepted["subprotocol"] == (offered[0] if len(offered) == 2 else None)
    assert await peer.hear() == {"type": "websocket.close", "code": code, "reason": reason}
    assert await peer.ended() == []
    assert not site.host.open_requests
    assert len(caplog.records) == 1


async def test_an_old_token_joins_a_live_session_and_makes_none(site: Site) -> None:
    old = ["bokeh", token("s", age_s=9999)]
    peer = site.connect("/a/ws", protocols=old)
    await peer.hear()
    assert (await peer.hear())["code"] == 1008
    await peer.ended()
    site.host.live.add(("/a", "s"))
    peer = await opened(site, protocols=old)
    assert not site.host.open_requests
    peer.leave()
    await peer.ended()


@pytest.mark.parametrize(("path", "headers", "status", "body"), [
    ("/c/ws", {}, 404, b"There is no app at this address"),
    ("/a", {}, 404, b"There is no app at this address"),
    ("/a/ws", {"Origin": "http://evil.com"}, 403, b"Cross origin websockets not allowed"),
    ("/a/ws", {"Origin": "null"}, 403, b"Cross origin websockets not allowed"),
])
async def test_refused_before_the_handshake(site: Site, path: str, headers: dict[str, str], status: int,
                                            body: bytes) -> None:
    peer = site.connect(path, protocols=protocols(), headers=headers)
    start, end = await peer.ended()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert end["body"] == body


async def test_refused_where_the_server_can_only_close(site: Site) -> None:
    peer = site.connect("/c/ws", plain=True)
    reason = "There is no app at this address"
    assert await peer.ended() == [{"type": "websocket.close", "code": 1008, "reason": reason}]


async def test_a_refused_origin_is_logged_with_the_flag(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.connect("/a/ws", headers={"Origin": "http://evil.com:81"}).ended()
    [record] = caplog.records
    assert "--allow-websocket-origin='evil.com:81'" in record.getMessage()


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "http://testserver"}, {"Origin": "https://testserver"}, {"Origin": "https://friend.org:444"},
    {"Origin": "https://public.org", "X-Forwarded-Host": "public.org"},
    {"Origin": "https://public.org", "Sec-Fetch-Site": "same-origin"},
])
async def test_admitted_origins(make_site: MakeSite, headers: dict[str, str]) -> None:
    site = make_site("/a", allow_websocket_origin=("friend.org:*",))
    peer = await opened(site, headers=headers)
    peer.leave()
    await peer.ended()


@pytest.mark.parametrize(("fragments", "code"), [
    (["{"], 1007), (['{"msgid": "1"}'], 1002), ([b"x"], 1003), ([HEADER, b"x"], 1003), (["x" * 3000], 1009),
    ([HEADER, "{}", "y" * 3000], 1009),
])
async def test_what_breaks_the_protocol_ends_the_socket(make_site: MakeSite, fragments: list[str | bytes], code: int,
                                                        caplog: pytest.LogCaptureFixture) -> None:
    site = make_site("/a", websocket_max_message_size=1000)
    peer = await opened(site)
    caplog.set_level(logging.INFO)
    caplog.clear()
    for fragment in fragments:
        peer.say(type="websocket.receive", **{"text" if isinstance(fragment, str) else "bytes": fragment})
    closed = await peer.hear()
    assert (closed["type"], closed["code"]) == ("websocket.close", code)
    assert closed["reason"]
    assert await peer.ended() == []
    assert site.host.pipes[0].detached == 1
    assert len(caplog.records) == 1


async def test_the_host_closes(site: Site) -> None:
    peer = await opened(site)
    site.host.pipes[0].outgoing.put_nowait(Close(1013, "é" * 200))
    closed = await peer.hear()
    assert (closed["code"], closed["reason"]) == (1013, "é" * 61)
    await peer.ended()
    assert site.host.pipes[0].detached == 1


async def test_a_failing_app(site: Site) -> None:
    site.host.failures["open"] = BuildError("/a", "c0ffee11")
    peer = site.connect("/a/ws", protocols=protocols())
    await peer.hear()
    closed = await peer.hear()
    assert closed["code"] == 1011
    assert "c0ffee11" in closed["reason"]
    await peer.ended()


async def test_an_unexpected_failure_is_logged_and_not_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.host.failures["open"] = OSError("secret")
    peer = site.connect("/a/ws", protocols=protocols())
    await peer.hear()
    closed = await peer.hear()
    assert closed["code"] == 1011
    assert "secret" not in closed["reason"]
    await peer.ended()
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_leaving_while_the_app_builds(site: Site) -> None:
    site.host.gate = asyncio.Event()
    peer = site.connect("/a/ws", protocols=protocols())
    await peer.hear()
    await asyncio.sleep(0.01)
    peer.leave()
    assert await peer.ended() == []
    assert site.host.cancelled == 1
    assert not site.host.pipes


async def test_a_message_before_the_session_is_ready_waits(site: Site) -> None:
    site.host.gate = asyncio.Event()
    peer = site.connect("/a/ws", protocols=protocols())
    await peer.hear()
    say_message(peer)
    await asyncio.sleep(0.01)
    site.host.gate.set()
    assert json.loads((await peer.hear())["text"])["msgtype"] == "ACK"
    [pipe] = site.host.pipes
    while not pipe.handled:
        await asyncio.sleep(0.01)
    assert [message.msgid for message in pipe.handled] == ["1"]
    peer.leave()
    await peer.ended()


async def test_leaving_while_a_message_is_written(site: Site) -> None:
    peer = await opened(site)
    peer.gone = True
    site.host.pipes[0].outgoing.put_nowait([(b"h", b"{}", b"c")])
    assert await peer.ended() == []
    assert site.host.pipes[0].detached == 1


async def test_leaving_before_anything(site: Site) -> None:
    peer = site.connect("/a/ws", protocols=protocols())
    peer.gone = True
    assert await peer.ended() == []


async def test_cancelled(site: Site) -> None:
    peer = await opened(site)
    before = len(asyncio.all_tasks())
    peer.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await peer.task
    assert site.host.pipes[0].detached == 1
    assert len(asyncio.all_tasks()) == before - 3


async def test_stopping_closes_sockets(site: Site) -> None:
    peers = [await opened(site) for _ in range(3)]
    site.host.gate = asyncio.Event()
    building = site.connect("/a/ws", protocols=protocols("other"))
    await building.hear()
    await site.front.stop()
    for peer in (*peers, building):
        assert [(event["type"], event["code"]) for event in await peer.ended()] == [("websocket.close", 1001)]
    assert [pipe.detached for pipe in site.host.pipes] == [1, 1, 1]
    assert site.host.stopped == 1
    late = site.connect("/a/ws", protocols=protocols())
    assert (await late.ended())[0]["status"] == 503


async def test_many_that_come_and_go_leave_nothing(site: Site) -> None:
    await site.front.start()
    for _ in range(50):
        peer = await opened(site)
        say_message(peer)
        peer.leave()
        await peer.ended()
    assert all(pipe.detached == 1 for pipe in site.host.pipes)
    assert len(asyncio.all_tasks()) == 1


async def test_a_message_that_is_too_large_stands_in_the_log_with_the_flag(
        make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site("/a", websocket_max_message_size=100)
    peer = await opened(site)
    for fragment in (HEADER, "{}", "x" * 100):
        peer.say(type="websocket.receive", text=fragment)
    assert await peer.hear() == {"type": "websocket.close", "code": 1009, "reason": "message too big"}
    await peer.ended()
    scope = socket_scope("/a/ws", protocols=protocols())
    own = Peer(site.front, {**scope, BACKLOG: Backlog(Backlogs(100, 100, 1, 1))})  # our own server closes by itself
    while (await own.hear()).get("text") != "{}":
        pass
    own.say(type="websocket.disconnect", code=1009, reason="message too big")
    await own.ended()
    lines = [record.getMessage() for record in caplog.records if "--websocket-max-message-size" in record.getMessage()]
    assert lines == [f"Closing the websocket of app /a, session {session_hash('s')}: message too big. "
                     "--websocket-max-message-size is 100 bytes now"] * 2

"""What ``process_request`` returns and is too long for a token waits on the server."""

from __future__ import annotations

import secrets

import pytest
from tests.support.asgi_websocket import Peer
from tests.support.cookie_client import SetClock
from tests.support.encoded_shared import EncodedShared
from tests.support.front_site import MakeSite, Site

from hotshoe.base.shared import MemoryShared, Shared
from hotshoe.http.requests import Request
from hotshoe.tokens import new_session_id
from hotshoe.web.visits.tickets import LONG_CHARS, PARKED, Mode, Parking, Tickets

LARGE = {"user": {"name": "ann", "roles": [f"role {number}" for number in range(3000)]}}


async def knock(site: Site, token: str) -> Peer:
    peer = site.connect("/a/ws", protocols=["bokeh", token])
    await peer.hear()
    await peer.hear()
    peer.leave()
    await peer.ended()
    return peer


async def test_the_token_stays_short_and_the_session_gets_it_again(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="auto")
    site.host.payload = LARGE
    page = await site.get("/a?x=1", headers={"Cookie": "sso=" + "c" * 6000, "X-Sso": "s" * 6000})
    token = page.text.removeprefix("<html>").removesuffix("</html>")
    assert len(token) <= LONG_CHARS
    site.host.live.clear()  # the session has expired before its socket came
    await knock(site, token)
    assert site.host.open_requests[-1].payload == {"arguments": {"x": [b"1"]}, **LARGE}


async def test_elsewhere_process_request_is_asked_again(make_site: MakeSite) -> None:
    here, there = (make_site("/a", session_ids="auto", secret_key="k" * 40) for _ in range(2))
    here.host.payload = LARGE
    page = await here.get("/a?x=1")
    await knock(there, page.text.removeprefix("<html>").removesuffix("</html>"))
    open_request = there.host.open_requests[-1]
    assert open_request.payload is None
    assert dict(open_request.request.arguments) == {"x": [b"1"]}


def tickets_of(shared: Shared | None = None) -> Tickets:
    return Tickets([b"k" * 40], Mode.AUTO, parking=Parking(shared or MemoryShared(), 300))


async def test_in_another_process_that_shares_it_the_payload_is_found() -> None:
    shared = EncodedShared(MemoryShared())
    session_id, payload = new_session_id(key=b"k" * 40), {**LARGE, "key": b"\x00\xff", "nan": float("inf"), "\ud800": 1}
    token = await tickets_of(shared).mint(session_id, Request(arguments={"x": [b"1"]}), payload)
    ticket = tickets_of(shared).of_token(token)
    assert ticket.payload_lost, "until it has been fetched"
    for _ in range(2):
        fetched = await tickets_of(shared).with_parked(ticket)
        assert fetched.payload == {"arguments": {"x": [b"1"]}, **payload}
        assert not fetched.payload_lost
    fetched = await tickets_of().with_parked(ticket)
    assert fetched.payload == {"arguments": {"x": [b"1"]}}
    assert fetched.payload_lost


async def test_a_short_payload_travels() -> None:
    session_id = new_session_id(key=b"k" * 40)
    ticket = tickets_of().of_token(await tickets_of().mint(session_id, Request(), {"user": "ann"}))
    assert await tickets_of().with_parked(ticket) is ticket
    assert ticket.payload == {"arguments": {}, "user": "ann"}
    assert not ticket.payload_lost


async def test_what_cannot_be_a_token_is_an_error() -> None:
    with pytest.raises(TypeError):
        await Tickets().mint("s", Request(), {"user": object()})


async def test_a_payload_waits_as_long_as_its_token_can_create_the_session() -> None:
    clock = SetClock()
    tickets = Tickets([b"k" * 40], Mode.AUTO, lifetime_s=10, clock=clock, parking=Parking(MemoryShared(clock), 10))
    ticket = tickets.of_token(await tickets.mint(new_session_id(key=b"k" * 40), Request(), LARGE))
    clock.now += 9
    assert not (await tickets.with_parked(ticket)).payload_lost
    clock.now += 1
    assert (await tickets.with_parked(ticket)).payload_lost


async def test_apps_with_sessions_of_the_same_id(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", session_ids="auto", secret_key="k" * 40)
    session_id = new_session_id(key=b"k" * 40)
    site.host.payload = {**LARGE, "of": "a"}
    page = await site.get(f"/a?bokeh-session-id={session_id}")
    token = page.text.removeprefix("<html>").removesuffix("</html>")
    site.host.payload = {**LARGE, "of": "b"}
    assert (await site.get(f"/b?bokeh-session-id={session_id}")).status_code == 200
    site.host.live.clear()
    await knock(site, token)
    payload = site.host.open_requests[-1].payload
    assert payload is not None
    assert payload["of"] == "a"


async def test_what_can_be_deflated_takes_its_whole_place() -> None:
    tickets = tickets_of()
    ids = [new_session_id(key=b"k" * 40) for _ in range(PARKED.most_bytes // 900_000 + 1)]
    payload = {"names": secrets.token_hex(2000), "text": " " * 900_000}
    tokens = [await tickets.mint(session_id, Request(), payload) for session_id in ids]
    assert (await tickets.with_parked(tickets.of_token(tokens[0]))).payload_lost
    assert not (await tickets.with_parked(tickets.of_token(tokens[-1]))).payload_lost

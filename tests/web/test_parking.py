"""What ``process_request`` returns and is too long for a token waits on the server."""

from __future__ import annotations

import secrets

import pytest
from tests.web.conftest import MakeSite
from tests.web.hosting import Peer, Site

from hotshoe.apps.request import Request
from hotshoe.tokens import new_session_id, read
from hotshoe.web.parking import MAX_BYTES, Parking
from hotshoe.web.tickets import LONG_CHARS, Mode, Tickets

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
    assert site.host.wishes[-1].payload == {"arguments": {"x": [b"1"]}, **LARGE}


async def test_elsewhere_process_request_is_asked_again(make_site: MakeSite) -> None:
    here, there = (make_site("/a", session_ids="auto", secret_key="k" * 40) for _ in range(2))
    here.host.payload = LARGE
    page = await here.get("/a?x=1")
    await knock(there, page.text.removeprefix("<html>").removesuffix("</html>"))
    wish = there.host.wishes[-1]
    assert wish.payload is None
    assert dict(wish.request.arguments) == {"x": [b"1"]}


def test_a_short_payload_travels() -> None:
    tickets = Tickets([b"k" * 40], Mode.AUTO)
    session_id = new_session_id(key=b"k" * 40)
    ticket = Tickets([b"k" * 40], Mode.AUTO).of_token(tickets.mint(session_id, Request(), {"user": "ann"}))
    assert ticket.payload == {"arguments": {}, "user": "ann"}
    assert not ticket.lost


def test_what_cannot_be_a_token_is_an_error() -> None:
    with pytest.raises(TypeError):
        Tickets().mint("s", Request(), {"user": object()})


def test_the_oldest_and_the_expired_make_room() -> None:
    now = 0.0
    parking = Parking(10, lambda: now, max_bytes=100)
    for number in range(5):
        parking.park(f"s{number}", {"n": number}, 40)
    assert [parking.find(f"s{number}") for number in range(5)] == [None, None, None, {"n": 3}, {"n": 4}]
    parking.park("s4", {"n": 5}, 40)
    assert parking.find("s4") == {"n": 5}
    now = 10.0
    assert parking.find("s4") is None
    parking.park("large", {}, 1000)
    assert parking.find("large") is None
    parking.park("s9", {"n": 9}, 100)
    assert parking.find("s9") == {"n": 9}


async def test_apps_with_sessions_of_the_same_id(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", session_ids="auto")
    site.host.payload = {**LARGE, "of": "a"}
    token = (await site.get("/a")).text.removeprefix("<html>").removesuffix("</html>")
    session_id = read(token).session_id
    site.host.payload = {**LARGE, "of": "b"}
    await site.get(f"/b?bokeh-session-id={session_id}")
    site.host.live.clear()
    await knock(site, token)
    payload = site.host.wishes[-1].payload
    assert payload is not None
    assert payload["of"] == "a"


def test_what_can_be_deflated_takes_its_whole_place() -> None:
    tickets = Tickets([b"k" * 40], Mode.AUTO)
    ids = [new_session_id(key=b"k" * 40) for _ in range(MAX_BYTES // 900_000 + 1)]
    payload = {"names": secrets.token_hex(2000), "text": " " * 900_000}
    tokens = [tickets.mint(session_id, Request(), payload) for session_id in ids]
    assert tickets.of_token(tokens[0]).lost
    assert not tickets.of_token(tokens[-1]).lost

"""Which session a request asks for, signed and not."""

from __future__ import annotations

import pytest
from tests.support.cookie_client import SetClock

from hotshoe.auth.accounts import Account
from hotshoe.auth.oidc.openid import Attempt, Client
from hotshoe.base.errors import RequestError, TokenError
from hotshoe.http.requests import Request
from hotshoe.tokens import check_session_id, new_session_id, read
from hotshoe.web.visits.tickets import Mode, Tickets

KEY = b"k" * 32


def test_a_new_session() -> None:
    ticket = Tickets().of_page({}, None)
    assert len(ticket.session_id) == 44
    assert (ticket.token, ticket.payload, ticket.expired) == (None, None, False)
    assert Tickets().of_page({}, None).session_id != ticket.session_id


async def test_signed_ids_and_tokens() -> None:
    tickets = Tickets([KEY], Mode.SIGNED, clock=lambda: 1000.0)
    session_id = tickets.of_page({}, None).session_id
    assert check_session_id(session_id, KEY)
    token = await tickets.mint(session_id, Request(arguments={"a": [b"1"]}), {"user": "jo"})
    assert tickets.of_page({"bokeh-token": [token.encode()]}, None).session_id == session_id
    assert tickets.of_page({}, session_id).session_id == session_id
    with pytest.raises(RequestError, match="Invalid token or session ID"):
        tickets.of_page({}, new_session_id())
    with pytest.raises(TokenError):
        tickets.of_token(await Tickets().mint(session_id, Request(), {}))
    with pytest.raises(TokenError):
        tickets.of_token(await Tickets([b"other" * 8], Mode.SIGNED).mint(session_id, Request(), {}))


def test_external_ids() -> None:
    tickets = Tickets([KEY], Mode.EXTERNAL)
    with pytest.raises(RequestError, match="No bokeh-session-id provided") as caught:
        tickets.of_page({}, None)
    assert caught.value.status == 403
    mine = new_session_id(key=KEY)
    assert tickets.of_page({"bokeh-session-id": [mine.encode()]}, None).session_id == mine
    with pytest.raises(RequestError, match="Invalid token or session ID"):
        tickets.of_page({"bokeh-session-id": [b"mine"]}, None)


async def test_secrets_are_in_no_repr() -> None:
    tickets = Tickets([KEY], Mode.SIGNED)
    token = await tickets.mint(new_session_id(key=KEY), Request(), {})
    assert "kkk" not in repr(tickets)
    assert token not in repr(tickets.of_token(token))
    assert "s3cret" not in repr(Client("id", "s3cret"))
    assert "s3cret" not in repr(Attempt("state", "s3cret", "s3cret", "http://h/login-callback"))
    assert "argon2" not in repr(Account("ada", "$argon2id$" + "x" * 20))


async def test_expiry() -> None:
    now = 1000.0
    tickets = Tickets(lifetime_s=300, clock=lambda: now)
    token = await tickets.mint("s", Request(), {})
    assert not tickets.of_token(token).expired
    now = 1299.9
    assert not tickets.of_token(token).expired
    now = 1300.0
    assert tickets.of_token(token).expired


async def test_a_token_stays_short_whatever_the_browser_sends() -> None:
    request = Request(arguments={"a": [b"1"]}, headers={"X": "y" * 9000}, cookies={"c": "d" * 9000})
    token = await Tickets([KEY], Mode.AUTO).mint(new_session_id(key=KEY), request, {})
    assert len(token) < 512
    assert read(token, key=KEY).payload == {"arguments": {"a": [b"1"]}}


async def test_a_clock_that_is_set_leaves_live_sessions() -> None:
    """Forward, a page without a websocket must be loaded again; back, it has more time. Neither forges anything."""
    clock = SetClock()
    tickets = Tickets([KEY], Mode.AUTO, clock=clock)
    token = await tickets.mint(tickets.of_page({}, None).session_id, Request(), {})
    for jump_s, may_create in ((0, True), (86_400, False), (-86_400, True)):
        clock.now += jump_s
        assert tickets.of_token(token).may_create is may_create
        clock.now -= jump_s
    clock.now += 86_400
    later = tickets.of_token(await tickets.mint(tickets.of_page({}, None).session_id, Request(), {}))
    assert later.may_create

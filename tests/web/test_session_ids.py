"""Whose session ids and tokens are taken, by mode; what an attacker with a token or without one gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bokeh.core.types import ID
from bokeh.util import token as stock
from tests.support.asgi_websocket import Peer
from tests.support.front_site import MakeSite, Site

from hotshoe.tokens import mint, new_session_id, read

KEY = "k" * 40
OLD_KEY = "o" * 40
LOCAL = ("127.0.0.1", 5000)
REMOTE = ("203.0.113.9", 5000)
NOW_S = 2_000_000_000


def token_of(session_id: str, key: str | None = None, *, expires_s: int = NOW_S, **payload: Any) -> str:
    signing = None if key is None else key.encode()
    return mint(session_id, now_s=expires_s, lifetime_s=0, payload=payload, key=signing)


async def knock(site: Site, token: str, *, client: tuple[str, int] | None = LOCAL, **headers: str) -> Peer:
    """A socket that has been accepted; what comes of its token is still to be heard."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    peer = site.connect("/a/ws", protocols=["bokeh", token], headers=named, client=client)
    assert (await peer.hear())["type"] == "websocket.accept"
    return peer


async def join(site: Site, token: str, **more: Any) -> None:
    """Knock, and be let in."""
    peer = await knock(site, token, **more)
    assert json.loads((await peer.hear())["text"])["msgtype"] == "ACK"
    peer.leave()
    await peer.ended()


async def refused(site: Site, token: str, **more: Any) -> str:
    """Knock, and be told why not."""
    event = await (await knock(site, token, **more)).hear()
    assert (event["type"], event["code"]) == ("websocket.close", 1008)
    return str(event["reason"])


async def page_token(site: Site, path: str = "/a") -> str:
    page = await site.get(path)
    assert page.status_code == 200
    return page.text.removeprefix("<html>").removesuffix("</html>")


def auto(make_site: MakeSite, **settings: Any) -> Site:
    return make_site("/a", session_ids="auto", secret_key=KEY, **settings)


async def test_what_we_make_is_signed(make_site: MakeSite) -> None:
    site = auto(make_site)
    text = await page_token(site)
    token = read(text, key=KEY.encode())
    assert stock.check_token_signature(text, secret_key=KEY.encode(), signed=True)
    assert (await site.get(f"/a?bokeh-session-id={token.session_id}")).status_code == 200


@pytest.mark.parametrize("forge", [
    lambda token: token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"),
    lambda token: "A" + token[1:],
    lambda token: token.partition(".")[0] + ".",
    lambda token: token_of(new_session_id(key=b"x" * 40), "x" * 40),
], ids=["signature", "body", "no signature", "another key"])
async def test_a_forged_token_is_refused(make_site: MakeSite, forge: Any) -> None:
    site = auto(make_site)
    token = forge(await page_token(site))
    assert "signature" in await refused(site, token)
    assert (await site.get(f"/a?bokeh-token={token}")).status_code == 403


async def test_a_script_here_brings_an_id_that_others_can_join(make_site: MakeSite) -> None:
    site = auto(make_site)
    await join(site, token_of("mine", arguments={"a": [b"1"]}, headers={"X-User": "root"}))
    open_request = site.host.open_requests[-1]
    assert (open_request.session_id, open_request.payload) == ("mine", {})
    assert dict(open_request.request.arguments) == {}
    assert "X-User" not in open_request.request.headers
    token = await page_token(site, "/a?bokeh-session-id=mine")
    assert read(token).session_id == "mine"
    await join(site, token, client=REMOTE, origin="http://h", host="h")
    assert len(site.host.pipes) == 2


@pytest.mark.parametrize(("client", "headers"), [
    (REMOTE, {}),
    (None, {}),
    (LOCAL, {"origin": "http://h", "host": "h"}),
    (LOCAL, {"x-forwarded-for": "203.0.113.9"}),
    (LOCAL, {"forwarded": "for=203.0.113.9"}),
    (LOCAL, {"via": "1.1 proxy"}),
    (LOCAL, {"x-real-ip": "203.0.113.9"}),
], ids=lambda value: str(value))
async def test_nobody_else_creates_a_session_under_an_id_of_their_own(
        make_site: MakeSite, client: tuple[str, int] | None, headers: dict[str, str]) -> None:
    site = auto(make_site)
    assert "not signed" in await refused(site, token_of("mine"), client=client, **headers)
    assert site.host.open_requests == []


async def test_a_page_does_not_create_one_either(make_site: MakeSite) -> None:
    site = auto(make_site)
    for path in ("/a?bokeh-session-id=mine", f"/a?bokeh-token={token_of('mine')}",
                 "/a/autoload.js?bokeh-autoload-element=e&bokeh-session-id=mine"):
        answer = await site.get(path)
        assert answer.status_code == 403, path
        assert "--session-ids=unsigned" in answer.text
    assert site.host.open_requests == []


async def test_a_replaced_key_still_verifies(make_site: MakeSite) -> None:
    site = auto(make_site, old_secret_keys=[OLD_KEY])
    old = new_session_id(key=OLD_KEY.encode())
    await join(site, token_of(old, OLD_KEY), client=REMOTE)
    assert (await site.get(f"/a?bokeh-session-id={old}")).status_code == 200
    fresh = read(await page_token(site), key=KEY.encode())
    assert stock.check_session_id_signature(ID(fresh.session_id), secret_key=KEY.encode(), signed=True)


@pytest.mark.parametrize("mode", ["auto", "signed"])
async def test_a_page_under_an_id_of_the_replaced_key(make_site: MakeSite, mode: str) -> None:
    site = make_site("/a", session_ids=mode, secret_key=KEY, old_secret_keys=[OLD_KEY])
    old = new_session_id(key=OLD_KEY.encode())
    await join(site, await page_token(site, f"/a?bokeh-session-id={old}"), client=REMOTE)


async def test_process_request_can_not_be_left_out(make_site: MakeSite) -> None:
    """With an id of ours in a token of one's own making."""
    site = auto(make_site)
    stolen = read(await page_token(site), key=KEY.encode()).session_id
    site.host.live.clear()
    for client in (REMOTE, LOCAL):
        await join(site, token_of(stolen, role="admin"), client=client)
        assert site.host.open_requests[-1].payload is None
        site.host.live.clear()
    assert (await site.get(f"/a?bokeh-token={token_of(stolen)}")).status_code == 200
    assert site.host.open_requests[-1].payload is None


async def test_what_one_app_s_process_request_returned_is_nothing_to_another(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", session_ids="auto", secret_key=KEY)
    site.host.payload = {"role": "admin"}
    token = await page_token(site, "/b?x=1")
    await join(site, token, client=REMOTE)
    open_request = site.host.open_requests[-1]
    assert (open_request.app, open_request.payload) == ("/a", None)
    assert dict(open_request.request.arguments) == {"x": [b"1"]}
    site.host.live.clear()
    await (await site.get(f"/b?bokeh-token={token}")).aread()
    assert site.host.open_requests[-1].payload == {"arguments": {"x": [b"1"]}, "role": "admin"}


async def test_an_expired_token_creates_nothing(make_site: MakeSite) -> None:
    site = auto(make_site)
    session_id = new_session_id(key=KEY.encode())
    replayed = token_of(session_id, KEY, expires_s=1_000)
    assert "expired" in await refused(site, replayed)
    assert site.host.open_requests == []
    site.host.live.add(("/a", session_id))
    await join(site, replayed)


async def test_signed_takes_only_what_is_signed(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="signed", secret_key=KEY)
    site.host.live.add(("/a", "mine"))
    assert (await site.get("/a?bokeh-session-id=mine")).status_code == 403
    await refused(site, token_of("mine"))
    await refused(site, token_of("mine", KEY))
    theirs = stock.generate_jwt_token(ID(stock.generate_session_id(secret_key=KEY.encode(), signed=True)),
                                      secret_key=KEY.encode(), signed=True)
    await join(site, theirs, client=REMOTE)


async def test_external_ids_come_from_elsewhere(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="external-signed", secret_key=KEY)
    assert (await site.get("/a")).status_code == 403
    theirs = stock.generate_session_id(secret_key=KEY.encode(), signed=True)
    assert (await site.get(f"/a?bokeh-session-id={theirs}")).status_code == 200


async def test_unsigned_is_stock(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="unsigned")
    await join(site, token_of("mine", arguments={"a": [b"1"]}), client=REMOTE)
    assert dict(site.host.open_requests[-1].request.arguments) == {"a": [b"1"]}
    assert "." not in await page_token(site)

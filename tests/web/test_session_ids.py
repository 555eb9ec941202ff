"""Whose session ids and tokens are taken, by mode; what an attacker with a token or without one gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.core.types import ID
from bokeh.util import token as stock
from tests.support.asgi_websocket import Peer, socket_scope
from tests.support.front_site import MakeSite, Site

from hotshoe.config import Settings
from hotshoe.hosts.host import AppInfo
from hotshoe.tokens import mint, new_session_id, read
from hotshoe.web.gate.secret_keys import keys_of

KEY = "k" * 40
OLD_KEY = "o" * 40
LOCAL = ("127.0.0.1", 5000)
REMOTE = ("203.0.113.9", 5000)
NOW_S = 2_000_000_000


def token_of(session_id: str, key: str | None = None, *, expires_s: int = NOW_S, **payload: Any) -> str:
    signing = None if key is None else key.encode()
    return mint(session_id, now_s=expires_s, lifetime_s=0, payload=payload, key=signing)


class Within:
    """A framework that mounts an app: it adds to its scopes."""

    def __init__(self, app: Any, keys: dict[str, Any]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        root = self._keys.get("root_path", "")
        await self._app({**scope, **self._keys, "path": root + scope["path"]}, receive, send)


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
    return make_site("/a", **{"session_ids": "auto", "secret_key": KEY, **settings})


async def test_what_we_make_is_signed(make_site: MakeSite) -> None:
    site = auto(make_site)
    text = await page_token(site)
    assert stock.get_session_id(text) == read(text).session_id
    assert (text.count("."), read(text).session_id.count(".")) == (1, 1)
    assert not stock.check_token_signature(text, secret_key=KEY.encode(), signed=True), "only this app can sign so"
    assert (await site.get(f"/a?bokeh-session-id={read(text).session_id}")).status_code == 200
    await join(site, text, client=REMOTE)


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
    before, after = (auto(make_site, secret_key=key) for key in (OLD_KEY, KEY))
    await join(site, await page_token(before), client=REMOTE)
    await join(after, await page_token(site), client=REMOTE)


@pytest.mark.parametrize("mode", ["auto", "signed"])
async def test_a_page_under_an_id_of_the_replaced_key(make_site: MakeSite, mode: str) -> None:
    site = make_site("/a", session_ids=mode, secret_key=KEY, old_secret_keys=[OLD_KEY])
    old = new_session_id(key=OLD_KEY.encode())
    await join(site, await page_token(site, f"/a?bokeh-session-id={old}"), client=REMOTE)


async def test_process_request_can_not_be_left_out(make_site: MakeSite) -> None:
    """With an id of ours in a token of one's own making."""
    site = auto(make_site)
    stolen = read(await page_token(site)).session_id
    site.host.live.clear()
    await join(site, token_of(stolen, role="admin"), client=LOCAL)
    assert site.host.open_requests[-1].payload is None


async def test_a_token_of_one_s_own_making_creates_nothing_even_with_an_id_of_ours(make_site: MakeSite) -> None:
    """Its maker chooses when it expires. So a page that was once shown would be good for sessions for ever."""
    site = auto(make_site)
    page = await page_token(site)
    site.host.live.clear()
    made = token_of(read(page).session_id)
    site.host.open_requests.clear()
    assert "not signed" in await refused(site, made, client=REMOTE)
    assert (await site.get(f"/a?bokeh-token={made}")).status_code == 403
    assert not [request for request in site.host.open_requests if request.may_create]
    await join(site, page, client=REMOTE)
    await join(site, made, client=REMOTE)


@pytest.mark.parametrize("mode", ["auto", "signed"])
async def test_a_token_is_good_for_its_own_app_only(make_site: MakeSite, mode: str) -> None:
    site = make_site("/a", "/b", session_ids=mode, secret_key=KEY)
    site.host.payload = {"role": "admin"}
    token = await page_token(site, "/b?x=1")
    session_id = read(token).session_id
    site.host.open_requests.clear()
    assert "another app" in await refused(site, token, client=REMOTE)
    for query in (f"bokeh-token={token}", f"bokeh-session-id={session_id}"):
        assert (await site.get(f"/a?{query}")).status_code == 403, query
        assert (await site.get(f"/a/autoload.js?bokeh-autoload-element=e&{query}")).status_code == 403, query
    await refused(site, token_of(session_id, arguments={"x": [b"2"]}), client=REMOTE)
    assert not [request for request in site.host.open_requests if request.may_create]
    site.host.live.clear()
    await (await site.get(f"/b?bokeh-token={token}")).aread()
    assert site.host.open_requests[-1].payload == {"arguments": {"x": [b"1"]}, "role": "admin"}


async def test_what_a_program_with_the_key_signs_is_good_for_every_app(make_site: MakeSite) -> None:
    site = make_site("/a", "/b", session_ids="auto", secret_key=KEY)
    theirs = ID(stock.generate_session_id(secret_key=KEY.encode(), signed=True))
    await join(site, stock.generate_jwt_token(theirs, secret_key=KEY.encode(), signed=True), client=REMOTE)
    assert (await site.get(f"/b?bokeh-session-id={theirs}")).status_code == 200


async def test_a_visitor_takes_an_id_of_such_a_program_to_no_websocket_of_another_app(make_site: MakeSite) -> None:
    """The site around an app may guard its page only."""
    for mode in ("auto", "signed", "external-signed"):
        site = make_site("/a", "/b", session_ids=mode, secret_key=KEY)
        theirs = new_session_id(key=KEY.encode())
        token = await page_token(site, f"/b?bokeh-session-id={theirs}")
        site.host.open_requests.clear()
        await refused(site, token, client=REMOTE)
        await refused(site, token_of(theirs), client=REMOTE)
        assert not [request for request in site.host.open_requests if request.may_create]


async def test_of_a_key_that_servers_find_each_server_makes_keys_of_its_own(
        make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app, other = (AppInfo("/a", "A", origin=origin) for origin in ("file a", "file b"))
    one, again, another, elsewhere = (
        make_site(served, session_ids="auto", address=address)
        for served, address in ((app, ":1"), (app, ":1"), (other, ":1"), (app, ":2")))
    token = await page_token(one)
    await join(again, token, client=REMOTE)
    for site in (another, elsewhere):
        assert "another app" in await refused(site, token, client=REMOTE)
        assert (await site.get(f"/a?bokeh-session-id={read(token).session_id}")).status_code == 403
    # Whoever signs with the found key itself is a server of before, and not a program with the key.
    [key] = keys_of(Settings()).all
    old = new_session_id(key=key)
    assert "another app" in await refused(one, token_of(old, key.decode()), client=REMOTE)
    assert (await one.get(f"/a?bokeh-session-id={old}")).status_code == 403


async def test_one_secret_or_one_name_on_purpose(make_site: MakeSite) -> None:
    app, other = (AppInfo("/a", "A", origin=origin) for origin in ("file a", "file b"))
    for given in ({"secret_key": KEY}, {"server_name": "n"}, {"secret_key": KEY, "server_name": "n"}):
        one = make_site(app, session_ids="auto", address=":1", **given)
        await join(make_site(other, session_ids="auto", address=":2", **given), await page_token(one), client=REMOTE)
    named = make_site(app, session_ids="auto", secret_key=KEY, server_name="m")
    assert "another app" in await refused(named, await page_token(one), client=REMOTE)


async def test_a_token_is_good_for_its_own_mount_only(make_site: MakeSite) -> None:
    site = auto(make_site)

    async def token_at(**keys: Any) -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=Within(site.front, keys)),
                                     base_url="http://testserver") as client:
            return (await client.get("/a")).text.removeprefix("<html>").removesuffix("</html>")

    async def is_taken(token: str, **keys: Any) -> bool:
        scope = socket_scope("/a/ws", protocols=["bokeh", token], client=REMOTE)
        peer = Peer(Within(site.front, keys), scope)
        assert (await peer.hear())["type"] == "websocket.accept"
        event = await peer.hear()
        peer.leave()
        await peer.ended()
        return str(event["type"]) == "websocket.send"

    public, private = {"root_path": "/public"}, {"root_path": "/private"}
    assert await is_taken(await token_at(**public), **public)
    assert not await is_taken(await token_at(**public), **private)
    assert not await is_taken(await token_at(), **private)
    # Starlette tells which part of the root is of a server or proxy in front of it.
    outer = {"root_path": "/outer/public", "app_root_path": "/outer"}
    other = {"root_path": "/other/public", "app_root_path": "/other"}
    assert await is_taken(await token_at(**outer), **other)
    assert await is_taken(await token_at(**outer), **public)
    assert not await is_taken(await token_at(**outer), **private)


async def test_a_proxy_s_prefix_is_no_mount(make_site: MakeSite) -> None:
    site = auto(make_site, use_xheaders=True)
    page = await site.get("/a", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Prefix": "/outer"})
    token = page.text.removeprefix("<html>").removesuffix("</html>")
    for more in ({}, {"x-forwarded-prefix": "/elsewhere"}):
        await join(site, token, x_forwarded_for="203.0.113.9", **more)


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

"""Users of ``--auth basic`` who are removed, renamed, replaced or regrouped while they are logged in, with open pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from argon2 import PasswordHasher
from tests.support.accounts import write_users
from tests.support.asgi_websocket import Peer
from tests.support.cookie_client import token_of
from tests.support.front_site import MakeSite, Site

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic import users_file
from hotshoe.auth.basic.passwords import hash_password
from hotshoe.tokens import read
from hotshoe.web.gate.gatekeeper import NOT_ANY_MORE

PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
PATIENCE_S = 60.0


def account(name: str, *groups: str) -> Account:
    return Account(name, hash_password(PASSWORD, QUICK), groups=frozenset(groups))


ADA, BOB = account("ada", "staff"), account("bob", "staff")


class Place(NamedTuple):
    """A server with users, and the file of the users."""

    site: Site
    file: Path


@pytest.fixture
async def place(make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(users_file, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("hotshoe.auth.basic.passwords.PasswordHasher", lambda *args, **more: QUICK)
    file = tmp_path / "users"
    write_users(file, ADA, BOB)
    site = make_site("/a", "/open", "/all", auth="basic", users_file=str(file), session_ids="auto", secret_key="k" * 40,
                     allow=["a=staff", "all=*"], public=["open"])
    await site.front.start()
    return Place(site, file)


class Visitor:
    """A browser in which a user is logged in."""

    def __init__(self, site: Site, client: httpx.AsyncClient) -> None:
        self._site = site
        self.client = client

    @property
    def headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.client.cookies.items()),
                "origin": "http://testserver"}

    async def page(self, app: str) -> str:
        """The token of a page."""
        answer = await self.client.get(app)
        assert answer.status_code == 200
        return answer.text.removeprefix("<html>").removesuffix("</html>")

    async def joins(self, app: str, token: str) -> Peer | int:
        """The websocket, or the status or code with which it was refused."""
        peer = self._site.connect(f"{app}/ws", protocols=["bokeh", token], headers=self.headers)
        event = await peer.hear()
        if event["type"] != "websocket.accept":
            return int(event["status"])
        event = await peer.hear()
        return int(event["code"]) if event["type"] == "websocket.close" else peer

    async def connects(self, app: str) -> tuple[Peer, str]:
        token = await self.page(app)
        peer = await self.joins(app, token)
        assert isinstance(peer, Peer)
        return peer, token


async def visitor(site: Site, name: str) -> Visitor:
    client = site.client()
    form = token_of(await client.get("/login"))
    answer = await client.post("/login", data={"form_token": form, "name": name, "password": PASSWORD})
    assert answer.status_code == 303
    return Visitor(site, client)


async def closed(peer: Peer) -> tuple[int, str]:
    await asyncio.wait_for(peer.task, PATIENCE_S)
    close = (await peer.ended())[-1]
    return close["code"], close["reason"]


@pytest.mark.parametrize("change", [
    lambda: [BOB],
    list,
    lambda: [replace(ADA, name="eve"), BOB],
    lambda: [replace(BOB, name="ada"), replace(ADA, name="bob")],
    lambda: [account("ada", "staff"), BOB],
], ids=["removed", "all removed", "renamed", "exchanged", "removed and made again"])
async def test_a_user_who_is_there_no_more(place: Place, change: Callable[[], list[Account]]) -> None:
    site, file = place
    ada = await visitor(site, "ada")
    sockets = [await ada.connects(app) for app in ("/a", "/all", "/open")]
    write_users(file, *change())
    for peer, _ in sockets:
        assert await closed(peer) == (1008, NOT_ANY_MORE)
    # Neither the cookie nor the tokens are of use, though the sessions still live.
    assert (await ada.client.get("/a")).status_code == 302
    for app, (_, token) in zip(("/a", "/all"), sockets, strict=False):
        assert (app, read(token).session_id) in site.host.live
        assert await ada.joins(app, token) == 401
        assert (await ada.client.get(f"{app}?bokeh-token={token}")).status_code == 302
        assert (await ada.client.get(f"{app}/autoload.js?bokeh-autoload-element=e")).status_code == 401


async def test_a_user_who_has_left_the_group(place: Place) -> None:
    site, file = place
    ada, bob = await visitor(site, "ada"), await visitor(site, "bob")
    (guarded, token), (other, _), (free, _), (hers, _) = (
        await ada.connects("/a"), await ada.connects("/all"), await ada.connects("/open"), await bob.connects("/a"))
    write_users(file, replace(ADA, groups=frozenset({"guests"})), BOB)
    assert await closed(guarded) == (1008, NOT_ANY_MORE)
    assert (await ada.client.get("/a")).status_code == 403
    assert await ada.joins("/a", token) == 403
    assert not any(peer.task.done() for peer in (other, free, hers)), "nothing else has ended"
    write_users(file, ADA, BOB)
    await ada.page("/a")
    for peer in (other, free, hers):
        peer.leave()
        await peer.ended()


async def test_a_user_who_joins_a_group_stays_connected(place: Place) -> None:
    site, file = place
    ada, bob = await visitor(site, "ada"), await visitor(site, "bob")
    hers, his = await ada.connects("/a"), await bob.connects("/a")
    write_users(file, replace(ADA, groups=frozenset({"staff", "board"})))
    assert await closed(his[0]) == (1008, NOT_ANY_MORE), "by now, the change has been seen"
    assert not hers[0].task.done()
    hers[0].leave()
    await hers[0].ended()

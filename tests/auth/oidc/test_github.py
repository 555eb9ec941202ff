"""GitHub's way of logging in, at a process that answers as it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.cookie_client import app_of, browser
from tests.support.oidc_login import KEYS, log_in
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, PeerProcess, running

from hotshoe.auth import User
from hotshoe.auth.access import Rule
from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.oidc.github import GitHubPeer
from hotshoe.auth.oidc.oidc_login import OidcLogin
from hotshoe.auth.oidc.openid import Client
from hotshoe.base.shared import MemoryShared


@pytest.fixture(scope="module")
def process() -> Iterator[PeerProcess]:
    with running() as found:
        yield found


def provider_for(url: str, scope: tuple[str, ...] = (), secret: str = CLIENT_SECRET,
                 user_claim: str | None = None) -> OidcLogin:
    fetcher = Fetcher(20)
    peer = GitHubPeer(Client(CLIENT_ID, secret), fetcher, scope=scope, user_claim=user_claim,
                      site=url, api=f"{url}/api")
    return OidcLogin(peer, fetcher, keys=KEYS, lifetime_s=1000, purpose="oidc github", shared=MemoryShared())


async def test_name_address_organizations_and_teams(process: PeerProcess) -> None:
    provider = provider_for(process.url)
    await provider.start()
    async with browser(app_of(provider)) as visitor:
        assert (await log_in(visitor)).headers["location"] == "./app?x=1"
        name, email, groups = (await visitor.get("/app")).text.split("|")
        assert (name, email) == ("ada", "ada@example.org")
        assert set(groups.split(",")) == {"bokeh", *(f"bokeh/team-{number}" for number in range(150))}
    await provider.stop()


async def test_an_address_that_is_not_verified_is_none(process: PeerProcess) -> None:
    provider = provider_for(process.url, scope=("read:user", "user:email"))
    async with browser(app_of(provider)) as visitor:
        await log_in(visitor, "eve")
        assert (await visitor.get("/app")).text == "eve||"
    await provider.stop()


async def test_a_secret_that_is_wrong(process: PeerProcess) -> None:
    provider = provider_for(process.url, secret="wrong")
    async with browser(app_of(provider)) as visitor:
        assert (await log_in(visitor)).status_code == 502
        assert (await visitor.get("/app")).status_code == 401
    await provider.stop()


async def test_users_by_their_number(process: PeerProcess) -> None:
    """Which nobody can take over, as a login that was given up."""
    provider = provider_for(process.url, scope=("read:user",), user_claim="sub")
    async with browser(app_of(provider)) as visitor:
        await log_in(visitor)
        name = (await visitor.get("/app")).text.partition("|")[0]
    await provider.stop()
    assert name.isdigit()
    assert Rule.of([f"@{name}"]).admits(User(name))

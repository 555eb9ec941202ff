"""GitHub's way of logging in, at a process that answers as it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.auth.browser import app_of, browser
from tests.auth.oidc_provider import CLIENT_ID, CLIENT_SECRET, PeerProcess, running
from tests.auth.test_oidc import KEYS, log_in

from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.github import Endpoints, GitHubPeer
from hotshoe.auth.oidc import OidcLogin
from hotshoe.auth.openid import Client


@pytest.fixture(scope="module")
def process() -> Iterator[PeerProcess]:
    with running() as found:
        yield found


def provider_for(url: str, scope: tuple[str, ...] = (), secret: str = CLIENT_SECRET) -> OidcLogin:
    fetcher = Fetcher(20)
    peer = GitHubPeer(Client(CLIENT_ID, secret), fetcher, scope=scope, endpoints=Endpoints(url, f"{url}/api"))
    return OidcLogin(peer, fetcher, keys=KEYS, lifetime_s=1000, purpose="oidc github")


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

"""Logging in at a provider, which is a process on loopback, and all that it, or an attacker, can do wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from tests.support.cookie_client import SITE, SetClock, app_of, browser, text_of, token_of
from tests.support.oidc_login import KEYS, agree, log_in
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, USERS, PeerProcess, running

from hotshoe.auth import User
from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.oidc.oidc_login import OidcLogin
from hotshoe.auth.oidc.openid import Client, OpenIdPeer, Preset
from hotshoe.base.errors import ConfigError
from hotshoe.base.shared import MemoryShared


@pytest.fixture(scope="module")
def process() -> Iterator[PeerProcess]:
    with running() as found:
        yield found


@pytest.fixture
def peer(process: PeerProcess) -> PeerProcess:
    process.tell(fault="", without=[], document={})
    return process


def provider_for(url: str, *, secret: str | None = CLIENT_SECRET, patience_s: float = 20.0,
                 user_claim: str = "sub", **more: Any) -> OidcLogin:
    fetcher = Fetcher(patience_s)
    asked = OpenIdPeer(Preset(url), Client(CLIENT_ID, secret), fetcher, user_claim=user_claim)
    return OidcLogin(asked, fetcher, keys=KEYS, lifetime_s=1000, purpose="oidc test", shared=MemoryShared(), **more)


@pytest.fixture
async def provider(peer: PeerProcess) -> AsyncIterator[OidcLogin]:
    found = provider_for(peer.url)
    yield found
    await found.stop()


@pytest.fixture
async def visitor(provider: OidcLogin) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app_of(provider)) as found:
        yield found


async def test_from_an_app_and_back_to_it(visitor: httpx.AsyncClient, peer: PeerProcess) -> None:
    asked = await visitor.get("/app?x=1")
    assert asked.status_code == 401
    to_peer = await visitor.get(asked.text)
    query = parse_qs(urlsplit(to_peer.headers["location"]).query)
    assert query["redirect_uri"] == [f"{SITE}/login-callback"]
    assert query["scope"] == ["openid profile email"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["nonce"][0]) == len(query["state"][0]) == 32
    back = await visitor.get(await agree(to_peer.headers["location"], "ada"))
    assert urljoin(f"{SITE}/login-callback", back.headers["location"]) == f"{SITE}/app?x=1"
    assert (await visitor.get("/app?x=1")).text == "sub-ada|ada@example.org|admins,staff"


async def test_claims_reach_the_app(visitor: httpx.AsyncClient, provider: OidcLogin) -> None:
    await log_in(visitor)
    users: list[User | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import HTTPConnection
        users.append(await provider.user_of(HTTPConnection(scope)))
        await app_of(provider)(scope, receive, send)
    async with browser(app) as again:
        again.cookies = visitor.cookies
        await again.get("/app")
    assert users[0] is not None
    assert users[0].claims["name"] == "Ada Lovelace"
    assert not {"nonce", "aud", "exp", "at_hash"} & set(users[0].claims)


REASONS = {
    "wrong nonce": r"\(nonce\)", "wrong aud": "for 'another'", "wrong iss": "its issuer is", "expired": "has expired",
    "of the future": "in the future", "alg none": "its algorithm 'none'", "alg HS256": "its algorithm 'HS256'",
    "another key": "not signed by any", "altered": "not signed by any", "garbage": "not a JWT",
    "no id_token": "no ID token", "no sub": "names no user", "two aud": "made for None",
    "wrong azp": "made for 'another'", "exp a text": "no expiry time", "exp infinite": "no expiry time",
    "token refused": "'invalid_client'", "token no json": "not JSON",
}


@pytest.mark.parametrize("fault", REASONS)
async def test_what_can_not_be_believed_is_not(visitor: httpx.AsyncClient, peer: PeerProcess, fault: str,
                                               caplog: pytest.LogCaptureFixture) -> None:
    peer.tell(fault=fault)
    answer = await log_in(visitor)
    assert answer.status_code == 502
    assert "Try again" in text_of(answer)
    assert "login provider" in text_of(answer)
    assert (await visitor.get("/app")).status_code == 401
    assert re.search(REASONS[fault], caplog.text)


async def test_an_answer_in_the_name_of_another(visitor: httpx.AsyncClient, provider: OidcLogin,
                                                peer: PeerProcess) -> None:
    peer.tell(fault="iss parameter")
    assert (await log_in(visitor)).status_code == 400


async def test_keys_are_changed_at_the_provider(peer: PeerProcess) -> None:
    provider = provider_for(peer.url)
    async with browser(app_of(provider)) as visitor:
        assert (await log_in(visitor)).headers["location"] == "./app?x=1"
        verifier = provider._peer._verifier  # type: ignore[attr-defined]
        clock = SetClock(verifier._keys._clock())
        verifier._keys._clock = clock
        peer.tell(rotate=True)
        visitor.cookies.clear()
        before = peer.seen()["counts"]["jwks"]
        answers = [(await log_in(visitor)).status_code for _ in range(5)]
        assert answers == [502] * 5, "it has just asked for the keys"
        assert peer.seen()["counts"]["jwks"] == before, "nobody makes the server flood the provider"
        clock.now += 11
        assert (await log_in(visitor)).status_code == 303
        assert peer.seen()["counts"]["jwks"] == before + 1
        clock.now += 11
        peer.tell(fault="another key")
        visitor.cookies.clear()
        assert (await log_in(visitor)).status_code == 502
    await provider.stop()


async def test_what_the_token_lacks_the_user_info_has(peer: PeerProcess) -> None:
    provider = provider_for(peer.url, user_claim="preferred_username")
    async with browser(app_of(provider)) as visitor:
        peer.tell(without=["groups", "email", "email_verified", "preferred_username"])
        await log_in(visitor)
        assert (await visitor.get("/app")).text == "ada|ada@example.org|admins,staff"
        visitor.cookies.clear()
        peer.tell(fault="userinfo of another")
        assert (await log_in(visitor)).status_code == 502
    await provider.stop()


async def test_nobody_claims_the_address_of_another(peer: PeerProcess) -> None:
    for more in ({"user_claim": "email"}, {"domains": ["example.org"]}):
        provider = provider_for(peer.url, **more)
        async with browser(app_of(provider)) as visitor:
            answer = await log_in(visitor, "eve")
            assert answer.status_code == 403
            assert (await visitor.get("/app")).status_code == 401
        await provider.stop()
    provider = provider_for(peer.url)
    async with browser(app_of(provider)) as visitor:
        await log_in(visitor, "eve")
        assert (await visitor.get("/app")).text == "sub-eve||"
    await provider.stop()


async def test_only_allowed_domains(peer: PeerProcess) -> None:
    provider = provider_for(peer.url, domains=["Example.ORG"])
    async with browser(app_of(provider)) as visitor:
        assert (await log_in(visitor, "ada")).status_code == 303
    async with browser(app_of(provider)) as visitor:
        answer = await log_in(visitor, "odd")
        assert answer.status_code == 403
        assert "is not in a domain that may log in" in text_of(answer)
    await provider.stop()


async def test_a_domain_that_is_not_allowed_any_more(peer: PeerProcess) -> None:
    """Nor is one at a server with the same keys that allows others."""
    before, after = provider_for(peer.url), provider_for(peer.url, domains=["example.com"])
    async with browser(app_of(before)) as visitor:
        await log_in(visitor, "ada")
        cookies = visitor.cookies
        assert (await visitor.get("/app")).text.startswith("sub-ada")
    async with browser(app_of(after)) as visitor:
        visitor.cookies = cookies
        assert (await visitor.get("/app")).status_code == 401
        assert (await visitor.get("/login")).headers["location"].startswith(peer.url)
    await before.stop()
    await after.stop()


async def test_names_that_forge_lines_are_nobody(peer: PeerProcess, caplog: pytest.LogCaptureFixture) -> None:
    provider = provider_for(peer.url, user_claim="preferred_username")
    async with browser(app_of(provider)) as visitor:
        assert (await log_in(visitor, "odd")).status_code == 403
    assert "forged" not in caplog.text
    await provider.stop()


async def test_more_than_a_cookie_holds(visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch,
                                        caplog: pytest.LogCaptureFixture) -> None:
    answer = await log_in(visitor, "mob")
    assert answer.status_code == 403
    assert "more groups than fit into" in text_of(answer)
    assert "400 groups" in caplog.text
    assert len(USERS["mob"]["groups"]) == 400


async def test_refused_by_the_provider(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/login?next=/app")).headers["location"]
    answer = await visitor.get(await agree(page, "ada", go="no"))
    assert answer.status_code == 403
    assert "<b>" not in answer.text
    assert re.search(r'href="\./login\?next=%2Fapp"', answer.text)


@pytest.mark.parametrize("query", [
    "", "state=", "state=x&code=y", "code=y", "state=" + "A" * 32 + "&code=y", "error=access_denied",
    "error=%3Cscript%3Ealert(1)%3C/script%3E&state=" + "A" * 32, "state=%00&code=y", "state=" + "%C3%BC" * 32,
])
async def test_an_answer_that_nobody_waits_for(visitor: httpx.AsyncClient, query: str) -> None:
    await visitor.get("/login")
    answer = await visitor.get(f"/login-callback?{query}")
    assert answer.status_code == 400
    assert "was started in another browser" in text_of(answer)
    assert "script" not in answer.text
    assert 'href="./login"' in answer.text


async def test_the_answer_to_an_attackers_login(provider: OidcLogin) -> None:
    async with browser(app_of(provider)) as attacker, browser(app_of(provider)) as victim:
        page = (await attacker.get("/login")).headers["location"]
        theirs = await agree(page, "eve")
        await victim.get("/login")
        assert (await victim.get(theirs)).status_code == 400, "login CSRF"
        code = parse_qs(urlsplit(theirs).query)["code"][0]
        own = parse_qs(urlsplit((await victim.get("/login")).headers["location"]).query)["state"][0]
        answer = await victim.get(f"/login-callback?state={own}&code={code}")
        assert answer.status_code == 502, "a stolen code: the provider asks for the verifier"
        assert (await victim.get("/app")).status_code == 401


async def test_an_answer_counts_once(visitor: httpx.AsyncClient) -> None:
    back = await agree((await visitor.get("/login?next=/app")).headers["location"], "ada")
    assert (await visitor.get(back)).status_code == 303
    again = await visitor.get(back)
    assert (again.status_code, again.headers["location"]) == (303, "./"), "who reloads it is logged in already"
    visitor.cookies.clear()
    assert (await visitor.get(back)).status_code == 400


async def test_several_tabs_at_once(visitor: httpx.AsyncClient) -> None:
    pages = [(await visitor.get(f"/login?next=/app{number}")).headers["location"] for number in range(3)]
    for number in (1, 0, 2):
        answer = await visitor.get(await agree(pages[number], "ada"))
        assert answer.headers["location"] == f"./app{number}"


async def test_attempts_do_not_pile_up_in_the_browser(visitor: httpx.AsyncClient) -> None:
    for _ in range(12):
        page = (await visitor.get("/login?next=/" + "x" * 900)).headers["location"]
    assert len([name for name in visitor.cookies if "attempt" in name]) == 5
    assert sum(map(len, visitor.cookies.values())) < 12_000
    assert (await visitor.get(await agree(page, "ada"))).status_code == 303, "the latest counts"


async def test_an_attempt_expires(peer: PeerProcess) -> None:
    clock = SetClock()
    provider = provider_for(peer.url, clock=clock)
    async with browser(app_of(provider)) as visitor:
        back = await agree((await visitor.get("/login")).headers["location"], "ada")
        clock.now += 601
        assert (await visitor.get(back)).status_code == 400
    await provider.stop()


async def test_under_a_prefix_and_behind_a_proxy(peer: PeerProcess) -> None:
    cut = provider_for(peer.url, redirect_url="https://public.example/ext/login-callback")
    async with browser(app_of(cut)) as visitor:
        page = (await visitor.get("/login")).headers["location"]
        assert parse_qs(urlsplit(page).query)["redirect_uri"] == ["https://public.example/ext/login-callback"]
        back = urlsplit(await agree(page, "ada"))
        assert (await visitor.get(f"/login-callback?{back.query}")).status_code == 303
    prefixed = provider_for(peer.url, prefix="apps")
    async with browser(app_of(prefixed, "/apps")) as visitor:
        answer = await log_in(visitor, page="/apps/login?next=/a")
        assert str(answer.url).startswith(f"{SITE}/apps/login-callback")
        assert answer.headers["location"] == "./a"
        assert (await visitor.get("/apps/a")).status_code == 200
    await cut.stop()
    await prefixed.stop()


async def test_logging_out_here_and_there(visitor: httpx.AsyncClient, peer: PeerProcess) -> None:
    await log_in(visitor)
    page = await visitor.get("/logout")
    assert f"form-action 'self' {peer.url}" in page.headers["content-security-policy"]
    answer = await visitor.post("/logout", data={"form_token": token_of(page)})
    assert answer.headers["location"].startswith(f"{peer.url}/end?client_id=")
    assert (await visitor.get("/app")).status_code == 401


async def test_a_provider_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    provider = provider_for("http://127.0.0.1:1")
    await provider.start()
    assert "No user can log in until" in caplog.text
    async with browser(app_of(provider)) as visitor:
        answer = await visitor.get("/login?next=/app")
        assert answer.status_code == 502
        assert "can't be reached" in text_of(answer)
        assert 'href="./login?next=%2Fapp"' in answer.text
    await provider.stop()


async def test_a_provider_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        provider = provider_for(f"http://127.0.0.1:{silent.getsockname()[1]}", patience_s=0.2)
        async with browser(app_of(provider)) as visitor:
            assert (await visitor.get("/login")).status_code == 502
        await provider.stop()


async def test_a_provider_that_never_stops() -> None:
    def flood(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer, suppress(OSError):
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
            while True:
                peer.sendall(b" " * 65536)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=flood, args=(server,), daemon=True)
        thread.start()
        provider = provider_for(f"http://127.0.0.1:{server.getsockname()[1]}", patience_s=60)
        async with browser(app_of(provider)) as visitor:
            assert (await visitor.get("/login")).status_code == 502
        await provider.stop()
        await asyncio.to_thread(thread.join, 60)
        assert not thread.is_alive(), "nobody reads on"


@pytest.mark.parametrize(("document", "words"), [
    ({"issuer": "https://other.example"}, "calls itself 'https://other.example'"),
    ({"issuer": None}, "not an OpenID Connect provider"),
    ({"token_endpoint": None}, "configuration has no token_endpoint"),
    ({"token_endpoint": "http://far.example/token"}, "is not https"),
    ({"authorization_endpoint": "javascript:alert(1)"}, "is not a URL"),
])
async def test_a_document_that_can_not_be_right(peer: PeerProcess, document: dict[str, Any], words: str) -> None:
    peer.tell(document=document)
    provider = provider_for(peer.url)
    with pytest.raises(ConfigError, match=words):
        await provider.start()
    async with browser(app_of(provider)) as visitor:
        assert (await visitor.get("/login")).status_code == 502
    await provider.stop()


async def test_how_the_client_shows_its_secret(peer: PeerProcess) -> None:
    peer.tell(document={"token_endpoint_auth_methods_supported": ["client_secret_post"]})
    for secret, status in ((CLIENT_SECRET, 303), ("wrong", 502), (None, 502)):
        provider = provider_for(peer.url, secret=secret)
        async with browser(app_of(provider)) as visitor:
            assert (await log_in(visitor)).status_code == status
        await provider.stop()


async def test_the_log_has_no_tokens(peer: PeerProcess, caplog: pytest.LogCaptureFixture) -> None:
    provider = provider_for(peer.url)
    caplog.set_level(logging.DEBUG)
    for fault in ("", "token refused", "expired", "garbage"):
        peer.tell(fault=fault)
        async with browser(app_of(provider)) as visitor:
            await log_in(visitor)
    await provider.stop()
    secrets = [CLIENT_SECRET, *peer.seen()["made"]]
    assert len(secrets) > 5
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("hotshoe"))
    assert ours
    assert not [secret for secret in secrets if secret in ours]
    visible = "\n".join(record.getMessage() for record in caplog.records
                        if record.levelno > logging.DEBUG and record.name != "httpx")
    assert not [secret for secret in secrets if secret in visible]

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme
from tests.support.http_site import Answer, Site, sent_to, site
from tests.support.scripted_server import Caller, scripted

from hotshoe.base.errors import ClientError, RefusedError
from hotshoe.client.address import AppAddress
from hotshoe.client.credentials import Credentials
from hotshoe.client.line import Line
from hotshoe.client.terms import terms_of
from hotshoe.tokens import mint, read

KEY = b"k" * 32
ADDRESS = AppAddress.of("http://h/a")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOKEH_SECRET_KEY", raising=False)


def credentials(session_id: str | None = None, token: str | None = None, address: AppAddress = ADDRESS,
                **headers: str) -> Credentials:
    return Credentials(session_id, token, address, headers, None)


async def test_a_token_of_our_own_for_each_attempt() -> None:
    ours = credentials("mine")
    for _ in range(2):
        token = read(await ours.token())
        assert token.session_id == "mine"
        assert token.expires_at_s is not None
    assert not await ours.replace()


async def test_with_bokehs_key_ids_and_tokens_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_SECRET_KEY", KEY.decode())
    ours = credentials()
    assert read(await ours.token(), key=KEY).session_id == ours.session_id


async def test_a_given_token_names_the_session() -> None:
    token = mint("given", now_s=0, lifetime_s=1)
    ours = credentials(token=token)
    assert ours.session_id == "given"
    assert await ours.token() == token


def test_what_is_no_token() -> None:
    with pytest.raises(ClientError, match="not a session token"):
        credentials(token="%%%")


async def nothing(caller: Caller) -> None:
    await asyncio.Event().wait()


async def test_a_refused_one_is_replaced_by_that_of_a_page_and_renewed_from_there() -> None:
    asked: list[Any] = []
    token = mint("theirs", now_s=0, lifetime_s=1, key=KEY)

    def answer(request: Any) -> tuple[int, str]:
        asked.append((request.path, request.headers.get("X-Way")))
        return 200, f'<script>const items = [{{"docid":"1","token":"{token}","roots":{{}}}}]</script>'

    async with scripted(nothing, answer=answer) as url:
        ours = Credentials(None, None, AppAddress.of(url, {"a": "1"}), {"X-Way": "up"}, None)
        assert await ours.replace()
        assert ours.session_id == "theirs"
        assert await ours.token() == token
        assert await ours.token() == token
        assert not await ours.replace()
    assert asked == [("/app?a=1", "up"), ("/app?a=1&bokeh-session-id=theirs", "up")]


@pytest.mark.parametrize("found", [(200, "<form>who are you?</form>"), (403, "no"), (500, "oops")])
async def test_a_page_without_a_token_leaves_the_refusal_as_it_is(found: tuple[int, str]) -> None:
    async with scripted(nothing, answer=lambda request: found) as url:
        assert not await credentials(address=AppAddress.of(url)).replace()


# -- redirects: the token is asked for by HTTP, with the headers and cookies of a login

PAGE = f'{{"token":"{mint("theirs", now_s=0, lifetime_s=1)}"}}'
SECRETS = {"Authorization": "Bearer secret", "Cookie": "login=secret", "X-Api-Key": "secret"}
FOUND: Answer = (200, {}, PAGE)


@pytest.fixture
def sites() -> Iterator[Callable[..., Site]]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(site(*arguments))


def heard_by(site: Site) -> list[tuple[str, dict[str, str]]]:
    """What was asked for, and the secrets that came with it."""
    return [(path, {name: headers[name] for name in SECRETS if name in headers}) for path, headers in site.heard]


def with_secrets(url: str, tls: ssl.SSLContext | None = None) -> Credentials:
    return Credentials(None, None, AppAddress.of(url), SECRETS, tls)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_a_server_is_followed_with_everything(
    status: int, sites: Callable[..., Site],
) -> None:
    here = sites()
    here.answers = {"/app": sent_to("/app/", status), "/app/": FOUND}
    ours = with_secrets(f"{here.url}/app")
    assert await ours.replace()
    assert ours.session_id == "theirs"
    assert heard_by(here) == [("/app", SECRETS), ("/app/", SECRETS)]


async def test_nothing_is_sent_to_another_server_to_which_the_page_redirects(sites: Callable[..., Site]) -> None:
    here, there = sites(), sites("127.0.0.2")
    here.answers = {"/app": sent_to(f"{there.url}/login?next=%2Fapp")}
    there.answers = {"/login": FOUND}
    with pytest.raises(RefusedError) as caught:
        await with_secrets(f"{here.url}/app").replace()
    assert there.heard == []
    assert caught.value.status == 302
    assert str(caught.value) == (
        f"{here.url}/app redirects to {there.url}/login, another origin, so no credentials were "
        "sent there; if that is a login page, give the login by headers= or cookies=, and if it is the app, give that "
        "address as url")


async def test_nor_to_another_port_or_by_way_of_one_of_its_own(sites: Callable[..., Site]) -> None:
    here, there = sites(), sites()
    here.answers = {"/app": sent_to("/app/"), "/app/": sent_to(there.url)}
    with pytest.raises(RefusedError, match="no credentials were sent there"):
        await with_secrets(f"{here.url}/app").replace()
    assert there.heard == []


async def test_nor_from_https_to_http(sites: Callable[..., Site]) -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    safe, plain = sites("127.0.0.1", server), sites()
    safe.answers = {"/app": sent_to(f"{plain.url}/app")}
    plain.answers = {"/app": FOUND}
    with pytest.raises(RefusedError, match="redirects to http:"):
        await with_secrets(f"{safe.url}/app", client).replace()
    assert plain.heard == []
    assert heard_by(safe) == [("/app", SECRETS)]


@pytest.mark.parametrize("place", ["//127.0.0.2/app", "http://127.0.0.1:99999/", "file:///etc/passwd",
                                   "ftp://127.0.0.2/", "http://127.0.0.1@127.0.0.2/"])
async def test_places_that_are_no_page_of_the_server(place: str, sites: Callable[..., Site]) -> None:
    here = sites()
    here.answers = {"/app": sent_to(place)}
    with pytest.raises(RefusedError):
        await with_secrets(f"{here.url}/app").replace()


async def test_a_place_that_is_no_address_leaves_the_refusal_as_it_is(sites: Callable[..., Site]) -> None:
    here = sites()
    here.answers = {"/app": sent_to("http://[")}
    assert not await with_secrets(f"{here.url}/app").replace()


async def test_a_circle_of_redirects_ends(sites: Callable[..., Site]) -> None:
    here = sites()
    here.answers = {"/app": sent_to("/app")}
    with pytest.raises(RefusedError, match="redirects"):
        await with_secrets(f"{here.url}/app").replace()
    assert len(here.heard) < 20


async def test_a_login_page_of_the_same_server_is_named(sites: Callable[..., Site]) -> None:
    here = sites()
    here.answers = {"/app": sent_to("/login?next=%2Fapp"), "/login": (200, {}, "<form>")}
    ours = Credentials(None, mint("given", now_s=0, lifetime_s=1), AppAddress.of(f"{here.url}/app"), SECRETS, None)
    await ours.token()
    with pytest.raises(ClientError, match=r"redirects to .*/login; .*cookies=: there is no session token"):
        await ours.token()


async def test_a_websocket_is_followed_nowhere(sites: Callable[..., Site]) -> None:
    """As in browsers: it is a login page that stands there, and what stands elsewhere gets no credentials."""
    here, there = sites(), sites("127.0.0.2")
    for place in (f"{there.url}/app/ws", f"{here.url}/elsewhere/ws"):
        here.answers = {"/app/ws": sent_to(place), "/elsewhere/ws": FOUND}
        with pytest.raises(RefusedError, match=f"redirects to {place}"):
            await Line(terms_of("mine", f"{here.url}/app", {"headers": SECRETS}), Nobody()).open()
    assert there.heard == []
    assert [path for path, _ in here.heard] == ["/app/ws"] * 2


class Nobody:
    """Listens to a line that never opens."""

    async def handle_message(self, message: object) -> None: ...
    async def handle_reconnect(self) -> None: ...
    async def handle_cut(self) -> None: ...
    async def handle_loss(self, error: object) -> None: ...

"""Logging in with a password, from the login page to the logout page, and what attackers try there."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.types import Message
from tests.support.accounts import MemoryAccounts, write_users
from tests.support.cookie_client import SITE, SetClock, app_of, browser, text_of, token_of

from hotshoe.auth import User
from hotshoe.auth.accounts import Account, Accounts
from hotshoe.auth.basic.basic_login import BasicLogin
from hotshoe.auth.basic.guessing import Guesses
from hotshoe.auth.basic.passwords import Passwords, hash_password
from hotshoe.auth.basic.users_file import UsersFile
from hotshoe.base.shared import MemoryShared
from hotshoe.http.scopes import CLIENT_KNOWN
from hotshoe.tokens.keys import from_base64

KEYS = (b"k" * 32,)
PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = hash_password(PASSWORD, QUICK)


ADA, BOB = (Account(name, HASH, f"{name}@example.org", frozenset({"staff"})) for name in ("ada", "bob"))


@pytest.fixture(params=["file", "memory"])
async def users(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Accounts]:
    """Accounts in a file and elsewhere; the server needs only ``Accounts``."""
    write_users(tmp_path / "users", ADA, BOB)
    found = UsersFile(tmp_path / "users") if request.param == "file" else MemoryAccounts(ADA, BOB)
    yield found
    await found.close()


def basic_login(users: Accounts, **more: Any) -> BasicLogin:
    return BasicLogin(users, **{"keys": KEYS, "lifetime_s": 1000, "shared": MemoryShared(), "hasher": QUICK, **more})


@pytest.fixture
async def provider(users: Accounts) -> AsyncIterator[BasicLogin]:
    clock = SetClock()
    found = basic_login(users, guesses=Guesses(MemoryShared(clock), clock))
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def visitor(provider: BasicLogin) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app_of(provider)) as found:
        yield found


async def log_in(visitor: httpx.AsyncClient, name: str = "ada", password: str = PASSWORD, next: str = "/app",  # noqa: A002
                 page: str = "/login", **headers: str) -> httpx.Response:
    token = token_of(await visitor.get(page))
    fields = {"form_token": token, "name": name, "password": password, "next": next}
    return await visitor.post(page, data=fields, headers={key.replace("_", "-"): each for key, each in headers.items()})


async def test_from_an_app_and_back_to_it(visitor: httpx.AsyncClient) -> None:
    asked = await visitor.get("/app?x=1&y=a%20b")
    assert asked.status_code == 401
    page = await visitor.get(asked.text)
    assert page.status_code == 200
    next = re.search(r'name="next" value="([^"]+)"', page.text)  # noqa: A001
    assert next is not None
    answer = await log_in(visitor, next=next[1].replace("&amp;", "&"))
    assert answer.status_code == 303
    back = urljoin(f"{SITE}/login", answer.headers["location"])
    assert back == f"{SITE}/app?x=1&y=a%20b"
    assert (await visitor.get(back)).text == "ada|ada@example.org|staff"
    assert (await visitor.get("/login?next=/app")).headers["location"] == "./app", "who is logged in need not again"


async def test_the_page_needs_no_script_and_serves_password_managers(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/login")
    assert "<script" not in page.text
    for part in ('<label for="name">', 'autocomplete="username"', '<label for="password">', 'type="password"',
                 'autocomplete="current-password"', 'action="login"', 'method="post"'):
        assert part in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert (await visitor.head("/login")).status_code == 200


async def test_behind_a_proxy_that_cuts_its_prefix(provider: BasicLogin) -> None:
    inner = app_of(provider)

    async def proxy(scope: Message, receive: object, send: object) -> None:
        await inner({**scope, "path": scope["path"].removeprefix("/ext")}, receive, send)  # type: ignore[arg-type]
    async with browser(proxy) as visitor:
        answer = await log_in(visitor, page="/ext/login")
        assert urljoin(f"{SITE}/ext/login", answer.headers["location"]) == f"{SITE}/ext/app"
        assert (await visitor.get("/ext/app")).text.startswith("ada|")
        assert (await visitor.get("/other/app")).status_code == 401, "the cookie is the prefix's"
        slash = await visitor.get("/ext/logout/")
        assert urljoin(f"{SITE}/ext/logout/", slash.headers["location"]) == f"{SITE}/ext/logout"


async def test_under_a_prefix(users: Accounts) -> None:
    provider = basic_login(users, prefix="apps")
    async with browser(app_of(provider, "/apps")) as visitor:
        assert (await visitor.get("/apps/a/b?x=1")).text == "/login?next=%2Fa%2Fb%3Fx%3D1"
        answer = await log_in(visitor, page="/apps/login", next="/a/b?x=1")
        assert urljoin(f"{SITE}/apps/login", answer.headers["location"]) == f"{SITE}/apps/a/b?x=1"
        assert (await visitor.get("/apps/a/b")).text.startswith("ada|")


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example/", "/\\evil.example", "/../x", "/a\r\nX: y"])
async def test_nobody_is_led_elsewhere(visitor: httpx.AsyncClient, next: str) -> None:  # noqa: A002
    page = await visitor.get("/login", params={"next": next})
    assert 'name="next" value="/"' in page.text
    answer = await log_in(visitor, next=next)
    assert answer.headers["location"] == "./"
    assert (await visitor.get("/login", params={"next": next})).headers["location"] == "./"


@pytest.mark.parametrize(("name", "password"), [
    ("ada", "wrong"), ("ada", ""), ("nobody", PASSWORD), ("", ""), ("ADA", PASSWORD), ("ada\x00", PASSWORD),
    ("ada", PASSWORD + "\x00"), ("#", PASSWORD), ("ada:x", PASSWORD), ("x" * 5000, "y" * 5000),
])
async def test_who_is_wrong_is_told_so_and_no_more(visitor: httpx.AsyncClient, name: str, password: str) -> None:
    answer = await log_in(visitor, name, password)
    assert answer.status_code == 401
    assert "The user name or the password is wrong." in text_of(answer)
    assert (await visitor.get("/app")).status_code == 401
    assert not password.endswith(PASSWORD) or password not in answer.text


async def test_what_is_sent_is_escaped(visitor: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = await log_in(visitor, '"><script>alert(1)</script>', "wrong password")
    assert "<script" not in answer.text
    await log_in(visitor, "ada\n2026-01-01 User 'root' has logged in\x1b[2J", "wrong password")
    assert "wrong password" not in caplog.text
    assert not [record for record in caplog.records if "\n" in record.getMessage() or "\x1b" in record.getMessage()]


async def test_guessing_is_slowed_down_and_the_right_password_too(visitor: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await log_in(visitor, "ada", "wrong")).status_code == 401
    answer = await log_in(visitor)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert "Too many attempts. Please wait 1 second" in text_of(answer)
    assert (await log_in(visitor, "bob")).status_code == 303, "others are not held up"


async def log_out(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/logout", data={"form_token": token_of(await visitor.get("/logout"))})
    assert answer.status_code == 303


async def guess(provider: BasicLogin, client: tuple[str, int] = ("192.0.2.7", 5), name: str = "ada") -> int:
    """A wrong guess by a stranger."""
    async with browser(app_of(provider), client=client) as stranger:
        return (await log_in(stranger, name, "wrong")).status_code


async def test_nobody_keeps_a_user_out_of_a_browser_that_they_have_used(
        provider: BasicLogin, visitor: httpx.AsyncClient) -> None:
    assert (await log_in(visitor)).status_code == 303
    await log_out(visitor)
    assert [await guess(provider) for _ in range(7)] == [401] * 5 + [429] * 2
    assert [await guess(provider, name=f"user{number}") for number in range(40)][-1] == 429, "all of this address"
    for _ in range(2):
        assert (await log_in(visitor)).status_code == 303
        await log_out(visitor)
        assert await guess(provider, client=("192.0.2.8", 5)) == 429, "her success gives others no new attempts"
    # It is a counter of this browser and this user, and has a limit.
    assert (await log_in(visitor, "bob")).status_code == 429
    for _ in range(5):
        assert (await log_in(visitor, "ada", "wrong")).status_code == 401
    assert (await log_in(visitor)).status_code == 429


async def test_a_stolen_mark_of_a_browser_gives_attempts_of_its_own_and_no_more(
        provider: BasicLogin, visitor: httpx.AsyncClient) -> None:
    assert (await log_in(visitor)).status_code == 303
    [mark] = [cookie for cookie in visitor.cookies.jar if cookie.name.startswith("hotshoe_known_")]
    assert "ada" not in str(from_base64(str(mark.value).partition(".")[0])), "others of this browser learn no name"
    async with browser(app_of(provider)) as thief:
        thief.cookies.set(mark.name, str(mark.value))
        assert (await thief.get("/app")).status_code == 401
        statuses = [(await log_in(thief, "ada", "wrong")).status_code for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert (await log_in(thief, "bob", "wrong")).status_code == 401
    async with browser(app_of(provider)) as forger:
        forger.cookies.set(mark.name, str(mark.value)[:-2] + "AA")
        assert [(await log_in(forger, "ada", "wrong")).status_code for _ in range(6)] == [401] * 5 + [429]
    assert await guess(provider) == 429


async def test_a_browser_is_known_for_an_account_with_its_password(users: Accounts) -> None:
    """On another server with the same key, somebody else may have the name."""
    shared = MemoryShared()
    other = basic_login(MemoryAccounts(replace(ADA, hash=hash_password("another password", QUICK))), shared=shared)
    provider = basic_login(users, shared=shared)
    async with browser(app_of(other)) as namesake, browser(app_of(provider)) as forgetful:
        assert (await log_in(namesake, "ada", "another password")).status_code == 303
        forgetful.cookies = namesake.cookies
        assert [(await log_in(forgetful, "ada", "wrong")).status_code for _ in range(6)] == [401] * 5 + [429]
        assert await guess(provider) == 429, "it was not counted apart"


async def test_a_browser_knows_its_latest_users_only(users: Accounts) -> None:
    for name in "abcdefgh":
        await put(users, name, replace(ADA, name=name))
    provider = basic_login(users)
    async with browser(app_of(provider)) as visitor:
        for name in "abcdefgh":
            assert (await log_in(visitor, name)).status_code == 303
            assert (await visitor.get("/app")).text.startswith(f"{name}|")
            await log_out(visitor)
        [mark] = [cookie for cookie in visitor.cookies.jar if cookie.name.startswith("hotshoe_known_")]
        assert len(str(mark.value)) < 500
        for name, known in (("a", False), ("h", True)):
            for _ in range(6):
                await guess(provider, name=name)
            assert ((await log_in(visitor, name)).status_code == 303) is known


async def test_a_flood_of_guesses_at_once(visitor: httpx.AsyncClient) -> None:
    token = token_of(await visitor.get("/login"))
    fields = {"form_token": token, "name": "ada", "password": "wrong"}
    answers = await asyncio.gather(*(visitor.post("/login", data=fields) for _ in range(40)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 5
    assert statuses.count(429) == 35


async def test_forms_of_other_sites_do_not_count(visitor: httpx.AsyncClient, provider: BasicLogin) -> None:
    token = token_of(await visitor.get("/login"))
    good = {"form_token": token, "name": "ada", "password": PASSWORD}
    for fields, headers in (
            ({**good, "form_token": "x"}, {}), ({**good, "form_token": ""}, {}), ({"name": "ada"}, {}),
            ({**good, "form_token": "ü\ud800".encode("utf-8", "replace").decode()}, {}),
            (good, {"Sec-Fetch-Site": "cross-site"}), (good, {"Sec-Fetch-Site": "same-site"})):
        answer = await visitor.post("/login", data=fields, headers=headers)
        assert answer.status_code == 403
        assert PASSWORD not in answer.text
    async with browser(app_of(provider)) as stranger:
        assert "allow cookies" in text_of(answer := await stranger.post("/login", data=good))
        assert answer.status_code == 403
        stranger.cookies.set(next(iter(visitor.cookies)), "made.up", domain="site.example")
        assert (await stranger.post("/login", data=good)).status_code == 403
    assert (await visitor.post("/login", data=good, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 303


async def test_one_tab_does_not_disturb_another(visitor: httpx.AsyncClient) -> None:
    first, second = [token_of(await visitor.get("/login")) for _ in range(2)]
    for token, password, status in ((second, "wrong", 401), (first, PASSWORD, 303)):
        fields = {"form_token": token, "name": "ada", "password": password}
        assert (await visitor.post("/login", data=fields)).status_code == status


async def test_a_form_s_token_is_never_twice_the_same(visitor: httpx.AsyncClient) -> None:
    """A compressed page would otherwise tell by its size whether the address has a part of the token (BREACH)."""
    pages = [await visitor.get("/login?next=/a") for _ in range(3)]
    await log_in(visitor)
    pages += [await visitor.get("/logout") for _ in range(3)]
    for one, other in combinations(map(token_of, pages), 2):
        assert SequenceMatcher(None, one, other).find_longest_match().size < 12


@pytest.mark.parametrize(("body", "kind", "status"), [
    (b"x" * 1_000_000, "application/x-www-form-urlencoded", 413),
    (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
    (b'{"name": "ada"}', "application/json", 415),
    (b"--x\r\n", "multipart/form-data; boundary=x", 415),
    (b"", "", 415),
    (b"", "application/x-www-form-urlencoded", 403),
    (b"\xff\x00&=&==&name", "application/x-www-form-urlencoded; charset=utf-7", 403),
])
async def test_bodies_that_are_no_forms(visitor: httpx.AsyncClient, body: bytes, kind: str, status: int) -> None:
    answer = await visitor.post("/login", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_body_without_end_is_not_kept(provider: BasicLogin) -> None:
    app, pulled = app_of(provider), []

    async def receive() -> Message:
        pulled.append(1)
        return {"type": "http.request", "body": b"x" * 4096, "more_body": True}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
    await app({"type": "http", "method": "POST", "path": "/login", "query_string": b"", "scheme": "http",
               "server": ("x", 1), "headers": [(b"content-type", b"application/x-www-form-urlencoded")]}, receive, send)
    assert sent[0]["status"] == 413
    assert len(pulled) < 10


async def test_a_body_that_does_not_arrive(provider: BasicLogin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotshoe.auth.login.forms._PATIENCE_S", 0.05)
    app, never = app_of(provider), asyncio.Event()

    async def wait() -> Message:
        await never.wait()
        raise AssertionError

    async def leave() -> Message:
        return {"type": "http.disconnect"}
    for receive, status in ((wait, 408), (leave, 400)):
        sent: list[Message] = []

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)
        await app({"type": "http", "method": "POST", "path": "/login", "query_string": b"", "scheme": "http",
                   "server": ("x", 1), "headers": [(b"content-type", b"application/x-www-form-urlencoded")]},
                  receive, send)
        assert sent[0]["status"] == status


async def test_other_methods(visitor: httpx.AsyncClient) -> None:
    for path in ("/login", "/logout"):
        answer = await visitor.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


async def put(users: Accounts, name: str, new: Account | None) -> None:
    assert await users.change(await users.find(name), new)


async def test_another_password_another_group_no_account(visitor: httpx.AsyncClient, users: Accounts) -> None:
    await log_in(visitor)
    await put(users, "ada", replace(ADA, groups=frozenset({"board"})))
    assert (await visitor.get("/app")).text == "ada|ada@example.org|board", "groups count at once"
    await put(users, "ada", Account("ada", hash_password("another password", QUICK)))
    assert (await visitor.get("/app")).status_code == 401
    await log_in(visitor, password="another password")
    assert (await visitor.get("/app")).status_code == 200
    await put(users, "ada", None)
    assert (await visitor.get("/app")).status_code == 401


async def test_who_has_websockets_is_told_when_an_account_changes(users: Accounts, monkeypatch: pytest.MonkeyPatch
                                                                  ) -> None:
    monkeypatch.setattr("hotshoe.auth.basic.users_file.LOOK_EVERY_S", 0.01)
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def tell(user: User) -> None:
        await ended.put(user.name)

    provider = basic_login(users, on_logout=tell)
    await provider.start()
    await put(users, "ada", None)
    assert await asyncio.wait_for(ended.get(), 40) == "ada"
    await put(users, "bob", replace(BOB, hash=hash_password("another password", QUICK)))
    assert await asyncio.wait_for(ended.get(), 40) == "bob"
    assert ended.empty()
    await provider.stop()


async def test_a_watch_that_fails_begins_again_and_misses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    users, told = MemoryAccounts(ADA, BOB), asyncio.Queue[str]()

    async def tell(user: User) -> None:
        await told.put(user.name)

    provider = basic_login(users, on_logout=tell)
    await provider.start()
    await put(users, "eve", Account("eve", HASH))
    assert await asyncio.wait_for(told.get(), 40) == "eve"
    users.break_watches()
    for account in (ADA, Account("eve", HASH)):
        await put(users, account.name, None)
    assert {await asyncio.wait_for(told.get(), 40) for _ in range(3)} == {"ada", "bob", "eve"}
    await put(users, "bob", None)
    assert await asyncio.wait_for(told.get(), 40) == "bob"
    await provider.stop()
    assert "the watch for changed accounts has failed" in caplog.text


async def test_another_user_in_the_same_browser(users: Accounts) -> None:
    ended: list[str] = []

    async def tell(user: User) -> None:
        ended.append(user.name)

    provider = basic_login(users, on_logout=tell)
    async with browser(app_of(provider)) as visitor:
        fields = {"form_token": token_of(await visitor.get("/login")), "password": PASSWORD}
        for name in ("ada", "ada", "bob"):
            assert (await visitor.post("/login", data={**fields, "name": name})).status_code == 303
        assert ended == ["ada"]
        assert (await visitor.get("/app")).text.startswith("bob|")


async def test_weak_hashes_become_stronger(visitor: httpx.AsyncClient, users: Accounts) -> None:
    weak = hash_password(PASSWORD, WEAK)
    await put(users, "ada", replace(ADA, hash=weak))
    assert (await log_in(visitor)).status_code == 303
    account = await users.find("ada")
    assert account is not None
    assert account.hash != weak
    assert (await visitor.get("/app")).text == "ada|ada@example.org|staff", "this very login goes on"
    visitor.cookies.clear()
    assert (await log_in(visitor)).status_code == 303


@pytest.mark.parametrize(("password", "status"), [(PASSWORD, 200), ("another password", 401)])
async def test_while_a_hash_becomes_stronger_the_account_changes(
        visitor: httpx.AsyncClient, users: Accounts, password: str, status: int, monkeypatch: pytest.MonkeyPatch
        ) -> None:
    """By another login, or as the user, or an admin, gives it another password."""
    await put(users, "ada", replace(ADA, hash=hash_password(PASSWORD, WEAK)))
    real = Passwords.stronger_hash

    async def slow(self: Passwords, hashed: str, password_: str) -> str | None:
        found = await real(self, hashed, password_)
        await put(users, "ada", replace(ADA, hash=hash_password(password, QUICK)))
        return found

    monkeypatch.setattr(Passwords, "stronger_hash", slow)
    await log_in(visitor)
    assert (await visitor.get("/app")).status_code == status


async def test_accounts_that_can_not_be_written_hinder_nobody(visitor: httpx.AsyncClient, users: Accounts,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    await put(users, "ada", Account("ada", hash_password(PASSWORD, WEAK)))

    async def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(type(users), "change", refuse)
    assert (await log_in(visitor)).status_code == 303
    assert (await visitor.get("/app")).status_code == 200


async def test_logging_out(users: Accounts) -> None:
    ended: list[str] = []

    async def tell(user: User) -> None:
        ended.append(user.name)

    provider = basic_login(users, on_logout=tell)
    async with browser(app_of(provider)) as visitor:
        await log_in(visitor)
        stolen = dict(visitor.cookies)
        page = await visitor.get("/logout")
        assert "Log out?" in text_of(page)
        assert (await visitor.get("/app")).status_code == 200, "GET alone does nothing"
        assert (await visitor.post("/logout", data={"form_token": "x"})).status_code == 403
        assert not ended
        answer = await visitor.post("/logout", data={"form_token": token_of(page)})
        assert (answer.status_code, answer.headers["location"]) == (303, "./logout")
        assert ended == ["ada"]
        assert (await visitor.get("/app")).status_code == 401
        assert "You are logged out." in text_of(await visitor.get("/logout"))
        visitor.cookies.update(stolen)
        assert (await visitor.get("/app")).status_code == 401, "a copy of the cookie is worth nothing"
        assert (await visitor.post("/logout", data={})).status_code == 303


@pytest.mark.parametrize(("headers", "ends"), [
    ({"Site": "same-origin", "Mode": "navigate", "Dest": "document"}, True),
    ({"Site": "same-origin", "Mode": "no-cors", "Dest": "image"}, False),
    ({"Site": "cross-site", "Mode": "navigate", "Dest": "document"}, False),
    ({"Site": "same-site", "Mode": "navigate", "Dest": "document"}, False),
    ({"Site": "none", "Mode": "navigate", "Dest": "document"}, False),
    ({"Site": "same-origin", "Mode": "navigate", "Dest": "iframe"}, False),
    ({}, False),
])
async def test_a_link_logs_out_only_from_a_page_of_the_server(visitor: httpx.AsyncClient, headers: dict[str, str],
                                                              ends: bool) -> None:
    await log_in(visitor)
    sent = {f"Sec-Fetch-{name}": value for name, value in headers.items()}
    answer = await visitor.get("/logout", headers=sent)
    assert answer.status_code == (303 if ends else 200)
    assert (await visitor.get("/app")).status_code == (401 if ends else 200)
    if ends:
        await log_in(visitor)
        assert (await visitor.get("/logout", headers={**sent, "Sec-Purpose": "prefetch"})).status_code == 200
        assert (await visitor.head("/logout", headers=sent)).status_code == 200
        assert (await visitor.get("/app")).status_code == 200


async def test_cookies_of_a_parent_path_do_not_hide_those_of_this_one(users: Accounts) -> None:
    provider = basic_login(users, prefix="apps")
    async with browser(app_of(provider)) as outer, browser(app_of(provider, "/apps")) as visitor:
        await log_in(outer, "bob")
        await log_in(visitor, page="/apps/login")
        visitor.cookies.update(outer.cookies)
        assert (await visitor.get("/apps/app")).text.startswith("ada|")


async def test_an_empty_file_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    provider = basic_login(MemoryAccounts())
    with caplog.at_level(logging.WARNING):
        await provider.start()
    await provider.stop()
    assert "hotshoe user add makes one" in caplog.text


async def test_a_thousand_wrong_passwords_are_a_few_lines(provider: BasicLogin, caplog: pytest.LogCaptureFixture,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("hotshoe.base.logs.LOG_EVERY_S", 3600.0)  # a thousand logins may take more than a minute
    unknown: dict[str, Any] = {CLIENT_KNOWN: False}  # of such clients, no limit keeps off any
    async with browser(app_of(provider, "", **unknown)) as visitor:
        token = token_of(await visitor.get("/login"))
        for number in range(1001):
            if number == 1000:
                monkeypatch.setattr("hotshoe.base.logs.LOG_EVERY_S", 0.0)
            fields = {"form_token": token, "name": f"user{number}", "password": "wrong"}
            assert (await visitor.post("/login", data=fields)).status_code == 401
    assert len(caplog.messages) <= 10
    assert caplog.messages[-1].endswith(f"and {1001 - len(caplog.messages)} more since the last such line)")

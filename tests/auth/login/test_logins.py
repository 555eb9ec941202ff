"""Logins in cookies: nobody makes, changes, prolongs or revives one."""

from __future__ import annotations

import json

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response
from tests.support.cookie_client import SetClock

from hotshoe.auth import User
from hotshoe.auth.login.logins import EndedLogins, Login, Logins
from hotshoe.auth.login.sealing import Seal
from hotshoe.base.shared import EVICTED, MemoryShared, Space

KEY, OTHER = b"k" * 32, b"o" * 32
ADA = User("ada", "ada@example.org", frozenset({"staff"}), {"sub": "1"})


def asking(*cookies: str, scheme: str = "http") -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": "/login", "query_string": b"", "scheme": scheme, "server": ("x", 1),
                           "headers": [(b"cookie", "; ".join(cookies).encode("latin-1"))] if cookies else []})


def logins_of(*keys: bytes, provider: str = "basic", lifetime_s: int = 100, clock: SetClock | None = None) -> Logins:
    more = {} if clock is None else {"clock": clock}
    return Logins(keys, provider, lifetime_s=lifetime_s, shared=MemoryShared(), **more)


async def logged_in(logins: Logins, user: User = ADA, before: HTTPConnection | None = None) -> str:
    response = Response()
    await logins.begin(response, before or asking(), user)
    return response.headers["set-cookie"].partition(";")[0]


async def test_a_login_is_found_until_it_ends() -> None:
    clock = SetClock()
    logins = logins_of(KEY, clock=clock)
    cookie = await logged_in(logins)
    found = await logins.find(asking("other=1", cookie))
    assert found is not None
    assert found.user == ADA
    assert await logins.find(asking()) is None
    clock.now += 100
    assert await logins.find(asking(cookie)) is None


async def test_the_cookie_is_for_the_server_only() -> None:
    for scheme, secure in (("http", False), ("https", True), ("wss", True)):
        response = Response()
        await logins_of(KEY).begin(response, asking(scheme=scheme), ADA)
        _, *attributes = response.headers["set-cookie"].lower().split("; ")
        assert set(attributes) == {"httponly", "max-age=100", "samesite=lax", *(["secure"] if secure else [])}


async def test_altered_and_foreign_cookies_are_nobody() -> None:
    logins = logins_of(KEY)
    cookie = await logged_in(logins)
    name, _, value = cookie.partition("=")
    for at in range(len(value)):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1:]
        # The last character of base64 has bits that count for nothing.
        assert at == len(value) - 1 or await logins.find(asking(f"{name}={changed}")) is None, at
    payload, signature = value.rsplit(".", 1)
    for forged in ("", ".", value[:-1], payload, f"{payload}.", f".{signature}", f"{value}.{signature}", "ü" * 10,
                   "x" * 100_000, "\x00", f'"{value}'):
        assert await logins.find(asking(f"{name}={forged}")) is None, forged
    for others in (logins_of(OTHER), logins_of(KEY, provider="oidc a")):
        other_name, _, other_value = (await logged_in(others)).partition("=")
        assert other_name != name
        assert await logins.find(asking(f"{name}={other_value}")) is None
        assert await logins.find(asking(f"{other_name}={other_value}")) is None


async def test_what_was_sealed_for_something_else_is_no_login() -> None:
    logins = logins_of(KEY)
    name, _, value = (await logged_in(logins)).partition("=")
    for purpose in ("form", "attempt basic", "basic", "login"):
        sealed = Seal([KEY], purpose).dumps({"i": "1", "n": "root", "b": 0, "x": 9e9})
        assert await logins.find(asking(f"{name}={sealed}")) is None
    for odd in ({}, {"n": "root"}, {"i": "1", "n": "root", "b": "x", "x": 1}, {"i": "1", "n": "a", "b": 1, "x": [1]}):
        assert await logins.find(asking(f"{name}={Seal([KEY], 'login basic').dumps(odd)}")) is None
    assert json.dumps(value) not in logins.__dict__


async def test_keys_rotate() -> None:
    cookie = await logged_in(logins_of(OTHER))
    rotated = logins_of(KEY, OTHER)
    assert await rotated.find(asking(cookie)) is not None
    assert (await logged_in(rotated)).partition("=")[0] != cookie.partition("=")[0]
    assert await logins_of(KEY).find(asking(cookie)) is None


async def test_logging_out_ends_it_for_whoever_has_the_cookie() -> None:
    logins = logins_of(KEY)
    cookie, second = await logged_in(logins), await logged_in(logins)
    response = Response()
    ended = await logins.end(response, asking(cookie))
    assert ended is not None
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert await logins.find(asking(cookie)) is None
    assert await logins.find(asking(second)) is not None
    assert await logins.end(Response(), asking(cookie)) is None


async def test_a_login_gets_an_id_of_its_own() -> None:
    logins = logins_of(KEY)
    before = await logged_in(logins)
    after = await logged_in(logins, before=asking(before))
    assert before != after
    assert await logins.find(asking(before)) is None, "a cookie that somebody has planted or read"
    assert await logins.find(asking(after)) is not None


async def test_of_two_cookies_the_one_that_counts_is_found() -> None:
    logins = logins_of(KEY)
    ended, alive = await logged_in(logins), await logged_in(logins)
    await logins.end(Response(), asking(ended))
    for order in ((ended, alive), (alive, ended)):
        assert await logins.find(asking(*order)) is not None


async def test_a_shorter_lifetime_counts_for_old_logins() -> None:
    clock = SetClock()
    cookie = await logged_in(logins_of(KEY, lifetime_s=10_000, clock=clock))
    assert await logins_of(KEY, clock=clock).find(asking(cookie)) is None


async def test_a_user_who_does_not_fit_is_an_error() -> None:
    many = frozenset(f"{number:x}" * 8 for number in range(2000))
    with pytest.raises(ValueError, match="fit"):
        await logins_of(KEY).begin(Response(), asking(), User("ada", groups=many))


async def test_a_logout_counts_in_other_processes() -> None:
    shared = MemoryShared()
    here, there = (Logins([KEY], "basic", lifetime_s=100, shared=shared) for _ in range(2))
    cookie = await logged_in(here)
    assert await there.find(asking(cookie)) is not None
    await here.end(Response(), asking(cookie))
    assert await there.find(asking(cookie)) is None


async def test_what_has_ended_is_bounded_and_never_revived() -> None:
    clock, space = SetClock(0.0), Space("ended logins", most_entries=100, most_bytes=10_000, keeps_evicted=True)
    shared = MemoryShared(clock)
    ended = EndedLogins(shared, space)
    times = [100.0 * number for number in range(500)]
    logins = [Login(f"{begins}", ADA, begins, begins + 100_000, stamp="") for begins in times]
    for login in logins[:400]:
        await ended.add(login, now=0.0)
    remembered = await shared.get(space, *(login.id for login in logins))
    assert [value is not None for value in remembered] == [300 <= number < 400 for number in range(500)]
    assert [await ended.has(login) for login in logins] == [number < 400 for number in range(500)]
    clock.now = 300_000.0
    assert set(await shared.get(space, EVICTED, *(login.id for login in logins))) == {None}, \
        "what would have ended anyway is forgotten"


@pytest.mark.parametrize("jump_s", [-86_400, -3600, 3600, 86_400])
async def test_a_clock_that_is_set_revives_no_login(jump_s: int) -> None:
    wall, steady, lifetime_s = SetClock(), SetClock(), 43_200
    logins = Logins([KEY], "basic", lifetime_s=lifetime_s, shared=MemoryShared(steady), clock=wall)
    ended, open_ = await logged_in(logins), await logged_in(logins)
    await logins.end(Response(), asking(ended))
    wall.now += jump_s
    for _ in range(4 * 24):
        assert await logins.find(asking(ended)) is None
        assert await logins.find(asking(await logged_in(logins))) is not None, "logging in again helps"
        for clock in (wall, steady):
            clock.now += 1800
    assert await logins.find(asking(open_)) is None

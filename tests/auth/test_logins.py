"""Logins in cookies: nobody makes, changes, prolongs or revives one."""

from __future__ import annotations

import json

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response
from tests.auth.browser import SetClock

from hotshoe.auth import User
from hotshoe.auth.logins import Ended, Login, Logins
from hotshoe.auth.sealing import Seal

KEY, OTHER = b"k" * 32, b"o" * 32
ADA = User("ada", "ada@example.org", frozenset({"staff"}), {"sub": "1"})


def asking(*cookies: str, scheme: str = "http") -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": "/login", "query_string": b"", "scheme": scheme, "server": ("x", 1),
                           "headers": [(b"cookie", "; ".join(cookies).encode("latin-1"))] if cookies else []})


def logged_in(logins: Logins, user: User = ADA, before: HTTPConnection | None = None) -> str:
    response = Response()
    logins.begin(response, before or asking(), user)
    return response.headers["set-cookie"].partition(";")[0]


def test_a_login_is_found_until_it_ends() -> None:
    clock = SetClock()
    logins = Logins([KEY], "basic", lifetime_s=100, clock=clock)
    cookie = logged_in(logins)
    found = logins.find(asking("other=1", cookie))
    assert found is not None
    assert found.user == ADA
    assert logins.find(asking()) is None
    clock.now += 100
    assert logins.find(asking(cookie)) is None


def test_the_cookie_is_for_the_server_only() -> None:
    for scheme, secure in (("http", False), ("https", True), ("wss", True)):
        response = Response()
        Logins([KEY], "basic", lifetime_s=100).begin(response, asking(scheme=scheme), ADA)
        _, *attributes = response.headers["set-cookie"].lower().split("; ")
        assert set(attributes) == {"httponly", "max-age=100", "samesite=lax", *(["secure"] if secure else [])}


def test_altered_and_foreign_cookies_are_nobody() -> None:
    logins = Logins([KEY], "basic", lifetime_s=100)
    cookie = logged_in(logins)
    name, _, value = cookie.partition("=")
    for at in range(len(value)):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1:]
        # The last character of base64 has bits that count for nothing.
        assert at == len(value) - 1 or logins.find(asking(f"{name}={changed}")) is None, at
    payload, signature = value.rsplit(".", 1)
    for forged in ("", ".", value[:-1], payload, f"{payload}.", f".{signature}", f"{value}.{signature}", "ü" * 10,
                   "x" * 100_000, "\x00", f'"{value}'):
        assert logins.find(asking(f"{name}={forged}")) is None, forged
    for others in (Logins([OTHER], "basic", lifetime_s=100), Logins([KEY], "oidc a", lifetime_s=100)):
        other_name, _, other_value = logged_in(others).partition("=")
        assert other_name != name
        assert logins.find(asking(f"{name}={other_value}")) is None
        assert logins.find(asking(f"{other_name}={other_value}")) is None


def test_what_was_sealed_for_something_else_is_no_login() -> None:
    logins = Logins([KEY], "basic", lifetime_s=100)
    name, _, value = logged_in(logins).partition("=")
    for purpose in ("form", "attempt basic", "basic", "login"):
        sealed = Seal([KEY], purpose).dumps({"i": "1", "n": "root", "b": 0, "x": 9e9})
        assert logins.find(asking(f"{name}={sealed}")) is None
    for odd in ({}, {"n": "root"}, {"i": "1", "n": "root", "b": "x", "x": 1}, {"i": "1", "n": "a", "b": 1, "x": [1]}):
        assert logins.find(asking(f"{name}={Seal([KEY], 'login basic').dumps(odd)}")) is None
    assert json.dumps(value) not in logins.__dict__


def test_keys_rotate() -> None:
    cookie = logged_in(Logins([OTHER], "basic", lifetime_s=100))
    rotated = Logins([KEY, OTHER], "basic", lifetime_s=100)
    assert rotated.find(asking(cookie)) is not None
    assert logged_in(rotated).partition("=")[0] != cookie.partition("=")[0]
    assert Logins([KEY], "basic", lifetime_s=100).find(asking(cookie)) is None


def test_logging_out_ends_it_for_whoever_has_the_cookie() -> None:
    logins = Logins([KEY], "basic", lifetime_s=100)
    cookie, second = logged_in(logins), logged_in(logins)
    response = Response()
    ended = logins.end(response, asking(cookie))
    assert ended is not None
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert logins.find(asking(cookie)) is None
    assert logins.find(asking(second)) is not None
    assert logins.end(Response(), asking(cookie)) is None


def test_a_login_gets_an_id_of_its_own() -> None:
    logins = Logins([KEY], "basic", lifetime_s=100)
    before = logged_in(logins)
    after = logged_in(logins, before=asking(before))
    assert before != after
    assert logins.find(asking(before)) is None, "a cookie that somebody has planted or read"
    assert logins.find(asking(after)) is not None


def test_of_two_cookies_the_one_that_counts_is_found() -> None:
    logins = Logins([KEY], "basic", lifetime_s=100)
    ended, alive = logged_in(logins), logged_in(logins)
    logins.end(Response(), asking(ended))
    for order in ((ended, alive), (alive, ended)):
        assert logins.find(asking(*order)) is not None


def test_a_shorter_lifetime_counts_for_old_logins() -> None:
    clock = SetClock()
    cookie = logged_in(Logins([KEY], "basic", lifetime_s=10_000, clock=clock))
    assert Logins([KEY], "basic", lifetime_s=100, clock=clock).find(asking(cookie)) is None


def test_a_user_who_does_not_fit_is_an_error() -> None:
    many = frozenset(f"{number:x}" * 8 for number in range(2000))
    with pytest.raises(ValueError, match="fit"):
        Logins([KEY], "basic", lifetime_s=100).begin(Response(), asking(), User("ada", groups=many))


def test_what_has_ended_is_bounded_and_never_revived() -> None:
    ended = Ended(most=100)
    logins = [Login(str(number), ADA, began=float(number), ends=number + 1000.0, stamp="") for number in range(500)]
    for login in logins[:400]:
        ended.add(login, now=400.0)
    assert len(ended._ids) == len(ended._by_end) == 100
    assert all(ended.has(login) for login in logins[:400])
    assert not any(ended.has(login) for login in logins[400:])
    ended.add(logins[400], now=10_000.0)
    assert not ended._ids, "what would have ended anyway is forgotten"

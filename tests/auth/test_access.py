"""Rules: who may open which app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from hotshoe.auth import User
from hotshoe.auth.access import Access
from hotshoe.base.errors import ConfigError

ALICE = User("alice", groups=frozenset({"staff", "sales"}))
BOB = User("bob", groups=frozenset({"guests"}))


@pytest.mark.parametrize(("allow", "app", "alice", "bob"), [
    ([], "/a", True, True),
    (["a=staff"], "/a", True, False),
    (["a=staff"], "/b", True, True),
    (["/a/=staff"], "/a", True, False),
    (["a=@bob"], "/a", False, True),
    (["a=bob"], "/a", False, False),  # a group of that name
    (["a=@staff"], "/a", False, False),  # a user of that name
    (["a=staff, @bob"], "/a", True, True),
    (["a=staff", "a=guests"], "/a", True, True),
    (["a=*"], "/a", True, True),
    (["*=staff"], "/b", True, False),
    (["*=staff", "b=guests"], "/b", False, True),
    (["*=staff", "b=*"], "/b", True, True),
    (["a=STAFF"], "/a", False, False),
    (["a=sta"], "/a", False, False),
])
async def test_rules(allow: list[str], app: str, alice: bool, bob: bool) -> None:
    access = Access(allow)
    assert await access.admits(ALICE, app) is alice
    assert await access.admits(BOB, app) is bob


async def test_a_function_may_refuse_and_can_not_allow_what_the_rules_refuse() -> None:
    asked: list[tuple[str, str]] = []

    def authorize(user: User, app: str) -> bool:
        asked.append((user.name, app))
        return user.name != "alice"

    access = Access(["a=staff,guests"], authorize=authorize)
    assert not await access.admits(ALICE, "/a")
    assert await access.admits(BOB, "/a")
    assert not await Access(["a=staff"], authorize=authorize).admits(BOB, "/a")
    assert asked == [("alice", "/a"), ("bob", "/a")]
    access.stop()


async def test_an_async_function() -> None:
    async def authorize(user: User, app: str) -> bool:
        return False

    assert not await Access(authorize=authorize).admits(ALICE, "/a")


async def test_only_true_lets_a_user_in(caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> bool:
        return True

    def returning(value: Any) -> Callable[..., Any]:
        def authorize(user: User, app: str) -> Any:
            return value() if value is later else value

        return authorize

    async def authorize(user: User, app: str) -> Any:
        return later()

    values = (Response(status_code=403), 1, "/login", {"allowed": False}, ["no"], object(), PermissionError("no"))
    for function in [*map(returning, values), authorize]:
        caplog.clear()
        access = Access(authorize=function)
        assert not await access.admits(ALICE, "/a"), function
        assert "is not True or False" in caplog.text
        access.stop()
    caplog.clear()
    for function in map(returning, (None, False, 0, "")):
        access = Access(authorize=function)
        assert not await access.admits(ALICE, "/a")
        access.stop()
    assert caplog.text == ""
    access = Access(authorize=returning(later))
    assert await access.admits(ALICE, "/a"), "an awaitable of a plain function is awaited"
    access.stop()


async def test_a_function_that_fails_lets_nobody_in() -> None:
    def authorize(user: User, app: str) -> bool:
        raise LookupError("no database")

    access = Access(authorize=authorize)
    with pytest.raises(LookupError):
        await access.admits(ALICE, "/a")
    access.stop()


def test_public_apps() -> None:
    access = Access(public=["a/"])
    assert access.is_public("/a")
    assert not access.is_public("/b")
    assert Access(public=["*"]).is_public("/b")


@pytest.mark.parametrize(("allow", "public", "told"), [
    (["sale=staff"], [], r"--allow: there is no app at /sale; the apps are at /a, /sales"),
    ([], ["sale"], r"--public: there is no app at /sale; the apps are at /a, /sales"),
])
def test_an_app_that_is_not_there(allow: list[str], public: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Access(allow, public, apps=["/sales", "/a"])

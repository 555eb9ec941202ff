"""Users of all kinds become the one kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from hotshoe.auth import User
from hotshoe.auth.identity import user_from


@pytest.mark.parametrize("value", [None, "", b"", 0, False, {}, [], UnauthenticatedUser(),
                                   SimpleNamespace(username="x", is_authenticated=False)])
def test_nobody(value: Any) -> None:
    assert user_from(value) is None


@pytest.mark.parametrize(("value", "name"), [
    ("jo", "jo"),
    (b"jo", "jo"),
    (7, "7"),
    ({"username": "jo", "name": "Jo Doe"}, "jo"),
    ({"name": "Jo Doe", "email": "jo@x.org"}, "jo@x.org"),
    ({"id": 7}, "7"),
    ({"sub": "s", "login": "jo"}, "jo"),
    (SimpleUser("jo"), "jo"),
    (SimpleNamespace(username="jo", is_authenticated=True), "jo"),
    (SimpleNamespace(username="jo", is_authenticated=lambda: True), "jo"),
    ({"username": "jo", "is_authenticated": "true"}, "jo"),
    (SimpleNamespace(id=UUID(int=7)), "00000000-0000-0000-0000-000000000007"),
])
def test_names(value: Any, name: str) -> None:
    user = user_from(value)
    assert user is not None
    assert user.name == name


def test_what_is_a_user_already_stays_as_it_is() -> None:
    user = User("jo")
    assert user_from(user) is user


def test_all_that_a_mapping_says() -> None:
    user = user_from({"login": "jo", "email": "jo@x.org", "groups": ["a", b"b", 3, None], "deep": {"x": [1]},
                      "not json": object()})
    assert user == User("jo", "jo@x.org", frozenset({"a", "b", "3"}),
                        {"login": "jo", "email": "jo@x.org", "deep": {"x": [1]}})


@pytest.mark.parametrize(("roles", "groups"), [
    ("admin", {"admin"}), (("a", "b"), {"a", "b"}), (7, set()), (None, set()),
])
def test_groups_of_an_object(roles: Any, groups: set[str]) -> None:
    user = user_from(SimpleNamespace(username="jo", roles=roles))
    assert user is not None
    assert user.groups == groups


class Printed:
    """As an answer of an HTTP client: its text is no name."""

    def __str__(self) -> str:
        return "<Response [401]>"


class Late:
    """An awaitable that has a name."""

    name = "jo"

    def __await__(self) -> Iterator[Any]:
        yield


class Failing:
    """Whether it is authenticated can't be found out."""

    username = "jo"

    @property
    def is_authenticated(self) -> bool:
        raise AttributeError("no session")


async def name() -> str:
    return "jo"


def names() -> Iterator[str]:
    yield "jo"


async def async_names() -> AsyncIterator[str]:
    yield "jo"


NOBODY = [
    Response(status_code=401), RedirectResponse("/login"), HTTPException(401), ImportError("x", name="jo"),
    Late(), names(), async_names(), name, names, User, object(), Printed(),
    {"username": "jo", "is_authenticated": False}, {"username": "jo", "is_authenticated": None},
    {"username": "jo", "is_authenticated": "false"}, {"username": "jo", "is_authenticated": lambda: False},
    {"username": "jo", "authenticated": False}, {"username": "jo", "is_anonymous": True},
    SimpleNamespace(username="jo", is_authenticated=False), SimpleNamespace(username="jo", is_authenticated=0),
    SimpleNamespace(username="jo", is_authenticated=lambda: False),
    SimpleNamespace(username="jo", is_authenticated=name),
    SimpleNamespace(username="jo", is_anonymous=lambda: True),
    {"error": "invalid_token"}, {"username": "", "name": None}, {"username": True}, {"username": ["jo"]},
    SimpleNamespace(username=""), True, 1.5, float("nan"), -1, ["jo"], ("jo", "x"), {"jo"},
    " ", "jo ", "\tjo", "jo\n", "j\0o", "j\x1b[2Jo", "j\u2028o", "\ud800", "j" * 257, "j" * 10_000_000,
    b"jo\xff", b"jo\n", {"username": b"\xff"}, User(""), User("jo\n"), User("j" * 257),
]


@pytest.mark.filterwarnings("error")
async def test_what_is_no_user_lets_nobody_in_and_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for number, value in enumerate([*NOBODY, name(), asyncio.get_running_loop().create_future()]):
        caplog.clear()
        assert user_from(value, f"get_user{number}()") is None, value
        [record] = caplog.records
        assert record.levelname == "ERROR"
        assert f"get_user{number}()" in record.getMessage()
        assert "nobody is let in" in record.getMessage()
        assert "\n" not in record.getMessage()
        assert len(record.getMessage()) < 400


def test_whether_a_user_is_authenticated_has_to_be_known() -> None:
    with pytest.raises(AttributeError):
        user_from(Failing())


def test_many_that_are_no_users_are_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(1000):
        assert user_from(Response(), "get_user()") is None
    assert len(caplog.records) <= 5


def test_nobody_of_a_framework_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    assert user_from(UnauthenticatedUser()) is None
    assert caplog.records == []
    assert user_from(object()) is None
    assert "The framework's user (of type object) has no name" in caplog.text

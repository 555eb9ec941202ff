"""Users of all kinds become the one kind."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser

from hotshoe.auth import User
from hotshoe.auth.identity import user_from


@pytest.mark.parametrize("value", [None, "", b"", 0, False, {}, [], UnauthenticatedUser(),
                                   SimpleNamespace(username="x", is_authenticated=False)])
def test_nobody(value: Any) -> None:
    assert user_from(value) is None


class _Printed:
    def __str__(self) -> str:
        return "printed"


@pytest.mark.parametrize(("value", "name"), [
    ("jo", "jo"),
    (b"jo\xff", "jo\ufffd"),
    (True, "True"),
    (7, "7"),
    ({"username": "jo", "name": "Jo Doe"}, "jo"),
    ({"name": "Jo Doe", "email": "jo@x.org"}, "jo@x.org"),
    ({"id": 7}, "7"),
    ({"sub": "s", "login": "jo"}, "jo"),
    (SimpleUser("jo"), "jo"),
    (SimpleNamespace(username="jo", is_authenticated=True), "jo"),
    (_Printed(), "printed"),
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


def test_an_object_without_a_name_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    class Account:
        pass

    assert {getattr(user_from(Account()), "name", None) for _ in range(2)} == {Account.__qualname__}
    assert len(caplog.records) == 1
    assert "0x" not in caplog.text

from __future__ import annotations

from typing import Any

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser

from hotshoe.base.users import User, user_name


@pytest.mark.parametrize(("user", "name"), [
    (None, None),
    ("ada", "ada"),
    ("", None),
    (type("User", (), {"display_name": "Ada"})(), "Ada"),
    (type("User", (), {"display_name": ""})(), None),
    (type("User", (), {"username": "ada"})(), "ada"),
    (7, "7"),
    (type("User", (), {"name": "ada"})(), "ada"),
    (type("User", (), {"display_name": "Ada", "identity": "u7"})(), "u7"),
    (type("User", (), {"name": "Ada", "id": 7})(), "7"),
    (type("User", (), {"name": "?", "is_authenticated": False})(), None),
    ({"sub": "u7", "name": "Ada", "iat": 1}, "u7"),
    (SimpleUser("ada"), "ada"),
    (UnauthenticatedUser(), None),
    (User("ada", email="ada@example.org"), "ada"),
    (type("User", (), {})(), "User"),
])
def test_user_name(user: Any, name: str | None) -> None:
    assert user_name(user) == name

"""A user who has logged in, and the name of a user of any framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A person or program that has logged in. Plain data, since it is sent to the host of the session."""

    name: str
    """The name in logs, rules and limits; unique at its provider."""
    email: str = ""
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    """All other data of the provider, as JSON data."""

    @property
    def username(self) -> str:
        """The name, under the attribute of other frameworks."""
        return self.name


USER_NAMES = ("username", "login", "user", "email", "sub", "id", "identity", "name", "display_name")
"""The attributes that may hold a user's name, best first; two people may have the same value of the last ones."""


def user_name(user: Any) -> str | None:
    """The name of an outer framework's user; ``None`` if nobody has logged in."""
    if user is None or isinstance(user, str):
        return user or None
    if getattr(user, "is_authenticated", True) is False:
        return None
    found = [value for name in USER_NAMES if isinstance(value := _part(user, name), str | int)]
    if found:
        return next((str(value) for value in found if value != ""), None)
    kind: Any = type(user)
    # The default text has an address in memory, which differs in each request, so it is not a name.
    return str(kind.__qualname__ if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__ else user)


def _part(user: Any, name: str) -> Any:
    try:
        return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
    except Exception:  # Starlette's SimpleUser.identity always raises
        return None

"""A user who has logged in, and the name of a user of any framework."""

from __future__ import annotations

import inspect
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


_SILENT = object()

USER_NAMES = ("username", "login", "user", "email", "sub", "id", "identity", "name", "display_name")
"""The attributes that may hold a user's name, best first; two people may have the same value of the last ones."""


def user_name(user: Any) -> str | None:
    """The name of an outer framework's user; ``None`` if nobody has logged in."""
    if user is None or isinstance(user, str):
        return user or None
    if type(user) is User:
        return user.name or None
    if is_anonymous(user):
        return None
    found = [value for name in USER_NAMES if isinstance(value := _part(user, name), str | int)]
    if found:
        return next((str(value) for value in found if value != ""), None)
    kind: Any = type(user)
    # The default text has an address in memory, which differs in each request, so it is not a name.
    return str(kind.__qualname__ if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__ else user)


def is_anonymous(user: Any) -> bool:
    """Whether an object or a mapping says of itself that it is nobody who has logged in."""
    said, also = _said(user, "is_authenticated"), _said(user, "authenticated")
    if said is not _SILENT and not _is_true(said):
        return True
    if also is not _SILENT and also is not None and not _is_true(also):
        return True
    return _is_true(_said(user, "is_anonymous"))


def _said(user: Any, name: str) -> Any:
    if isinstance(user, Mapping):
        return user.get(name, _SILENT)
    try:
        return getattr(user, name)
    except AttributeError:
        if hasattr(type(user), name):  # a property that fails
            raise
    return _SILENT


def _is_true(said: Any) -> bool:
    if callable(said):  # a method, as in old versions of Flask-Login and Django
        said = said()
    if isinstance(said, str):
        return said.strip().lower() in ("true", "yes", "1")
    discard(said)
    return said is not _SILENT and not inspect.isawaitable(said) and bool(said)


def discard(value: Any) -> None:
    """Close the value if it is a coroutine, which Python would warn of, as nobody awaits it."""
    if inspect.iscoroutine(value):
        value.close()


def _part(user: Any, name: str) -> Any:
    try:
        return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
    except Exception:  # Starlette's SimpleUser.identity always raises
        return None

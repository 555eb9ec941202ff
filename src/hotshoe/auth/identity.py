"""A user as code outside of hotshoe gives it, as a ``User``: text, a mapping, an object, anything that is true."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from ..sessions.failures import USER_NAMES
from .user import User

_log = logging.getLogger(__name__)

_GROUPS = ("groups", "roles")


def user_from(value: Any) -> User | None:
    """The user that ``value`` stands for; ``None`` for whatever is false, and for who has not logged in."""
    if isinstance(value, User):
        return value
    if not value or getattr(value, "is_authenticated", True) is False:
        return None
    if isinstance(value, bytes):
        return User(value.decode("utf-8", "replace"))
    if isinstance(value, str):
        return User(value)
    get = value.get if isinstance(value, Mapping) else _attributes(value)
    groups = next((_texts(found) for name in _GROUPS if (found := get(name))), frozenset())
    return User(
        _name(value, get),
        email=_text(get("email")),
        groups=groups,
        claims=_plain(value) if isinstance(value, Mapping) else {},
    )


def _attributes(value: Any) -> Callable[[str], Any]:
    def get(name: str) -> Any:
        try:
            return getattr(value, name, None)
        except Exception:  # Starlette's SimpleUser has an identity that only raises, Django's users ask a database
            return None

    return get


def _name(value: Any, get: Callable[[str], Any]) -> str:
    if name := next(filter(None, (_text(get(name)) for name in USER_NAMES)), ""):
        return name
    kind: Any = type(value)
    prints_address = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    if prints_address or isinstance(value, Mapping):  # nobody's name
        _tell_nameless(kind.__qualname__)
        return str(kind.__qualname__)
    return str(value)


@cache
def _tell_nameless(kind: str) -> None:
    _log.warning("Users are objects of type %s, which have none of %s: all of them are one and the same user to "
                 "limits, rules and logs", kind, ", ".join(USER_NAMES))


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str | int) else ""


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, str | bytes):
        return frozenset({_text(value)})
    return frozenset(filter(None, map(_text, value))) if isinstance(value, Iterable) else frozenset()


def _plain(value: Mapping[Any, Any]) -> dict[str, Any]:
    """What of a mapping is JSON data."""
    return {str(name): item for name, item in value.items() if _is_plain(item)}


def _is_plain(item: Any) -> bool:
    try:
        json.dumps(item)
    except (TypeError, ValueError, RecursionError):
        return False
    return True

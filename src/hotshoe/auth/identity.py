"""Users: from claims of a provider or proxy, and from values of foreign code (a string, a mapping, an object)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from ..base.users import USER_NAMES, User

_log = logging.getLogger(__name__)

_GROUPS = ("groups", "roles")
_LONGEST_NAME = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PROTOCOL_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "aud", "azp", "exp", "iat", "nbf", "auth_time",
                              "jti", "sid", "acr", "amr", "rat", "uti", "rh", "aio", "ver"})


def user_from(value: Any) -> User | None:
    """The user that ``value`` describes; ``None`` if it is false or says that it is not logged in."""
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
        except Exception:  # Starlette's SimpleUser.identity always raises; Django's users query a database
            return None

    return get


def _name(value: Any, get: Callable[[str], Any]) -> str:
    if name := next(filter(None, (_text(get(name)) for name in USER_NAMES)), ""):
        return name
    kind: Any = type(value)
    prints_address = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    if prints_address or isinstance(value, Mapping):  # its text is no name
        _warn_nameless(kind.__qualname__)
        return str(kind.__qualname__)
    return str(value)


@cache
def _warn_nameless(kind: str) -> None:
    _log.warning("Users are objects of type %s without any of the attributes %s: limits, rules and logs take all of "
                 "them for the same user", kind, ", ".join(USER_NAMES))


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
    """The items whose values are JSON data."""
    return {str(name): item for name, item in value.items() if _is_plain(item)}


def _is_plain(item: Any) -> bool:
    try:
        json.dumps(item)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def user_of_claims(claims: Mapping[str, Any], *, user_claim: str, groups_claim: str,
                   trusts_email: bool = False) -> User | None:
    """The user, or ``None`` if the claims have no usable name.

    An unverified e-mail address is ignored, as anybody could claim it. With ``trusts_email`` an address counts as
    verified if the provider does not say otherwise.
    """
    email = _email(claims, trusts_email=trusts_email)
    name = email if user_claim == "email" else claim(claims, user_claim)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not is_name(name):
        return None
    rest = {key: value for key, value in claims.items() if key not in _PROTOCOL_CLAIMS and key != groups_claim}
    return User(name, email, groups_of(claim(claims, groups_claim)), rest)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; if there is none of that name, by its path: ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def groups_of(value: Any) -> frozenset[str]:
    """The groups in a claim, which is a list of strings or one string."""
    listed = value if isinstance(value, list) else [value]
    return frozenset(group for group in listed if isinstance(group, str) and is_name(group))


def is_name(text: str) -> bool:
    """Whether a text can be a name. Control characters are refused: they could forge lines in a terminal's log."""
    return 0 < len(text) <= _LONGEST_NAME and text == text.strip() and not _CONTROL.search(text)


def _email(claims: Mapping[str, Any], *, trusts_email: bool) -> str:
    email, verified = claims.get("email"), claims.get("email_verified", trusts_email)
    if not isinstance(email, str) or not is_name(email) or verified not in (True, "true"):
        return ""
    return email


def without_extras(user: User) -> User:
    """The user with only the claims ``sub`` and ``name``."""
    kept = {name: value for name in ("sub", "name") if isinstance(value := user.claims.get(name), str)}
    return User(user.name, user.email, user.groups, kept)

"""Users: from claims of a provider or proxy, and from values of foreign code (a string, a mapping, an object)."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http.cookies import Morsel
from typing import Any
from uuid import UUID

from starlette.responses import Response

from ..base.logs import PacedLog
from ..base.users import USER_NAMES, User, discard, is_anonymous

_log = PacedLog(logging.getLogger(__name__))

_GROUPS = ("groups", "roles")
_LONGEST_NAME = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PROTOCOL_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "aud", "azp", "exp", "iat", "nbf", "auth_time",
                              "jti", "sid", "acr", "amr", "rat", "uti", "rh", "aio", "ver"})


def user_from(value: Any, giver: str = "") -> User | None:
    """The user that ``value`` describes; ``None`` if it is false.

    Also ``None`` for whatever is no user who has logged in, with an error in the log. ``giver`` is the function that
    returned the value. Without it, the value is a framework's, and a user who is not authenticated is no error.
    """
    if not value or (type(value) is User and is_name(value.name)):
        return value or None
    found = _user_or_problem(value)
    if isinstance(found, User):
        return found
    if giver or found is not _ANONYMOUS:
        what, kind = f"The result of {giver}" if giver else "The framework's user", type(value).__qualname__
        _log.error("%s (of type %.80s) %s: nobody is let in", what, kind, found, kind=(what, kind, found))
    return None


_ANONYMOUS = "is not authenticated; return None if nobody is logged in"
_NO_USER = "is no user; return a name, a mapping, an object, or None"
_UNAWAITED = "was not awaited"
_NAMELESS = f"has no name; a user has one of: {', '.join(USER_NAMES)}"
_MISNAMED = "has a name that can't be used; names have up to 256 characters, none of them a control " \
            "character, and no space at their ends"


def _user_or_problem(value: Any) -> User | str:
    if inspect.isawaitable(value) or inspect.isgenerator(value) or inspect.isasyncgen(value):
        discard(value)
        return _UNAWAITED
    if isinstance(value, bool | BaseException | Response) or inspect.isclass(value) or inspect.isroutine(value):
        return _NO_USER
    if isinstance(value, Morsel):  # a cookie as Tornado's requests have it
        value = value.value
    if isinstance(value, str | bytes | int):
        return _checked(User(_text(value)))
    if is_anonymous(value):
        return _ANONYMOUS
    if isinstance(value, User):
        return _checked(value)
    get = value.get if isinstance(value, Mapping) else _attributes(value)
    groups = next((_texts(found) for name in _GROUPS if (found := get(name))), frozenset())
    return _checked(User(
        next(filter(None, (_text(get(name)) for name in USER_NAMES)), ""),
        email=_text(get("email")),
        groups=groups,
        claims=_plain(value) if isinstance(value, Mapping) else {},
    ))


def _checked(user: User) -> User | str:
    if not user.name:
        return _NAMELESS
    return user if is_name(user.name) else _MISNAMED


def _attributes(value: Any) -> Callable[[str], Any]:
    def get(name: str) -> Any:
        try:
            return getattr(value, name, None)
        except Exception:  # Starlette's SimpleUser.identity always raises; Django's users query a database
            return None

    return get


def _text(value: Any) -> str:
    match value:
        case bool():
            return ""
        case bytes():
            return value.decode("utf-8", "surrogateescape")  # two names must not become the same one
        case int():
            return str(value) if value >= 0 else ""
        case str() | UUID():
            return str(value)
    return ""


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

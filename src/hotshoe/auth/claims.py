"""From what a provider or proxy says of somebody to a ``User``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .user import User

_LONGEST_NAME = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_OF_THE_PROTOCOL = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "aud", "azp", "exp", "iat", "nbf", "auth_time",
                              "jti", "sid", "acr", "amr", "rat", "uti", "rh", "aio", "ver"})


def user_of_claims(claims: Mapping[str, Any], *, user_claim: str, groups_claim: str,
                   trusts_email: bool = False) -> User | None:
    """The user, or ``None`` if the claims do not name one.

    An address that the provider has not verified is not taken, or anybody could claim anybody's; ``trusts_email`` says
    that what it does not call unverified is.
    """
    email = _email(claims, trusts_email=trusts_email)
    name = email if user_claim == "email" else claim(claims, user_claim)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not is_name(name):
        return None
    rest = {key: value for key, value in claims.items() if key not in _OF_THE_PROTOCOL and key != groups_claim}
    return User(name, email, groups_of(claim(claims, groups_claim)), rest)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or, where there is none, by the way to it: ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def groups_of(value: Any) -> frozenset[str]:
    """The groups of a claim: a list of texts, or one."""
    listed = value if isinstance(value, list) else [value]
    return frozenset(group for group in listed if isinstance(group, str) and is_name(group))


def is_name(text: str) -> bool:
    """Whether a text can be a name: nothing in it moves the cursor of whoever reads the log."""
    return 0 < len(text) <= _LONGEST_NAME and text == text.strip() and not _CONTROL.search(text)


def _email(claims: Mapping[str, Any], *, trusts_email: bool) -> str:
    email, verified = claims.get("email"), claims.get("email_verified", trusts_email)
    if not isinstance(email, str) or not is_name(email) or verified not in (True, "true"):
        return ""
    return email


def without_extras(user: User) -> User:
    """The user with only what an app needs to greet them."""
    kept = {name: value for name in ("sub", "name") if isinstance(value := user.claims.get(name), str)}
    return User(user.name, user.email, user.groups, kept)

"""Values that a browser keeps for us in a cookie: it can read them, and any change is seen.

A key is derived for each purpose, so that what was sealed for one is worth nothing for another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

LARGEST_COOKIE = 3900
"""In bytes. Browsers keep 4096 for name, value and attributes together."""


class Seal:
    """Seals JSON objects, and puts them into cookies of its own.

    A cookie's name tells which key has sealed it: cookies know no ports, and two servers of one host must not
    overwrite each other's. It has no path: a browser then keeps it for the folder of the page that set it, which is
    the prefix, also where a proxy adds one that the server never sees. So only pages right below the prefix may set it.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        if not keys or not all(keys):
            raise ValueError("without a key nothing can be sealed")
        self._serializers = [_serializer(key, purpose) for key in keys]
        self._names = [f"hotshoe_{purpose.partition(' ')[0]}_{_digest(key, purpose)}" for key in keys]

    @property
    def name(self) -> str:
        """The name of the cookies that are set."""
        return self._names[0]

    def dumps(self, value: Mapping[str, Any]) -> str:
        """The sealed value, in characters that a cookie and a form can hold."""
        return str(self._serializers[0].dumps(value))

    def loads(self, text: str) -> dict[str, Any] | None:
        """What was sealed with any of the keys, or ``None``."""
        return next(filter(None, (_load(serializer, text) for serializer in self._serializers)), None)

    def fits(self, value: Mapping[str, Any]) -> bool:
        """Whether a browser keeps a cookie with this value."""
        return len(self.dumps(value)) <= LARGEST_COOKIE

    def cookies(self, connection: HTTPConnection, suffix: str = "") -> Iterator[dict[str, Any]]:
        """What the request's cookies hold; there are several where a server stands below another's path."""
        names = {name + suffix: serializer for name, serializer in zip(self._names, self._serializers, strict=True)}
        for name, text in all_cookies(connection):
            if name in names and (value := _load(names[name], text)) is not None:
                yield value

    def set_cookie(self, response: Response, connection: HTTPConnection, value: Mapping[str, Any], *,
                   lifetime_s: int | None = None, suffix: str = "") -> None:
        """Let the browser keep a value; for ``lifetime_s``, or until it is closed."""
        put_cookie(response, connection, self.name + suffix, self.dumps(value), lifetime_s)

    def suffixes(self, connection: HTTPConnection) -> list[str]:
        """The suffixes of the cookies that the request has of this seal."""
        return [name.removeprefix(self.name) for name, _ in all_cookies(connection) if name.startswith(self.name)]

    def forget_cookies(self, response: Response, connection: HTTPConnection, suffix: str = "") -> None:
        """Let the browser forget every cookie of this name that it has sent."""
        sent = {name for name, _ in all_cookies(connection)}
        for name in self._names:
            if name + suffix in sent:
                put_cookie(response, connection, name + suffix, "", 0)


def all_cookies(connection: HTTPConnection) -> Iterator[tuple[str, str]]:
    """Names and values in the order of the request, the cookie of the longest path first (RFC 6265, section 5.4)."""
    for header in connection.headers.getlist("cookie"):
        for pair in header.split(";"):
            name, sign, value = pair.strip().partition("=")
            if sign:
                yield name, value


def put_cookie(response: Response, connection: HTTPConnection, name: str, value: str, lifetime_s: int | None) -> None:
    """Set a cookie that no script sees, that other sites send only by leading here, and that stays with https."""
    secure = connection.url.scheme in ("https", "wss")
    response.set_cookie(name, value, max_age=lifetime_s, path=None, secure=secure, httponly=True, samesite="lax")


def _serializer(key: bytes, purpose: str) -> URLSafeSerializer:
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=f"hotshoe {purpose}", signer_kwargs=how)


def _load(serializer: URLSafeSerializer, text: str) -> dict[str, Any] | None:
    if len(text) > LARGEST_COOKIE:
        return None
    try:
        value = serializer.loads(text)
    except (BadData, ValueError):  # ValueError: text that is no ASCII
        return None
    return value if isinstance(value, dict) else None


def _digest(key: bytes, purpose: str) -> str:
    return hmac.digest(key, f"hotshoe cookie of {purpose}".encode(), "sha256").hex()[:8]

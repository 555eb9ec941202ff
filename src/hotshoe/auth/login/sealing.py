"""Signs values that a browser keeps in a cookie. The browser can read them; a changed value is refused.

Each purpose has a key of its own, derived from the secret key: a value for one purpose is not valid for another.
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
    """Seals (signs) JSON objects and puts them into cookies.

    A cookie's name contains a hash of its key: cookies are shared by all ports of a host, and two servers on one host
    must not overwrite each other's. The cookie has no path, so a browser keeps it for the folder of the page that set
    it: the prefix, even if a proxy adds one that the server never sees. So only pages right below the prefix set it.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        if not keys or not all(keys):
            raise ValueError("a seal needs at least one key, and no empty one")
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        # Of the keys of itsdangerous, the last one signs.
        self._serializer = URLSafeSerializer(keys[::-1], salt=f"hotshoe {purpose}", signer_kwargs=how)
        self._names = [f"hotshoe_{purpose.partition(' ')[0]}_{_digest(key, purpose)}" for key in keys]

    @property
    def name(self) -> str:
        """The name of new cookies."""
        return self._names[0]

    def dumps(self, value: Mapping[str, Any]) -> str:
        """The sealed value, in characters that are allowed in cookies and forms."""
        return str(self._serializer.dumps(value))

    def loads(self, text: str) -> dict[str, Any] | None:
        """The value, if it was sealed with one of the keys; else ``None``."""
        if len(text) > LARGEST_COOKIE:
            return None
        try:
            value = self._serializer.loads(text)
        except (BadData, ValueError):  # ValueError: not ASCII
            return None
        return value if isinstance(value, dict) else None

    def fits(self, value: Mapping[str, Any]) -> bool:
        """Whether a browser keeps a cookie with this value."""
        return len(self.dumps(value)) <= LARGEST_COOKIE

    def cookies(self, connection: HTTPConnection, suffix: str = "") -> Iterator[dict[str, Any]]:
        """The values in the request's cookies; there are several if a server's prefix is below another server's."""
        names = {name + suffix for name in self._names}
        for name, text in all_cookies(connection):
            if name in names and (value := self.loads(text)) is not None:
                yield value

    def set_cookie(self, response: Response, connection: HTTPConnection, value: Mapping[str, Any], *,
                   lifetime_s: int | None = None, suffix: str = "") -> None:
        """Let the browser keep a value for ``lifetime_s``, or until the browser is closed."""
        put_cookie(response, connection, self.name + suffix, self.dumps(value), lifetime_s)

    def suffixes(self, connection: HTTPConnection) -> list[str]:
        """The suffixes of this seal's cookies in the request."""
        return [name.removeprefix(self.name) for name, _ in all_cookies(connection) if name.startswith(self.name)]

    def forget_cookies(self, response: Response, connection: HTTPConnection, suffix: str = "") -> None:
        """Delete every cookie of this name that the browser has sent."""
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
    """Set a cookie: hidden from scripts, not sent with other sites' forms and images, https only if set over https."""
    secure = connection.url.scheme in ("https", "wss")
    response.set_cookie(name, value, max_age=lifetime_s, path=None, secure=secure, httponly=True, samesite="lax")


def _digest(key: bytes, purpose: str) -> str:
    return hmac.digest(key, f"hotshoe cookie of {purpose}".encode(), "sha256").hex()[:8]

"""JSON Web Tokens: who has signed them, for whom, until when.

Only public-key algorithms count: with the others, whoever knows the key that verifies could sign, and a public key
could be taken for a shared secret.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ..errors import ConfigError, RequestError
from .fetching import Fetcher

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY_S = 30.0
"""How much clocks may differ."""

_KEY_TYPES: Mapping[str, str] = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_LONGEST = 65_536
_FRESH_S = 3600.0
_PAUSE_S = 10.0


class TokenInvalid(Exception):
    """A JWT that can't be believed; the text says why."""


class Keys(Protocol):
    """The public keys of whoever signs."""

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """The keys that may have signed, ``again`` after those that are known did not fit."""


class FileKeys:
    """Keys in a file: a JWKS, or one public key in PEM. Raises ``ConfigError``."""

    def __init__(self, path: Path) -> None:
        try:
            self._keys = _keys_of_text(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
        if not self._keys:
            raise ConfigError(f"{path}: there is no public key in it, neither as JWKS nor as PEM")

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """Those of the file."""
        return () if again else _named(self._keys, key_id)


class RemoteKeys:
    """A JWKS at an address: fetched anew every hour, and when something is signed with a key that is not in it, but
    then not more often than all ten seconds, so that nobody makes the server flood the provider.
    """

    def __init__(self, fetcher: Fetcher, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._url = url
        self._clock = clock
        self._keys: list[Key] = []
        self._asked: float | None = None
        self._fetched: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """Those that may have signed."""
        asked = self._asked
        if again or self._age() > _FRESH_S or not _named(self._keys, key_id):
            async with self._lock:
                if self._asked == asked and (asked is None or self._clock() - asked >= _PAUSE_S):
                    await self._fetch()
        return _named(self._keys, key_id)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    async def _fetch(self) -> None:
        self._asked = self._clock()
        try:
            keys = _keys_of(await self._fetcher.get(self._url))
        except RequestError:
            if not self._keys:
                raise
            return  # the old ones are better than none
        self._keys = keys
        self._fetched = self._clock()


class Verifier:
    """Checks tokens for one audience."""

    def __init__(self, keys: Keys, *, audience: str, issuer: str | None,
                 clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    async def claims(self, token: str) -> dict[str, Any]:
        """What the token says. Raises ``TokenInvalid``, or ``RequestError`` if the keys can't be had."""
        if len(token) > _LONGEST:
            raise TokenInvalid("it is too large")
        claims = await self._signed(token)
        self._check_times(claims)
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise TokenInvalid(f"its issuer is {claims.get('iss')!r}, not {self._issuer!r}")
        if self._audience not in _list_of(claims.get("aud")):
            raise TokenInvalid(f"it is for {claims.get('aud')!r}, not for {self._audience!r}")
        return claims

    async def _signed(self, token: str) -> dict[str, Any]:
        algorithm, key_id = _head(token)
        for again in (False, True):
            for key in await self._keys.find(key_id, again=again):
                if key.key_type != _KEY_TYPES[algorithm[:2]]:
                    continue
                try:
                    signed = jws.deserialize_compact(token, key, algorithms=list(ALGORITHMS))
                except (JoseError, ValueError):
                    continue
                return _object(signed.payload)
        raise TokenInvalid("none of the provider's keys has signed it")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        ends = _number(claims.get("exp"))
        if ends is None:
            raise TokenInvalid("it does not say when it expires")
        if now > ends + LEEWAY_S:
            raise TokenInvalid("it has expired")
        for name in ("nbf", "iat"):
            begins = _number(claims.get(name))
            if name in claims and (begins is None or now < begins - LEEWAY_S):
                raise TokenInvalid(f"it is of the future ({name})")


def _head(token: str) -> tuple[str, str | None]:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, UnicodeError, RecursionError):
        raise TokenInvalid("it is no JWT") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenInvalid(f"its algorithm is {algorithm!r}, which proves nothing here")
    return algorithm, key_id if isinstance(key_id, str) else None


def _object(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenInvalid("there are no claims in it")
    return claims


def _named(keys: Iterable[Key], key_id: str | None) -> list[Key]:
    """A key without a name can be any."""
    return [key for key in keys if key_id is None or key.kid in (None, key_id)]


def _keys_of_text(text: bytes) -> list[Key]:
    try:
        return _keys_of(json.loads(text))
    except ValueError:
        pass
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return [kind.import_key(text)]
        except (JoseError, ValueError, TypeError):
            continue
    return []


def _keys_of(value: Any) -> list[Key]:
    """The keys of a JWKS that can verify; those of kinds that are not known are left out (RFC 7517, section 5)."""
    listed = value.get("keys") if isinstance(value, dict) else None
    return [key for each in (listed if isinstance(listed, list) else ()) if (key := _key_of(each)) is not None]


def _key_of(value: Any) -> Key | None:
    if not isinstance(value, dict) or value.get("use", "sig") != "sig" or value.get("kty") == "oct":
        return None
    try:
        return JWKRegistry.import_key(value)
    except (JoseError, ValueError, TypeError):
        return None


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None

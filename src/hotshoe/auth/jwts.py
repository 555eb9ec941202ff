"""JSON Web Tokens. joserfc verifies signatures and checks claims.

Only public-key algorithms are accepted: with a shared key, everybody who can verify could also sign, and a public key
could be misused as a shared secret.

The keys to try are chosen here and not by joserfc's ``KeySet``. It finds no key for a token without a key id if it has
several, and none for a token with a key id if the key has no id. One malformed key makes the whole set fail, and
nothing limits how often the set is fetched again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from joserfc import jws, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidPayloadError, JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ..base.errors import ConfigError, RequestError
from ..base.named_files import read_named, reason_of
from .fetching import Fetcher

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY_S = 30
"""How far the provider's clock may be off."""

_LONGEST = 65_536
_FRESH_S = 3600.0
_PAUSE_S = 10.0


class TokenInvalid(Exception):
    """A JWT that is not valid; the text is the reason."""


class Keys(Protocol):
    """The public keys of a signer."""

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """The keys that may have signed. ``again``: the keys of the first call did not fit, so look for newer ones."""


class FileKeys:
    """Keys in a file: a JWKS, or one public key in PEM. Raises ``ConfigError``."""

    def __init__(self, path: Path) -> None:
        try:
            self._keys = _keys_of_text(read_named(path))
        except OSError as error:
            raise ConfigError(f"{path}: can't be read: {reason_of(error)}") from error
        if not self._keys:
            raise ConfigError(f"{path}: has no public key, neither as JWKS nor as PEM")

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """The file's keys; it is not read again."""
        return () if again else _named(self._keys, key_id)


class RemoteKeys:
    """A JWKS at a URL. It is fetched again every hour, and for a token with an unknown key, but then at most every ten
    seconds: bad tokens must not make the server flood the provider.
    """

    def __init__(self, fetcher: Fetcher, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._url = url
        self._clock = clock
        self._keys: list[Key] = []
        self._asked: float | None = None
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None, *, again: bool) -> Sequence[Key]:
        """The keys that may have signed."""
        asked = self._asked
        if again or self._clock() - self._fetched > _FRESH_S or not _named(self._keys, key_id):
            async with self._lock:
                if self._asked == asked and (asked is None or self._clock() - asked >= _PAUSE_S):
                    await self._fetch()
        return _named(self._keys, key_id)

    async def _fetch(self) -> None:
        self._asked = self._clock()
        try:
            self._keys = _keys_of(await self._fetcher.get(self._url))
            self._fetched = self._clock()
        except RequestError:
            if not self._keys:
                raise  # with old keys, go on with those


class Verifier:
    """Checks tokens for one audience."""

    def __init__(self, keys: Keys, *, audience: str, issuer: str | None,
                 clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._wanted = {"aud": audience} if issuer is None else {"aud": audience, "iss": issuer}
        options = {name: jwt.ClaimsOption(essential=True, value=value) for name, value in self._wanted.items()}
        self._registry = jwt.JWTClaimsRegistry(lambda: int(clock()), LEEWAY_S, exp={"essential": True}, **options)

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a valid token. Raises ``TokenInvalid``, or ``RequestError`` if the keys can't be fetched."""
        if len(token) > _LONGEST:
            raise TokenInvalid("it is too large")
        claims = await self._verify(token)
        # Only these: joserfc would also refuse other claims that are not text, but a ``sub`` may be a number.
        checked = {name: claims[name] for name in ("exp", "nbf", "iat", *self._wanted) if name in claims}
        try:
            self._registry.validate(checked)
        except ClaimError as error:
            raise TokenInvalid(self._problem(error, claims)) from None
        return claims

    async def _verify(self, token: str) -> dict[str, Any]:
        key_id = _key_id(token)
        for again in (False, True):
            for key in await self._keys.find(key_id, again=again):
                try:
                    return jwt.decode(token, key, ALGORITHMS).claims
                except (InvalidPayloadError, RecursionError):
                    raise TokenInvalid("it has no claims") from None
                except (JoseError, ValueError, TypeError):  # TypeError: odd headers, such as a number as "crit"
                    continue
        raise TokenInvalid("it is not signed by any of the provider's keys")

    def _problem(self, error: ClaimError, claims: Mapping[str, Any]) -> str:
        if isinstance(error, ExpiredTokenError):
            return "it has expired"
        match name := error.claim.rpartition(",")[2]:  # several may be missing
            case "exp":
                return "it has no expiry time"
            case "iss":
                return f"its issuer is {claims.get(name)!r}, not {self._wanted[name]!r}"
            case "aud":
                return f"it is for {claims.get(name)!r}, not for {self._wanted[name]!r}"
        return f"its time is in the future ({name})"


def _key_id(token: str) -> str | None:
    """The key id in a token's header. Raises ``TokenInvalid`` for a token whose signature can't be accepted."""
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, UnicodeError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise TokenInvalid("it is not a JWT")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenInvalid(f"its algorithm {algorithm!r} is not accepted")
    return key_id if isinstance(key_id, str) else None


def _named(keys: Iterable[Key], key_id: str | None) -> list[Key]:
    """The keys of this id. A key without an id may be any key."""
    return [key for key in keys if key_id is None or key.kid in (None, key_id)]


def _keys_of_text(text: bytes) -> list[Key]:
    try:
        return _keys_of(json.loads(text))
    except (ValueError, RecursionError):
        pass
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return [kind.import_key(text)]
        except (JoseError, ValueError, TypeError):
            continue
    return []


def _keys_of(value: Any) -> list[Key]:
    """The keys of a JWKS that can verify; keys of unknown kinds are left out (RFC 7517, section 5)."""
    listed = value.get("keys") if isinstance(value, dict) else None
    return [key for each in (listed if isinstance(listed, list) else ()) if (key := _key_of(each)) is not None]


def _key_of(value: Any) -> Key | None:
    if not isinstance(value, dict) or value.get("use", "sig") != "sig" or value.get("kty") == "oct":
        return None
    try:
        return JWKRegistry.import_key(value)
    except (JoseError, ValueError, TypeError):
        return None

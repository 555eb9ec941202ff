"""What a provider of OpenID Connect is asked, and how its answers are checked (OpenID Connect Core 1.0, section 3.1).

The requests are made with Authlib's parts that do no I/O.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ..config.login_checks import check_provider_url
from ..errors import ConfigError, RequestError
from .claims import claim, user_of_claims
from .fetching import Fetcher
from .jwts import RemoteKeys, TokenInvalid, Verifier
from .presets import Preset
from .user import User

_log = logging.getLogger(__name__)

_FRESH_S = 3600.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that has begun: what its end is compared with."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows this server by."""

    id: str
    secret: str | None = field(default=None, repr=False)


class Peer(Protocol):
    """A provider at another place."""

    async def prepare(self) -> None:
        """Find out what can be found out before anybody logs in. Raises ``ConfigError`` and ``RequestError``."""

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where to send somebody to log in. Raises ``RequestError``."""

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """Who has come back with a code; ``None`` if it gives them no name. Raises ``RequestError``."""

    async def logout_url(self) -> str | None:
        """Where a user logs out there too."""

    @property
    def issuer(self) -> str | None:
        """How it calls itself, if that is known."""


class OpenIdPeer:
    """A provider that says what it can in a document at a well-known address."""

    def __init__(self, preset: Preset, client: Client, fetcher: Fetcher, *, scope: tuple[str, ...] = (),
                 user_claim: str | None = None, groups_claim: str = "groups",
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._preset = preset
        self._client = client
        self._fetcher = fetcher
        self._scope = scope or preset.scope
        self._user_claim = user_claim or preset.user_claim
        self._groups_claim = groups_claim
        self._clock = clock
        self._document: Mapping[str, Any] = {}
        self._read_at: float | None = None
        self._verifier: Verifier | None = None

    @property
    def issuer(self) -> str | None:
        """How it calls itself."""
        return self._document.get("issuer")

    async def prepare(self) -> None:
        """Read the document. Raises ``ConfigError`` if it is another provider's, ``RequestError`` if there is none."""
        await self._metadata()

    async def authorization_url(self, attempt: Attempt) -> str:
        """The page of the provider."""
        document = await self._metadata()
        return authorization_url(document["authorization_endpoint"], self._client, self._scope, attempt,
                                 nonce=attempt.nonce)

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """Who the ID token names, completed by the user info where that is needed."""
        document = await self._metadata()
        tokens = await exchange(self._fetcher, document["token_endpoint"], self._client, code, attempt,
                                self._how_to_authenticate(document))
        claims = await self._identity(tokens, attempt)
        if self._lacks_something(claims) and "userinfo_endpoint" in document:
            claims = {**await self._user_info(document["userinfo_endpoint"], tokens, claims), **claims}
        return user_of_claims(claims, user_claim=self._user_claim, groups_claim=self._groups_claim,
                              trusts_email=self._preset.trusts_email)

    async def logout_url(self) -> str | None:
        """RP-initiated logout. Without an address to return to, which would have to be registered too."""
        try:
            place = (await self._metadata()).get("end_session_endpoint")
        except (RequestError, ConfigError):
            return None
        return f"{place}{'&' if '?' in place else '?'}{urlencode({'client_id': self._client.id})}" if place else None

    async def _identity(self, tokens: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        token = tokens.get("id_token")
        if not isinstance(token, str) or self._verifier is None:
            raise _not_believed("it sent no ID token; openid has to be in --oidc-scope")
        try:
            claims = await self._verifier.claims(token)
        except TokenInvalid as error:
            raise _not_believed(f"its ID token: {error}") from None
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise _not_believed("its ID token belongs to another login (nonce)")
        # Section 3.1.3.7, 4 and 5.
        party, audience = claims.get("azp"), claims.get("aud")
        if party not in (None, self._client.id) or (party is None and isinstance(audience, list) and len(audience) > 1):
            raise _not_believed(f"its ID token was made for {party!r}")
        if not isinstance(claims.get("sub"), str):
            raise _not_believed("its ID token names nobody (sub)")
        return claims

    def _lacks_something(self, claims: Mapping[str, Any]) -> bool:
        return any(claim(claims, name) is None for name in (self._user_claim, "email", self._groups_claim))

    async def _user_info(self, url: str, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> Mapping[str, Any]:
        info = await self._fetcher.get(url, {"Authorization": f"Bearer {tokens['access_token']}"})
        if not isinstance(info, dict) or info.get("sub") != claims["sub"]:
            raise _not_believed("its user info is of somebody else (sub)")  # section 5.3.2
        return info

    def _how_to_authenticate(self, document: Mapping[str, Any]) -> str:
        if self._client.secret is None:
            return "none"
        known = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"

    async def _metadata(self) -> Mapping[str, Any]:
        if self._read_at is not None and self._clock() - self._read_at < _FRESH_S:
            return self._document
        try:
            document = await self._fetcher.get(self._preset.issuer.rstrip("/") + "/.well-known/openid-configuration")
        except RequestError:
            if self._read_at is None:
                raise
            self._read_at = self._clock() - _FRESH_S / 2  # what was known will do for a while
            return self._document
        self._check(document)
        assert isinstance(document, dict)
        if self._verifier is None or document != self._document:
            keys = RemoteKeys(self._fetcher, document["jwks_uri"])
            self._verifier = Verifier(keys, audience=self._client.id, issuer=document["issuer"])
        self._document, self._read_at = document, self._clock()
        return document

    def _check(self, document: Any) -> None:
        issuer = document.get("issuer") if isinstance(document, dict) else None
        if not isinstance(issuer, str):
            raise ConfigError(f"--oidc-issuer: {self._preset.issuer} is no provider of OpenID Connect")
        same = issuer.rstrip("/") == self._preset.issuer.rstrip("/")
        if not (same or self._preset.issuer_differs) or "{" in issuer:
            raise ConfigError(f"--oidc-issuer: the provider calls itself {issuer!r}; use this as its URL")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(document.get(name), str):
                raise ConfigError(f"--oidc-issuer: the provider does not say where its {name} is")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
                     "end_session_endpoint"):
            if name in document and (problem := check_provider_url(str(document[name]))):
                raise ConfigError(f"--oidc-issuer: the provider's {name} {problem}")


def authorization_url(page: str, client: Client, scope: tuple[str, ...], attempt: Attempt, **more: str) -> str:
    """Where to send somebody: the page of the provider, with what it has to know."""
    challenge = create_s256_code_challenge(attempt.verifier)  # type: ignore[no-untyped-call]
    return str(prepare_grant_uri(page, client.id, "code", attempt.redirect_url, " ".join(scope), attempt.state,
                                 code_challenge=challenge, code_challenge_method="S256", **more))


async def exchange(fetcher: Fetcher, url: str, client: Client, code: str, attempt: Attempt,
                   how: str) -> Mapping[str, Any]:
    """The tokens for a code. Raises ``RequestError``; neither it nor the log has a token or a secret."""
    body = prepare_token_request("authorization_code", code=code, redirect_uri=attempt.redirect_url,
                                 code_verifier=attempt.verifier)
    auth = ClientAuth(client.id, client.secret, how)
    url, headers, body = auth.prepare("POST", url, dict(_FORM), body)  # type: ignore[no-untyped-call]
    status, tokens = await fetcher.post(url, body, headers)
    if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
        error = tokens.get("error") if isinstance(tokens, dict) else None
        raise _not_believed(f"it gave no tokens: status {status}, {str(error)[:100]!r}")
    return tokens


def _not_believed(reason: str) -> RequestError:
    _log.error("A login at the provider failed: %s", reason)
    return RequestError("The login provider's answer can't be believed.", status=502)

"""Requests to a provider of OpenID Connect, and checks of its answers (OpenID Connect Core 1.0, section 3.1).

The requests are built with Authlib's functions that do no I/O. Authlib's clients lack what is needed here:

- ``AsyncOAuth2Client`` limits neither size nor time of a response, keeps the tokens of the last user, and warns that it
  will stop using httpx.
- ``StarletteOAuth2App`` reads the metadata once and never again, fetches the keys again for each token with an unknown
  key, and lets the provider choose the accepted algorithms.
- ``OpenIDProviderMetadata`` accepts http in place of https if an environment variable allows it.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ...base.errors import ConfigError, RequestError
from ...base.logs import PacedLog
from ...base.users import User
from ...config import Settings
from ...config.checks import check_provider_url
from ..fetching import Fetcher
from ..identity import claim, user_of_claims
from ..jwts import RemoteKeys, TokenInvalid, Verifier

_log = PacedLog(logging.getLogger(__name__))

_FRESH_S = 3600.0
_SCOPE = ("openid", "profile", "email")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A started login. The values in the provider's answer must be equal to these."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Client:
    """This server's name and password at the provider."""

    id: str
    secret: str | None = field(default=None, repr=False)


class Peer(Protocol):
    """A login provider on another server."""

    async def prepare(self) -> None:
        """Read the provider's configuration, before the first login. Raises ``ConfigError`` and ``RequestError``."""

    async def authorization_url(self, attempt: Attempt) -> str:
        """The URL to which a user is redirected to log in. Raises ``RequestError``."""

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """The user who came back with a code; ``None`` if the provider gives no name. Raises ``RequestError``."""

    async def logout_url(self) -> str | None:
        """The page that logs the user out at the provider; ``None`` if there is none."""

    @property
    def issuer(self) -> str | None:
        """The provider's name for itself, if it is known."""


class OpenIdPeer:
    """A provider whose configuration is read from its well-known URL (OpenID Connect Discovery 1.0)."""

    def __init__(self, preset: Preset, client: Client, fetcher: Fetcher, *, scope: tuple[str, ...] = (),
                 user_claim: str | None = None, groups_claim: str = "groups",
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._preset = preset
        self._client = client
        self._fetcher = fetcher
        self._scope = scope or _SCOPE
        self._user_claim = user_claim or preset.user_claim
        self._groups_claim = groups_claim
        self._clock = clock
        self._document: Mapping[str, Any] = {}
        self._read_at: float | None = None
        self._verifier: Verifier | None = None

    @property
    def issuer(self) -> str | None:
        """The ``issuer`` of the configuration, once that was read."""
        return self._document.get("issuer")

    async def prepare(self) -> None:
        """Read the configuration. Raises ``ConfigError`` if it names another issuer, ``RequestError`` if it fails."""
        await self._metadata()

    async def authorization_url(self, attempt: Attempt) -> str:
        """The provider's login page."""
        document = await self._metadata()
        return authorization_url(document["authorization_endpoint"], self._client, self._scope, attempt,
                                 nonce=attempt.nonce)

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """The user of the ID token. Missing claims are taken from the user info endpoint."""
        document = await self._metadata()
        tokens = await exchange(self._fetcher, document["token_endpoint"], self._client, code, attempt,
                                self._how_to_authenticate(document))
        claims = await self._identity(tokens, attempt)
        if self._lacks_something(claims) and "userinfo_endpoint" in document:
            claims = {**await self._user_info(document["userinfo_endpoint"], tokens, claims), **claims}
        return user_of_claims(claims, user_claim=self._user_claim, groups_claim=self._groups_claim,
                              trusts_email=self._preset.trusts_email)

    async def logout_url(self) -> str | None:
        """RP-initiated logout, without a URL to return to: that would have to be registered at the provider, too."""
        try:
            place = (await self._metadata()).get("end_session_endpoint")
        except (RequestError, ConfigError):
            return None
        return add_params_to_uri(place, [("client_id", self._client.id)]) if place else None

    async def _identity(self, tokens: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        token = tokens.get("id_token")
        if not isinstance(token, str) or self._verifier is None:
            raise _log_invalid("it sent no ID token; --oidc-scope must contain openid")
        try:
            claims = await self._verifier.claims(token)
        except TokenInvalid as error:
            raise _log_invalid(f"its ID token: {error}") from None
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise _log_invalid("its ID token belongs to another login (nonce)")
        # Section 3.1.3.7, 4 and 5.
        party, audience = claims.get("azp"), claims.get("aud")
        if party not in (None, self._client.id) or (party is None and isinstance(audience, list) and len(audience) > 1):
            raise _log_invalid(f"its ID token was made for {party!r}")
        if not isinstance(claims.get("sub"), str):
            raise _log_invalid("its ID token names no user (sub)")
        return claims

    def _lacks_something(self, claims: Mapping[str, Any]) -> bool:
        return any(claim(claims, name) is None for name in (self._user_claim, "email", self._groups_claim))

    async def _user_info(self, url: str, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> Mapping[str, Any]:
        info = await self._fetcher.get(url, {"Authorization": f"Bearer {tokens['access_token']}"})
        if not isinstance(info, dict) or info.get("sub") != claims["sub"]:
            raise _log_invalid("its user info is about another user (sub)")  # section 5.3.2
        return info

    def _how_to_authenticate(self, document: Mapping[str, Any]) -> str:
        if self._client.secret is None:
            return "none"
        known = document.get("token_endpoint_auth_methods_supported")
        has_basic = not known or not isinstance(known, list) or "client_secret_basic" in known
        return "client_secret_basic" if has_basic else "client_secret_post"

    async def _metadata(self) -> Mapping[str, Any]:
        if self._read_at is not None and self._clock() - self._read_at < _FRESH_S:
            return self._document
        try:
            document = await self._fetcher.get(self._preset.issuer.rstrip("/") + "/.well-known/openid-configuration")
        except RequestError:
            if self._read_at is None:
                raise
            self._read_at = self._clock() - _FRESH_S / 2  # use the old one for a while
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
            raise ConfigError(f"--oidc-issuer: {self._preset.issuer} is not an OpenID Connect provider")
        same = issuer.rstrip("/") == self._preset.issuer.rstrip("/")
        if not (same or self._preset.issuer_differs) or "{" in issuer:
            raise ConfigError(f"--oidc-issuer: the provider calls itself {issuer!r}; use this as its URL")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(document.get(name), str):
                raise ConfigError(f"--oidc-issuer: the provider's configuration has no {name}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
                     "end_session_endpoint"):
            if name in document and (problem := check_provider_url(str(document[name]))):
                raise ConfigError(f"--oidc-issuer: the provider's {name} {problem}")


def authorization_url(page: str, client: Client, scope: tuple[str, ...], attempt: Attempt, **more: str) -> str:
    """The URL of the provider's login page, with its query."""
    challenge = create_s256_code_challenge(attempt.verifier)  # type: ignore[no-untyped-call]
    return str(prepare_grant_uri(page, client.id, "code", attempt.redirect_url, " ".join(scope), attempt.state,
                                 code_challenge=challenge, code_challenge_method="S256", **more))


async def exchange(fetcher: Fetcher, url: str, client: Client, code: str, attempt: Attempt,
                   how: str) -> Mapping[str, Any]:
    """Exchange a code for tokens. Raises ``RequestError``; neither the error nor the log has a token or a secret."""
    body = prepare_token_request("authorization_code", code=code, redirect_uri=attempt.redirect_url,
                                 code_verifier=attempt.verifier)
    auth = ClientAuth(client.id, client.secret, how)
    url, headers, body = auth.prepare("POST", url, dict(_FORM), body)  # type: ignore[no-untyped-call]
    status, tokens = await fetcher.post(url, body, headers)
    if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
        error = tokens.get("error") if isinstance(tokens, dict) else None
        raise _log_invalid(f"it sent no tokens: status {status}, {str(error)[:100]!r}")
    return tokens


def _log_invalid(reason: str) -> RequestError:
    _log.error("A login at the provider failed: %s", reason)
    return RequestError("The login provider's answer is not valid.", status=502)


@dataclass(frozen=True, slots=True)
class Preset:
    """The particulars of one OpenID Connect provider."""

    issuer: str
    user_claim: str = "sub"
    trusts_email: bool = False
    """Whether an address counts as verified though the provider does not say so."""
    issuer_differs: bool = False
    """Whether the issuer's name differs from the URL of its configuration."""


def preset_of(settings: Settings) -> Preset:
    """The preset of ``--oidc-issuer``. GitHub has none: it has a protocol of its own."""
    match settings.oidc_issuer:
        case "google":
            return Preset("https://accounts.google.com", user_claim="email")
        case "microsoft":
            # The tenant's administrators set the addresses; Microsoft sends no email_verified.
            return Preset(f"https://login.microsoftonline.com/{settings.oidc_tenant}/v2.0",
                          trusts_email=True, issuer_differs=True)
        case issuer:
            return Preset(issuer or "")

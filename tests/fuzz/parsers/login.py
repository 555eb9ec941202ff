"""What a provider of OpenID Connect answers: its configuration, tokens, and what it knows of a user.

An input is three JSON texts, separated by lines ``--``. The ID token of the second is valid, if it is ``TOKEN``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.fuzz.driver import Parser
from tests.fuzz.parsers.jwts import PUBLIC, signed

from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.identity import is_name
from hotshoe.auth.oidc.openid import Attempt, Client, OpenIdPeer, Preset
from hotshoe.base.errors import ConfigError, RequestError

ISSUER = "https://login.example"
ATTEMPT = Attempt("state", "nonce", "verifier" * 6, "https://here.example/login/answer")


class _Provider(Fetcher):
    """Answers with JSON texts: in place of a network, with the errors of one."""

    def __init__(self, document: bytes, tokens: bytes, user_info: bytes) -> None:
        super().__init__()
        self._document, self._tokens, self._user_info = document, tokens, user_info
        self.asked: list[str] = []

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        self.asked.append(url)
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return _value(self._document)
        return {"keys": [PUBLIC]} if url.endswith("/keys") else _value(self._user_info)

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        self.asked.append(url)
        return 200, _value(self._tokens)


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("not JSON", status=502) from None


def run(data: bytes) -> Hashable:
    document, tokens, user_info, *_ = [*data.split(b"\n--\n"), b"{}", b"{}"]
    claims = {"iss": ISSUER, "aud": "us", "exp": time.time() + 1e6, "sub": "ann", "nonce": "nonce"}
    token = signed(b'{"alg":"ES256"}', json.dumps(claims).encode())
    provider = _Provider(document, tokens.replace(b"TOKEN", token.encode()), user_info)
    try:
        return asyncio.run(_log_in(OpenIdPeer(Preset(ISSUER), Client("us", "secret"), provider)))
    except (ConfigError, RequestError) as error:
        assert str(error).isprintable()
        return str(error)[:60]
    finally:
        assert all(url.lower().startswith(("https://", "http://localhost")) for url in provider.asked)


async def _log_in(peer: OpenIdPeer) -> Hashable:
    page = await peer.authorization_url(ATTEMPT)
    assert urlsplit(page).scheme == "https" or urlsplit(page).hostname == "localhost"
    await peer.logout_url()
    user = await peer.user("code", ATTEMPT)
    assert user is None or all(map(is_name, [user.name, *user.groups]))
    return user is None, user and (bool(user.email), bool(user.groups))


PARSER = Parser(
    "login", run, inputs=2000, memory_bytes=4 << 20,
    words=(b"\n--\n", b'"issuer":"https://login.example"', b'"authorization_endpoint":"https://login.example/login"',
           b'"token_endpoint":"https://login.example/token"', b'"jwks_uri":"https://login.example/keys"',
           b'"userinfo_endpoint":"https://login.example/info"', b'"end_session_endpoint":"https://login.example/out"',
           b'"token_endpoint_auth_methods_supported":["none"]', b'"access_token":"a"', b'"id_token":"TOKEN"', b"TOKEN",
           b'"sub":"ann"', b'"email":"a@b"', b'"email_verified":true', b'"groups":["a"]', b"http://", b"javascript:",
           b"https://[", b"https://x:y@z/", b"?a=b", b"#f", b"\\n", b"\\u0000", b'"\\ud800"', b"null", b"true", b"5",
           b"[]", b"{}", b"[" * 1000, b"1e999", b"9" * 5000),
)

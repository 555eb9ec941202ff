"""What a proxy says of a user counts only if it is a trusted one, says it once, and, with a JWT, can prove it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.requests import HTTPConnection
from tests.support.oidc_provider import hs256

from hotshoe.auth import Provider, User
from hotshoe.auth.access import Access
from hotshoe.auth.providers import provider_of
from hotshoe.base.errors import ConfigError
from hotshoe.base.shared import MemoryShared
from hotshoe.config import Settings
from hotshoe.tokens.keys import from_base64, to_base64

KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
AUDIENCE = "/projects/7/apps/mine"


def provider_for(**settings: Any) -> Provider:
    found = provider_of(Settings(auth="header", use_xheaders=True, **settings), keys=[b"k" * 32], shared=MemoryShared())
    assert found is not None
    return found


def request(*headers: tuple[str, str | bytes], trusted: bool | None = True) -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode() if isinstance(value, str) else value) for name, value in headers]
    scope: dict[str, Any] = {"type": "websocket", "path": "/app/ws", "query_string": b"", "headers": raw,
                             "client": ("127.0.0.1", 7), "scheme": "ws", "server": ("x", 1)}
    return HTTPConnection(scope if trusted is None else {**scope, "hotshoe.trusted_proxy": trusted})


@pytest.fixture
def plain() -> Provider:
    return provider_for(auth_header_user="X-Forwarded-User", auth_header_email="X-Email", auth_header_groups="X-Groups")


async def test_the_proxy_names_the_user(plain: Provider) -> None:
    found = await plain.user_of(request(("X-Forwarded-User", "ada"), ("X-Email", "ada@example.org"),
                                        ("x-groups", "staff, admins,,")))
    assert found == User("ada", "ada@example.org", frozenset({"staff", "admins"}))
    assert await plain.user_of(request(("X-Forwarded-User", "Jürgen Müller"))) == User("Jürgen Müller")
    assert await plain.user_of(request(("X-Forwarded-User", "Jürgen".encode("latin-1")))) == User("Jürgen")
    assert plain.endpoints == {}
    assert await plain.login_path(request()) is None
    assert plain.logout_path is None


@pytest.mark.parametrize(("separator", "header", "groups"), [
    (None, "cn=staff,admins", {"cn=staff", "admins"}),
    (";", "cn=staff,admins", {"cn=staff,admins"}),
    (";", "cn=staff,ou=x ; cn=admins,ou=x;;", {"cn=staff,ou=x", "cn=admins,ou=x"}),
    ("|", "staff|admins", {"staff", "admins"}),
    (" ", "staff  admins", {"staff", "admins"}),
    (", ", "a,b, c", {"a,b", "c"}),
    ("::", "a::b:c", {"a", "b:c"}),
])
async def test_the_separator_of_groups(separator: str | None, header: str, groups: set[str]) -> None:
    provider = provider_for(auth_header_user="X-User", auth_header_groups="X-Groups", auth_header_separator=separator)
    found = await provider.user_of(request(("X-User", "ada"), ("X-Groups", header)))
    assert found == User("ada", groups=frozenset(groups))
    assert await Access(["/a=cn=staff\\,admins"]).admits(User("ada", groups=frozenset({"cn=staff,admins"})), "/a")
    assert not await Access(["/a=admins,cn=staff"]).admits(User("ada", groups=frozenset({"cn=staff,admins"})), "/a")


@pytest.mark.parametrize("trusted", [False, None])
async def test_strangers_name_nobody(plain: Provider, trusted: bool | None, caplog: pytest.LogCaptureFixture) -> None:
    assert await plain.user_of(request(("X-Forwarded-User", "root"), trusted=trusted)) is None
    assert "not a trusted proxy" in caplog.text
    assert "root" not in caplog.text


@pytest.mark.parametrize("headers", [
    [], [("X-Forwarded-User", "")], [("X-Forwarded-User", " ")],
    [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "root")],
    [("X-Forwarded-User", "ada"), ("X-Groups", "staff"), ("X-Groups", "admins")],
    [("X-Forwarded-User", "ada"), ("X-Email", "a@b"), ("X-Email", "c@d")],
    [("X_Forwarded_User", "ada")], [("X-Forwarded-User", "ada\nroot")], [("X-Forwarded-User", "a\x00")],
    [("X-Forwarded-User", "x" * 300)], [("X-Forwarded-User", "\x1b[2J")], [("X-Email", "a@b")],
])
async def test_what_is_unclear_names_nobody(plain: Provider, headers: list[tuple[str, str]]) -> None:
    assert await plain.user_of(request(*headers)) is None


# -- JWT


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY.as_dict(private=False), {"kty": "new"}, "odd", None]}))
    return file


@pytest.fixture
def signed(keys: Path) -> Provider:
    return provider_for(auth_header_jwt="X-Goog-IAP-JWT-Assertion", auth_header_keys=str(keys),
                        auth_header_audience=AUDIENCE, auth_header_issuer="https://cloud.google.com/iap")


def token(key: Any = KEY, algorithm: str = "ES256", kid: str | None = "one", **claims: Any) -> str:
    now = int(time.time())
    full = {"iss": "https://cloud.google.com/iap", "aud": AUDIENCE, "exp": now + 300, "iat": now, "sub": "1",
            "email": "ada@example.org", "groups": ["staff"], **claims}
    header = {"alg": algorithm} if kid is None else {"alg": algorithm, "kid": kid}
    return jwt.encode(header, {name: value for name, value in full.items() if value is not None}, key,
                      algorithms=[algorithm])


async def test_a_jwt_names_the_user(signed: Provider) -> None:
    for value in (token(), f"Bearer {token()}", token(kid=None), token(aud=["other", AUDIENCE]),
                  token(exp=int(time.time()) - 10)):
        found = await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", value), ("X-Forwarded-User", "root")))
        assert found is not None, value
        assert (found.name, found.email, found.groups) == ("ada@example.org", "ada@example.org", frozenset({"staff"}))


@pytest.mark.parametrize("value", [
    "", "x", "a.b.c", "..", "Basic YTpi", "\x00", "." * 1000, "e30.e30.", "x" * 70_000,
    "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6InJvb3QifQ.", "ü.ü.ü", "eyJhbGciOltdfQ.e30.x", "bnVsbA.e30.x",
    *(to_base64(json.dumps(header).encode()) + ".e30.x" for header in (
        ["alg"], "alg", {"alg": "ES256", "crit": 7}, {"alg": "ES256", "crit": [[]]}, {"alg": "ES256", "kid": []},
        {"alg": "ES256", "b64": False, "crit": ["b64"]})),
])
async def test_what_is_no_jwt_names_nobody(signed: Provider, value: str) -> None:
    assert await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", value))) is None


@pytest.mark.parametrize("claims", [
    {"aud": "another"}, {"aud": None}, {"aud": []}, {"aud": {AUDIENCE: 1}}, {"iss": "https://evil.example"},
    {"iss": None}, {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": float("nan")},
    {"exp": float("inf")}, {"exp": -10**400}, {"nbf": True}, {"iat": "now"}, {"nbf": 9_999_999_999},
    {"iat": 9_999_999_999}, {"email": None}, {"email": ""}, {"email": 7}, {"email": ["a"]},
    {"email": "ada@example.org\nroot"}, {"email_verified": False},
])
async def test_claims_that_do_not_hold_name_nobody(signed: Provider, claims: dict[str, Any]) -> None:
    assert await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", token(**claims)))) is None


async def test_other_keys_name_nobody(signed: Provider) -> None:
    claims = json.loads(from_base64(token().split(".")[1]))
    confused = hs256({"kid": "one"}, claims, KEY.as_pem(private=False))
    other = ECKey.generate_key("P-256", {"kid": "one"})
    for value in (token(other), token(other, kid=None), token(kid="two"), confused,
                  token(RSAKey.generate_key(2048), "RS256")):
        assert await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", value))) is None
    good = token()
    for at in range(0, len(good) - 1, 7):
        changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1:]
        assert await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", changed))) is None
    assert await signed.user_of(request(("X-Goog-IAP-JWT-Assertion", good), trusted=False)) is None


@pytest.mark.parametrize(("key", "algorithm"), [
    (RSAKey.generate_key(2048), "RS256"), (RSAKey.generate_key(2048), "PS512"), (ECKey.generate_key("P-384"), "ES384"),
    (OKPKey.generate_key("Ed25519"), "Ed25519"),
])
async def test_a_key_in_pem(tmp_path: Path, key: Any, algorithm: str) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_pem(private=False))
    provider = provider_for(auth_header_jwt="Authorization", auth_header_keys=str(file), auth_header_audience=AUDIENCE,
                            user_claim="realm.user", groups_claim="realm.roles")
    value = token(key, algorithm, realm={"user": "ada", "roles": "staff"})
    found = await provider.user_of(request(("Authorization", f"Bearer {value}")))
    assert found is not None
    assert (found.name, found.groups) == ("ada", frozenset({"staff"}))


def test_keys_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for text in ("", "{}", '{"keys": []}', "-----BEGIN PUBLIC KEY-----", '{"keys": [{"kty": "oct", "k": "AAAA"}]}',
                 "[" * 100_000):
        file.write_text(text)
        with pytest.raises(ConfigError, match="no public key"):
            provider_for(auth_header_jwt="X", auth_header_keys=str(file), auth_header_audience="a")
    with pytest.raises(ConfigError, match="can't be read"):
        provider_for(auth_header_jwt="X", auth_header_keys=str(tmp_path / "none"), auth_header_audience="a")
    with pytest.raises(ConfigError, match="not https"):
        provider_for(auth_header_jwt="X", auth_header_keys="http://far.example/jwks", auth_header_audience="a")


async def test_keys_that_can_not_be_had_name_nobody() -> None:
    provider = provider_for(auth_header_jwt="X", auth_header_keys="http://127.0.0.1:1/jwks", auth_header_audience="a")
    await provider.start()
    assert await provider.user_of(request(("X", token()))) is None
    await provider.stop()


def test_logout_is_where_the_settings_say() -> None:
    provider = provider_for(auth_header_user="X-User", auth_header_logout_url="/oauth2/sign_out")
    assert provider.logout_path == "/oauth2/sign_out"

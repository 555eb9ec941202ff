"""Forged JSON Web Tokens: signed with a public key as a shared secret, with a key that the token brings, with none."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.jwts import RemoteKeys, TokenInvalid, Verifier
from hotshoe.tokens.keys import to_base64

ISSUER = "https://login.example.org"
JWKS = f"{ISSUER}/jwks"
CLAIMS = {"iss": ISSUER, "aud": "us", "exp": 4_000_000_000, "sub": "root"}
EC, EC384, RSA, ED = (ECKey.generate_key("P-256", {"kid": "ec"}), ECKey.generate_key("P-384", {"kid": "ec384"}),
                      RSAKey.generate_key(2048, {"kid": "rsa"}), OKPKey.generate_key("Ed25519", {"kid": "ed"}))
THEIRS = (EC, EC384, RSA, ED)
MY_RSA = RSAKey.generate_key(2048, {"kid": "mine"})
MINE: dict[str, Any] = {"ES256": ECKey.generate_key("P-256", {"kid": "mine"}), "RS256": MY_RSA, "PS256": MY_RSA,
                        "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "mine"})}
SHARED = OctKey.import_key({"kty": "oct", "kid": "shared", "k": to_base64(b"s" * 32)})
KIDS: tuple[Any, ...] = ("ec", "rsa", "ed", None, "../../../../dev/null", "/etc/passwd", "' or '1'='1", "ec\0",
                         "x" * 60_000, 7, ["ec"], {"kid": "ec"}, "")
NAMES_OF_NONE: tuple[Any, ...] = ("none", "None", "NONE", "nOnE", "", None, 0, True, [], ["none"], {})


class Provider(Fetcher):
    """Serves the keys of a provider, and notes what else is asked for."""

    def __init__(self, *more: Mapping[str, Any]) -> None:
        super().__init__()
        self.keys = [*(dict(key.as_dict(private=False)) for key in THEIRS), *more]
        self.asked: list[str] = []

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        self.asked.append(url)
        return {"keys": self.keys}


def part(value: Any) -> str:
    return to_base64(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(header: Any, sign: Callable[[bytes], bytes], claims: Any = CLAIMS) -> str:
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{to_base64(sign(text.encode()))}"


def by_mac(secret: bytes, digest: str) -> Callable[[bytes], bytes]:
    return lambda text: hmac.digest(secret, text, digest)


def raw_ec(text: bytes) -> bytes:
    """By my key of ES256, in the form that JWTs have."""
    r, s = utils.decode_dss_signature(MINE["ES256"].private_key.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def by_rsa(how: Any) -> Callable[[bytes], bytes]:
    return lambda text: MINE["RS256"].private_key.sign(text, how, hashes.SHA256())


SIGNERS: dict[str, Callable[[bytes], bytes]] = {
    "ES256": raw_ec, "RS256": by_rsa(padding.PKCS1v15()),
    "PS256": by_rsa(padding.PSS(padding.MGF1(hashes.SHA256()), 32)),
    "Ed25519": lambda text: bytes(MINE["Ed25519"].private_key.sign(text))}


def header_of(algorithm: Any, kid: Any, **more: Any) -> dict[str, Any]:
    return {"alg": algorithm, **({} if kid is None else {"kid": kid}), **more}


def secrets_of_public_keys() -> Iterator[bytes]:
    """All that the public keys may look like as a shared secret."""
    for key in THEIRS:
        public = key.public_key
        forms = [public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
                 for encoding in (Encoding.PEM, Encoding.DER)]
        if isinstance(key, RSAKey):
            forms += [public.public_bytes(encoding, PublicFormat.PKCS1) for encoding in (Encoding.PEM, Encoding.DER)]
        known = dict(key.as_dict(private=False))
        values = [str(known[name]).encode() for name in ("n", "x", "y") if name in known]
        for form in (*forms, *values, json.dumps(known).encode(), json.dumps(known, sort_keys=True).encode()):
            yield from {form, form.strip(), form.replace(b"\n", b"\r\n")}
    yield json.dumps({"keys": [dict(key.as_dict(private=False)) for key in THEIRS]}).encode()
    yield b""


def public_keys_as_secrets() -> Iterator[str]:
    hashed = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512", "hs256": "sha256", "ES256": "sha256"}
    kids = ("ec", "rsa", None)
    for secret, (algorithm, digest), kid in itertools.product(secrets_of_public_keys(), hashed.items(), kids):
        yield signed(header_of(algorithm, kid), by_mac(secret, digest))


def unsigned() -> Iterator[str]:
    empty, zeros = (lambda text: b""), (lambda text: b"\0" * 64)
    for algorithm, kid in itertools.product(NAMES_OF_NONE, KIDS):
        yield signed(header_of(algorithm, kid), empty)
    for kid, sign in itertools.product(KIDS, (empty, zeros)):
        yield signed({"kid": kid}, sign)
        for algorithm in ("ES256", "RS256", "EdDSA", "ES256K", "ES256 ", " none"):
            yield signed(header_of(algorithm, kid), sign)
    yield part(b'{"alg":"ES256","alg":"none","kid":"ec"}') + f".{part(CLAIMS)}."
    yield part(b'{"alg":"none","alg":"ES256","kid":"ec"}') + f".{part(CLAIMS)}."


def with_keys_of_the_token() -> Iterator[str]:
    for (algorithm, key), kid in itertools.product(MINE.items(), ("mine", "ec", "rsa", None)):
        public = dict(key.as_dict(private=False))
        brought: tuple[dict[str, Any], ...] = (
            {}, {"jwk": public}, {"jwk": {**public, "kid": "ec"}}, {"jku": "https://evil.example/jwks"},
            {"jku": f"{JWKS}@evil.example"}, {"x5u": "https://evil.example/cert.pem"}, {"x5u": "file:///etc/passwd"},
            {"jku": "file:///etc/passwd"}, {"jwk": "x", "jku": 7},
            {"x5c": [to_base64(key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))]},
            {"x5t": "AAAA", "x5t#S256": "AAAA"}, {"iss": ISSUER, "jwks_uri": "https://evil.example/jwks"})
        for more in brought:
            yield signed(header_of(algorithm, kid, **more), SIGNERS[algorithm])
    for kid in ("shared", None):
        yield jwt.encode(header_of("HS256", kid), CLAIMS, SHARED, algorithms=["HS256"])
    for kid in KIDS:  # as if the server read the key from that file
        yield signed(header_of("HS256", kid), by_mac(b"", "sha256"))


def mistaken_kinds() -> Iterator[str]:
    """Signatures of nobody's key, under the names of other algorithms and keys."""
    signers: tuple[Callable[[bytes], bytes], ...] = (
        *SIGNERS.values(), lambda text: bytes(MINE["ES256"].private_key.sign(text, ec.ECDSA(hashes.SHA256()))),
        lambda text: b"\0" * 256, lambda text: b"\0" * 255 + b"\1", lambda text: (b"\0" * 31 + b"\1") * 2,
        lambda text: b"\0" * 96, lambda text: b"\1" + b"\0" * 63)
    algorithms = ("ES256", "ES384", "ES512", "RS256", "RS512", "PS256", "EdDSA", "Ed25519", "ES256K", "Ed448")
    for algorithm, kid, sign in itertools.product(algorithms, ("ec", "ec384", "rsa", "ed", None), signers):
        yield signed(header_of(algorithm, kid), sign)


def taken_apart() -> Iterator[str]:
    """A token of the provider for somebody else, changed."""
    good = jwt.encode({"alg": "ES256", "kid": "ec"}, {**CLAIMS, "sub": "ada"}, EC)
    header, claims, signature = good.split(".")
    mine = part(CLAIMS)
    yield from (
        f"{header}.{mine}.{signature}", f"{header}.{mine}.", f"{header}.{mine}", f"{header}..{signature}",
        f"{header}.{claims}.{signature}.{mine}", f"{header}.{claims}.{signature}.{mine}.{signature}",
        f"{header}.{mine}.{claims}.{signature}", f"{good}.", f".{good}", f"{good}=", f"{good}\n{good}", f" {good}.",
        f"{part({'alg': 'none'})}.{mine}.{signature}", f"{part({'alg': 'ES384', 'kid': 'ec'})}.{claims}.{signature}",
        f"{part({'alg': 'ES256', 'kid': 'ec', 'b64': False, 'crit': ['b64']})}.{mine}.{signature}",
        f"{part({'alg': 'ES256', 'kid': 'ec', 'zip': 'DEF'})}.{mine}.{signature}",
        f"{part({'alg': 'ES256', 'kid': 'ec', 'crit': ['exp'], 'exp': 1})}.{claims}.{signature}",
        f"{part({'alg': 'dir', 'enc': 'A128GCM', 'kid': 'ec'})}..AAAA.{mine}.AAAA",
        json.dumps({"payload": mine, "signatures": [{"protected": header, "signature": signature}]}),
        json.dumps({"payload": mine, "protected": header, "header": {"alg": "none"}, "signature": ""}),
    )


FORGERIES = (public_keys_as_secrets, unsigned, with_keys_of_the_token, mistaken_kinds, taken_apart)


def verifier_of(provider: Provider) -> Verifier:
    return Verifier(RemoteKeys(provider, JWKS), audience="us", issuer=ISSUER)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # EdDSA is an old name of Ed25519
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
async def test_no_forgery_is_taken(forge: Callable[[], Iterator[str]]) -> None:
    provider = Provider(dict(SHARED.as_dict(private=True)))
    verifier = verifier_of(provider)
    for key, algorithm in ((EC, "ES256"), (EC384, "ES384"), (RSA, "RS256"), (RSA, "PS512"), (ED, "Ed25519")):
        good = jwt.encode(header_of(algorithm, key.kid), CLAIMS, key, algorithms=[algorithm])
        assert (await verifier.claims(good))["sub"] == "root", algorithm
    count = 0
    for count, forged in enumerate(forge(), 1):  # noqa: B007
        try:
            await verifier.claims(forged)
        except TokenInvalid:
            continue
        pytest.fail(f"taken: {forged[:300]}")
    assert count >= 15
    assert set(provider.asked) == {JWKS}, "no address of a token is asked"
    assert len(provider.asked) <= 3, "forgeries do not make the server flood the provider"


async def test_the_forgers_sign_as_they_should() -> None:
    """With a provider who has their keys, their tokens are right."""
    provider = Provider(*(key.as_dict(private=False) for key in MINE.values()))
    for algorithm, sign in SIGNERS.items():
        assert await verifier_of(provider).claims(signed(header_of(algorithm, "mine"), sign)) == CLAIMS


@pytest.mark.parametrize("claims", [
    {"iss": [ISSUER]}, {"iss": {ISSUER: 1}}, {"iss": f"{ISSUER}/"}, {"iss": ISSUER.upper()}, {"iss": f"{ISSUER}\0"},
    {"aud": "us2"}, {"aud": "u"}, {"aud": ["them"]}, {"aud": {"us": True}}, {"aud": [["us"]]}, {"aud": "them us"},
    {"exp": "4000000000"}, {"exp": True}, {"exp": [4_000_000_000]}, {"exp": float("inf")}, {"exp": 1}, {"exp": -1},
    {"nbf": 4_000_000_000}, {"nbf": "0"}, {"iat": 4_000_000_000},
])
async def test_claims_of_another_kind_do_not_hold(claims: dict[str, Any]) -> None:
    token = jwt.encode({"alg": "ES256", "kid": "ec"}, {**CLAIMS, **claims}, EC)
    with pytest.raises(TokenInvalid):
        await verifier_of(Provider()).claims(token)


async def test_a_key_for_encryption_signs_nothing() -> None:
    other = ECKey.generate_key("P-256", {"kid": "enc"})
    for use in ({"use": "enc"}, {"use": "x"}, {"key_ops": ["encrypt"]}, {"key_ops": ["deriveKey"]}):
        provider = Provider({**other.as_dict(private=False), **use})
        for kid in ("enc", None):
            with pytest.raises(TokenInvalid):
                await verifier_of(provider).claims(jwt.encode(header_of("ES256", kid), CLAIMS, other))

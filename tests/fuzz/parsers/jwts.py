"""JSON web tokens: which keys may have signed them, and what becomes of their claims.

An input is the JSON texts of a set of keys, of a token's header and of its claims, separated by lines ``--``. The token
has the right signature for both texts, whatever they are; with a fourth part, that is its signature.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Hashable
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tests.fuzz.driver import Parser

from hotshoe.auth.identity import is_name, user_of_claims
from hotshoe.auth.jwts import FileKeys, TokenInvalid, Verifier
from hotshoe.base.errors import ConfigError
from hotshoe.tokens.keys import to_base64

NOW_S = 1_000_000
PRIVATE = ec.derive_private_key(0xF0CC, ec.SECP256R1())
_POINT = PRIVATE.public_key().public_numbers()
PUBLIC = {"kty": "EC", "crv": "P-256", "x": to_base64(_POINT.x.to_bytes(32, "big")),
          "y": to_base64(_POINT.y.to_bytes(32, "big"))}


def run(data: bytes) -> Hashable:
    keys, header, claims, *signatures = [*data.split(b"\n--\n"), b"", b""]
    is_signed = len(signatures) <= 2
    token = signed(header, claims, None if is_signed else signatures[0])
    try:
        verifier = Verifier(_keys(keys.replace(b"PUBLIC", json.dumps(PUBLIC).encode())), audience="us",
                            issuer="https://login.example", clock=lambda: NOW_S)
        found = asyncio.run(verifier.claims(token))
    except (TokenInvalid, ConfigError) as error:
        assert str(error)
        return str(error).partition("'")[0][-30:]
    assert is_signed
    assert found == json.loads(claims)
    assert found["iss"] == "https://login.example"
    assert found["exp"] > NOW_S - 60
    assert "us" in found["aud"]
    user = user_of_claims(found, user_claim="sub", groups_claim="groups")
    assert user is None or all(map(is_name, [user.name, *user.groups]))
    return user is None


def _keys(text: bytes) -> FileKeys:
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        return FileKeys(Path(file.name))


def signed(header: bytes, claims: bytes, signature: bytes | None = None) -> str:
    """A token of any two texts, by default with the right signature."""
    text = f"{to_base64(header)}.{to_base64(claims)}"
    if signature is None:
        r, s = decode_dss_signature(PRIVATE.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{text}.{to_base64(signature)}"


PARSER = Parser(
    "jwts", run, inputs=3000, memory_bytes=4 << 20,
    words=(b"\n--\n", b'{"keys":[PUBLIC]}', b"PUBLIC", b'{"alg":"ES256"}', b'"alg":"none"', b'"alg":"HS256"',
           b'"kid":"k"', b'"crit":["exp"]', b'"b64":false', b'"jwk":PUBLIC', b'"zip":"DEF"', b'"typ":"JWT"',
           b'"use":"enc"', b'"kty":"oct"', b'"kty":"RSA"', b'"kty":"OKP"', b'"crv":"Ed25519"', b'"n":"AQAB"',
           b'"e":"AQAB"', b'"sub":"ann"', b'"aud":"us"', b'"aud":["us"]', b'"iss":"https://login.example"',
           b'"exp":2000000', b'"nbf":0', b'"iat":0', b'"groups":["a"]', b'"email":"a@b"', b'"email_verified":true',
           b"null", b"true", b"NaN", b"1e999", b"[]", b"{}", b"[" * 1000, b'"\\ud800"', b'"\\u0000"', b"9" * 5000),
)

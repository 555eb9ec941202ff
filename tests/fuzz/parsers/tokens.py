"""Session tokens, without a key and with one."""

from __future__ import annotations

from collections.abc import Hashable

from tests.fuzz.driver import Parser

from hotshoe.base.errors import TokenError
from hotshoe.tokens import Token, mint, read
from hotshoe.tokens.keys import sign
from hotshoe.tokens.token import MAX_ID_CHARS, decode_payload, encode_payload

KEY = b"the key of the fuzzer, which signed one file of the corpus"


def run(data: bytes) -> Hashable:
    text = data.decode("latin-1")
    unsigned, signed = _read(text, None), _read(text, KEY)
    if isinstance(unsigned, Token):
        _check(unsigned)
    if isinstance(signed, Token):
        body, _, signature = text.partition(".")
        assert signature == sign(body, KEY)
        bare, _, signature = signed.session_id.partition(".")
        assert signature == sign(bare, KEY)
    return tuple(found if isinstance(found, str) else (found.expires_at_s is None, bool(found.payload))
                 for found in (unsigned, signed))


def _read(text: str, key: bytes | None) -> Token | str:
    try:
        return read(text, key=key)
    except TokenError as error:
        assert error.reason in ("missing", "malformed", "forged")
        return error.reason


def _check(token: Token) -> None:
    """What was read can be minted again, and be read again as the same."""
    assert 0 < len(token.session_id) <= MAX_ID_CHARS
    try:
        payload = decode_payload(encode_payload(token.payload))
    except ValueError:
        assert "bytes" in repr(token.payload)  # outside of the compressed part, it does not mean bytes
        return
    # As text, since NaN is not equal to itself.
    assert repr(decode_payload(encode_payload(payload))) == repr(payload)
    try:
        again = mint(token.session_id, now_s=0, lifetime_s=token.expires_at_s or 0, payload=payload)
    except ValueError as error:
        assert "too l" in str(error)  # a client's own token may be packed better than ours
        return
    assert repr(read(again).payload) in (repr(payload), repr(dict(token.payload)))


PARSER = Parser(
    "tokens", run, inputs=30000, memory_bytes=48 << 20,
    words=(b".", b"=", b"==", b"-", b"_", b"+", b"/", b"eyJ", b"e30", b"bnVsbA", b"W10", b"\n", b"\xe4", b" ",
           b"InNlc3Npb25faWQiOiJ4Ig", b"Il9fYmtfX3psaWJfIjoi"),
)

"""Signatures and base64: a known answer, and what is not of the alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.tokens.keys import from_base64, is_signed, sign, to_base64


def test_a_known_signature() -> None:
    # RFC 4231, test case 2: the text is ASCII, so its bytes are those of the test vector.
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert sign("what do ya want for nothing?", b"Jefe") == to_base64(digest)
    assert is_signed("what do ya want for nothing?", to_base64(digest), b"Jefe")
    assert not is_signed("what do ya want for nothing", to_base64(digest), b"Jefe")


@given(data=st.binary(max_size=64))
def test_base64_round_trip_padded_or_not(data: bytes) -> None:
    text = to_base64(data)
    assert "=" not in text
    assert from_base64(text) == data
    assert from_base64(text + "=" * (-len(text) % 4)) == data


@pytest.mark.parametrize("text", ["A", "+/", "A A=", "AA==\n", "é", "AAAA===", "AAAAA", "=AA"])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding|characters"):
        from_base64(text)

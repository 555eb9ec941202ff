"""Session ids: random ones, signed ones, and what is no id at all; bokeh's own code agrees."""

from __future__ import annotations

import re

import pytest
from bokeh.util import token as stock
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.tokens import check_session_id, new_session_id

KEY = "schlüssel".encode()


def test_an_id_is_44_letters_and_digits_and_never_the_same() -> None:
    ids = {new_session_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch("[A-Za-z0-9]{44}", session_id) for session_id in ids)


def test_signed_ids_are_accepted_here_and_by_bokeh() -> None:
    session_id = new_session_id(key=KEY)
    assert check_session_id(session_id, KEY)
    assert stock.check_session_id_signature(session_id, secret_key=KEY, signed=True)


def test_ids_that_bokeh_signed_are_accepted() -> None:
    assert check_session_id(stock.generate_session_id(secret_key=KEY, signed=True), KEY)
    assert check_session_id(stock.generate_session_id(secret_key=None, signed=False))


@pytest.mark.parametrize("session_id", ["chosen", "a.b", "séance", "with space", "a" * 1024])
def test_without_a_key_a_client_may_choose(session_id: str) -> None:
    assert check_session_id(session_id)


@pytest.mark.parametrize("session_id", ["", "a" * 1025, "a\nb", "\x00", "\ud800", "a\u2028b"])
def test_what_is_no_id(session_id: str) -> None:
    assert not check_session_id(session_id)
    assert not check_session_id(session_id, KEY)


def test_changed_ids_are_refused() -> None:
    session_id = new_session_id(key=KEY)
    bare, _, signature = session_id.partition(".")
    for changed in (bare, bare + ".", "." + signature, "x" + session_id, session_id + "x", session_id + "=",
                    session_id + ".x", bare + "." + signature.swapcase(), session_id + "é"):  # fmt: skip
        assert not check_session_id(changed, KEY), changed
    assert not check_session_id(session_id, b"another key")


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        new_session_id(key=b"")
    with pytest.raises(ValueError, match="empty key"):
        check_session_id("a.b", b"")


@given(session_id=st.text(st.characters(), max_size=80))
def test_nothing_unsigned_passes_and_nothing_raises(session_id: str) -> None:
    assert not check_session_id(session_id, KEY)
    check_session_id(session_id)

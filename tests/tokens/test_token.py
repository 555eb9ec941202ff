"""Tokens: what is minted is read back, also by bokeh's own code; what is wrong is a TokenError and nothing else."""


from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any, Literal

import pytest
from bokeh.core.types import ID
from bokeh.util import token as stock
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hotshoe.base.errors import TokenError
from hotshoe.tokens import MAX_TOKEN_CHARS, Token, check_session_id, mint, new_session_id, read
from hotshoe.tokens.keys import sign
from hotshoe.tokens.token import MAX_PAYLOAD_BYTES

KEY_OF_IDS = "schlüssel".encode()


def test_an_id_is_44_letters_and_digits_and_never_the_same() -> None:
    ids = {new_session_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch("[A-Za-z0-9]{44}", session_id) for session_id in ids)


def test_signed_ids_are_accepted_here_and_by_bokeh() -> None:
    session_id = new_session_id(key=KEY_OF_IDS)
    assert check_session_id(session_id, KEY_OF_IDS)
    assert stock.check_session_id_signature(session_id, secret_key=KEY_OF_IDS, signed=True)


def test_ids_that_bokeh_signed_are_accepted() -> None:
    assert check_session_id(stock.generate_session_id(secret_key=KEY_OF_IDS, signed=True), KEY_OF_IDS)
    assert check_session_id(stock.generate_session_id(secret_key=None, signed=False))


@pytest.mark.parametrize("session_id", ["chosen", "a.b", "séance", "with space", "a" * 1024])
def test_without_a_key_a_client_may_choose(session_id: str) -> None:
    assert check_session_id(session_id)


@pytest.mark.parametrize("session_id", ["", "a" * 1025, "a\nb", "\x00", "\ud800", "a\u2028b"])
def test_what_is_no_id(session_id: str) -> None:
    assert not check_session_id(session_id)
    assert not check_session_id(session_id, KEY_OF_IDS)


def test_changed_ids_are_refused() -> None:
    session_id = new_session_id(key=KEY_OF_IDS)
    bare, _, signature = session_id.partition(".")
    for changed in (bare, bare + ".", "." + signature, "x" + session_id, session_id + "x", session_id + "=",
                    session_id + ".x", bare + "." + signature.swapcase(), session_id + "é"):  # fmt: skip
        assert not check_session_id(changed, KEY_OF_IDS), changed
    assert not check_session_id(session_id, b"another key")


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        new_session_id(key=b"")
    with pytest.raises(ValueError, match="empty key"):
        check_session_id("a.b", b"")


@given(session_id=st.text(st.characters(), max_size=80))
def test_nothing_unsigned_passes_and_nothing_raises(session_id: str) -> None:
    assert not check_session_id(session_id, KEY_OF_IDS)
    check_session_id(session_id)


NOW_S = 1_700_000_000.75
KEY = b"a key of the operator"
ARGUMENTS = {"arguments": {"a": [b"1", b"\xff\x00"], "b": [b""]}, "headers": {"X-Plain": "grün"}}
LARGE = {"headers": {f"Header-{number}": "value " * 20 for number in range(40)}}
PAYLOADS: list[dict[str, Any]] = [{}, {"user": "ann", "n": [1, 2.5, None, True]}, ARGUMENTS, LARGE]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.text(max_size=12).filter(lambda name: name not in {"session_id", "session_expiry", "__bk__zlib_", "bytes"})


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token_of(fields: Any) -> str:
    return b64(json.dumps(fields))


def deflated(text: bytes) -> str:
    return b64(zlib.compress(text, 9))


def minted(payload: dict[str, Any], key: bytes | None = None) -> str:
    return mint(new_session_id(key=key), now_s=NOW_S, lifetime_s=300, payload=payload, key=key)


def assert_refused(text: str, reason: str, key: bytes | None = None) -> None:
    with pytest.raises(TokenError) as caught:
        read(text, key=key)
    assert caught.value.reason == reason
    assert caught.value.status == 403
    assert caught.value.close_code == 1008


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_minted_is_read_back(payload: dict[str, Any], key: bytes | None) -> None:
    session_id = new_session_id(key=key)
    text = mint(session_id, now_s=NOW_S, lifetime_s=300, payload=payload, key=key)
    assert read(text, key=key) == Token(session_id, 1_700_000_300, payload)


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_bokeh_reads_what_is_minted(payload: dict[str, Any], key: bytes | None) -> None:
    text = minted(payload, key)
    assert stock.check_token_signature(text, secret_key=key, signed=key is not None)
    assert stock.get_session_id(text) == read(text, key=key).session_id
    assert stock.get_token_payload(text) == {"session_expiry": 1_700_000_300, **payload}


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_bokeh_minted_is_read(payload: dict[str, Any], key: bytes | None) -> None:
    signed = key is not None
    session_id = stock.generate_session_id(secret_key=key, signed=signed)
    text = stock.generate_jwt_token(session_id, secret_key=key, signed=signed, extra_payload=payload, expiration=60)
    token = read(text, key=key)
    assert token.session_id == session_id
    assert token.payload == payload
    assert token.expires_at_s == stock.get_token_payload(text)["session_expiry"]


@given(payload=st.dictionaries(names, json_values, max_size=5))
def test_any_json_payload_survives(payload: dict[str, Any]) -> None:
    assume(not _says_bytes(payload))
    assert read(minted(payload)).payload == payload
    nested = {"wrapped": {"b": b"\x00", "value": [payload]}}
    assert read(minted(nested)).payload == nested


def _says_bytes(value: Any) -> bool:
    # {"bytes": text} is how bytes are written; a payload that says so literally can't be told from them.
    match value:
        case dict():
            return set(value) == {"bytes"} or any(_says_bytes(item) for item in value.values())
        case list():
            return any(_says_bytes(item) for item in value)
    return False


def test_small_payloads_are_plain_and_large_ones_deflated() -> None:
    small = json.loads(base64.urlsafe_b64decode(minted({"user": "ann"}) + "=="))
    assert small["user"] == "ann"
    text = minted(LARGE)
    assert len(text) < len(json.dumps(LARGE)) / 4
    large = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert set(large) == {"session_id", "session_expiry", "__bk__zlib_"}


def test_nan_stays_out_of_what_a_browser_parses() -> None:
    text = minted({"ratio": float("nan")})
    assert b"NaN" not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert str(read(text).payload["ratio"]) == "nan"


def test_expiry_is_reached_at_its_second() -> None:
    token = read(minted({}))
    assert not token.expired(1_700_000_299.9)
    assert token.expired(1_700_000_300)
    assert Token("a", None).expired(0)


def test_a_token_without_expiry_is_read_as_expired() -> None:
    token = read(token_of({"session_id": "a"}))
    assert token.expires_at_s is None
    assert token.expired(0)


def test_an_unsigned_server_ignores_a_signature() -> None:
    text = minted({"user": "ann"}, KEY)
    assert read(text).payload == {"user": "ann"}
    assert read(text.partition(".")[0]).payload == {"user": "ann"}


@pytest.mark.parametrize("change", [
    lambda text: text.partition(".")[0],
    lambda text: text.partition(".")[0] + ".",
    lambda text: text + "A",
    lambda text: text[:-1],
    lambda text: "A" + text,
    lambda text: text + "=",
    lambda text: text + ".more",
    lambda text: text + "é",
    lambda text: text + "\ud800",
    lambda text: "." + text.partition(".")[2],
])  # fmt: skip
def test_a_changed_signed_token_is_forged(change: Any) -> None:
    assert_refused(change(minted({}, KEY)), "forged", KEY)


def test_another_key_forges() -> None:
    assert_refused(minted({}, KEY + b"2"), "forged", KEY)


def test_a_signed_token_needs_a_signed_session_id() -> None:
    unsigned_id = mint("chosen", now_s=NOW_S, lifetime_s=300, key=KEY)
    assert_refused(unsigned_id, "forged", KEY)
    foreign_id = mint(new_session_id(key=b"other"), now_s=NOW_S, lifetime_s=300, key=KEY)
    assert_refused(foreign_id, "forged", KEY)


def test_nothing_of_a_forged_token_is_parsed() -> None:
    assert_refused("not even base64", "forged", KEY)


def test_no_token_is_missing() -> None:
    assert_refused("", "missing")
    assert_refused("", "missing", KEY)


MALFORMED: dict[str, str] = {
    "not base64": "not base64!",
    "standard alphabet": "+/+/",
    "one character": "A",
    "unicode": "日本語",
    "lone surrogate": "\ud800",
    "newline": token_of({"session_id": "a"}) + "\n",
    "nothing before the dot": ".abc",
    "not JSON": b64("nope"),
    "not UTF-8": b64(b'{"session_id":"\xff"}'),
    "too deep": b64("[" * 40_000),
    "list": token_of([]),
    "number": token_of(1),
    "text": token_of("a"),
    "null": token_of(None),
    "no session id": token_of({"session_expiry": 1}),
    "session id null": token_of({"session_id": None}),
    "session id number": token_of({"session_id": 1}),
    "session id list": token_of({"session_id": ["a"]}),
    "session id empty": token_of({"session_id": ""}),
    "session id huge": token_of({"session_id": "a" * 1025}),
    "session id with a line break": token_of({"session_id": "a\nERROR forged log line"}),
    "session id with a surrogate": token_of({"session_id": "\ud800"}),
    "expiry text": token_of({"session_id": "a", "session_expiry": "1"}),
    "expiry bool": token_of({"session_id": "a", "session_expiry": True}),
    "expiry float": token_of({"session_id": "a", "session_expiry": 1.5}),
    "expiry NaN": token_of({"session_id": "a", "session_expiry": float("nan")}),
    "expiry infinite": token_of({"session_id": "a", "session_expiry": float("inf")}),
    "expiry negative": token_of({"session_id": "a", "session_expiry": -1}),
    "expiry absurd": token_of({"session_id": "a", "session_expiry": 10**30}),
    "expiry of 5000 digits": b64('{"session_id":"a","session_expiry":' + "9" * 5000 + "}"),
    "deflated null": token_of({"session_id": "a", "__bk__zlib_": None}),
    "deflated number": token_of({"session_id": "a", "__bk__zlib_": 1}),
    "deflated list": token_of({"session_id": "a", "__bk__zlib_": []}),
    "deflated nothing": token_of({"session_id": "a", "__bk__zlib_": ""}),
    "deflated not base64": token_of({"session_id": "a", "__bk__zlib_": "!"}),
    "deflated not zlib": token_of({"session_id": "a", "__bk__zlib_": b64("nope")}),
    "deflated cut off": token_of({"session_id": "a", "__bk__zlib_": deflated(b'{"a":1}')[:-4]}),
    "deflated with more behind": token_of({"session_id": "a", "__bk__zlib_": b64(zlib.compress(b"{}") + b"more")}),
    "deflated not JSON": token_of({"session_id": "a", "__bk__zlib_": deflated(b"nope")}),
    "deflated not UTF-8": token_of({"session_id": "a", "__bk__zlib_": deflated(b'{"a":"\xff"}')}),
    "deflated no object": token_of({"session_id": "a", "__bk__zlib_": deflated(b"[]")}),
    "deflated bad bytes": token_of({"session_id": "a", "__bk__zlib_": deflated(b'{"a":{"bytes":"!"}}')}),
    "deflated too deep": token_of({"session_id": "a", "__bk__zlib_": deflated(b"[" * 900_000)}),
    "deflated deeper than Python": token_of(
        {"session_id": "a", "__bk__zlib_": deflated(b'{"a":' + b"[" * 4000 + b"]" * 4000 + b"}")}
    ),
    "a bomb": token_of({"session_id": "a", "__bk__zlib_": deflated(b'{"a":"' + b"0" * MAX_PAYLOAD_BYTES + b'"}')}),
    "too long": "A" * (MAX_TOKEN_CHARS + 1),
}  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(text: str) -> None:
    assert_refused(text, "malformed")


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_but_signed(text: str) -> None:
    body = text.partition(".")[0]
    assert_refused(f"{body}.{sign(body, KEY)}", "malformed", KEY)


def test_the_largest_payload_is_read_and_one_byte_more_is_not_minted() -> None:
    largest = {"a": "0" * (MAX_PAYLOAD_BYTES - len('{"a":""}'))}
    assert read(minted(largest)).payload == largest
    with pytest.raises(ValueError, match="too large"):
        minted({"a": largest["a"] + "0"})


def test_a_token_too_long_for_a_header_is_not_minted() -> None:
    noise = {"a": new_session_id() * 1000, "b": [new_session_id() for _ in range(1500)]}
    with pytest.raises(ValueError, match="too long"):
        minted(noise)


@pytest.mark.parametrize("name", ["session_id", "session_expiry", "__bk__zlib_"])
def test_the_fields_of_the_token_itself_are_reserved(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        minted({name: "x"})


@pytest.mark.parametrize("session_id", ["", "a\nb", "a" * 1025])
def test_no_token_is_minted_for_what_is_no_session_id(session_id: str) -> None:
    with pytest.raises(ValueError, match="not a session id"):
        mint(session_id, now_s=NOW_S, lifetime_s=300)


def test_what_json_cannot_say_is_not_minted() -> None:
    with pytest.raises(TypeError, match="object"):
        minted({"a": object()})


def test_reserved_fields_in_a_deflated_payload_change_nothing() -> None:
    inner = deflated(b'{"session_id":"other","session_expiry":9,"user":"ann"}')
    token = read(token_of({"session_id": "a", "session_expiry": 5, "__bk__zlib_": inner}))
    assert token == Token("a", 5, {"user": "ann"})


def test_client_chosen_ids_may_be_unicode() -> None:
    text = stock.generate_jwt_token(ID("séance"), signed=False)
    assert read(text).session_id == "séance"


def _read_or_token_error(text: str, key: bytes | None) -> None:
    try:
        token = read(text, key=key)
    except TokenError:
        return
    assert token.session_id


@given(text=st.text(st.characters(), max_size=200) | st.text("ABCabc123-_=.", max_size=200))
def test_fuzz_any_text(text: str) -> None:
    _read_or_token_error(text, None)
    _read_or_token_error(text, KEY)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "session_id": st.just("a") | json_values,
        "session_expiry": st.integers() | json_values,
        "__bk__zlib_": json_values
        | st.binary(max_size=60).map(b64)
        | st.builds(lambda value: deflated(json.dumps(value).encode()), json_values)
        | st.builds(lambda value: deflated(json.dumps({"a": {"bytes": value}}).encode()), json_values),
        "bytes": json_values,
    },
)


@given(fields=FIELDS | json_values)
@example(fields={"session_id": "a", "__bk__zlib_": deflated(b'{"a":{"bytes":"A"}}')})
def test_fuzz_any_json(fields: Any) -> None:
    text = token_of(fields)
    _read_or_token_error(text, None)
    _read_or_token_error(f"{text}.{sign(text, KEY)}", KEY)


@given(raw=st.binary(max_size=80), how=st.sampled_from(["body", "deflated"]))
def test_fuzz_any_bytes(raw: bytes, how: Literal["body", "deflated"]) -> None:
    text = b64(raw) if how == "body" else token_of({"session_id": "a", "__bk__zlib_": deflated(raw)})
    _read_or_token_error(text, None)
    _read_or_token_error(f"{text}.{sign(text, KEY)}", KEY)

"""Messages as values, and what a server takes: types, and JSON as bokeh's own server reads it."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from bokeh.protocol import SPEC
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.base.errors import ProtocolError
from hotshoe.config.limit_table import LIMITS
from hotshoe.wire import KINDS, Incoming, Kind, check_values, close_reason, decode_content, kind_of
from hotshoe.wire.messages import MAX_REASON_BYTES


@pytest.mark.parametrize(("text", "cut"), [
    ("", ""),
    ("x" * 123, "x" * 123),
    ("x" * 124, "x" * 123),
    ("é" * 62, "é" * 61),
    ("x" + "é" * 61, "x" + "é" * 61),
    ("x" * 120 + "𝄞", "x" * 120),
    ("a\ud800b", "ab"),
])  # fmt: skip
def test_a_reason_fits_a_close_frame(text: str, cut: str) -> None:
    assert close_reason(text) == cut


def message(content: bytes = b"{}", msgtype: str = "PATCH-DOC") -> Incoming:
    return Incoming("m", msgtype, content)


def refusal(content: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode_content(message(content))
    return caught.value


@pytest.mark.parametrize("msgtype", get_args(Kind))
def test_what_a_server_takes(msgtype: str) -> None:
    assert kind_of(message(msgtype=msgtype)) == msgtype
    assert msgtype in KINDS


@pytest.mark.parametrize("msgtype", sorted(set(SPEC) - KINDS))
def test_what_only_a_server_says(msgtype: str) -> None:
    with pytest.raises(ProtocolError, match="not expected on server") as caught:
        kind_of(message(msgtype=msgtype))
    assert caught.value.detail == f"Message '{msgtype}' not expected on server"
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("msgtype", ["", "patch-doc", "PATCH-DOC ", "é" * 300, "\n"])
def test_what_nobody_says(msgtype: str) -> None:
    with pytest.raises(ProtocolError, match=r"^Unknown message type '") as caught:
        kind_of(message(msgtype=msgtype))
    assert caught.value.close_code == 1002
    assert len(caught.value.detail.encode()) <= MAX_REASON_BYTES


@pytest.mark.parametrize("text", [
    '{"a": NaN}', '{"a": [Infinity, -Infinity]}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"a": 1, "a": 2}',
    '{"a": 123456789012345678901234567890}', '{"a": -0.0, "b": 1e-400}', ' {"é": "\\u0000"} ', "{}",
    '{"\\ud800": 1}',
])  # fmt: skip
def test_what_bokeh_reads_is_read_alike(text: str) -> None:
    assert repr(decode_content(message(text.encode()))) == repr(json.loads(text))


@pytest.mark.parametrize("content", [
    b"", b"nope", b"{", b"{}{}", b'{"a":1,}', b"{'a':1}", b'{"a":01}', b'{"a":"\xff"}', b'{"a":' + b"9" * 5000 + b"}",
    b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le"), b'{"a":' + b"[" * 200_000,
    b'{"a":' * 200_000,
], ids=range(14))  # fmt: skip
def test_what_is_no_json(content: bytes) -> None:
    error = refusal(content)
    assert (error.close_code, error.detail) == (1007, "server failed to parse a message")


@pytest.mark.parametrize("content", [b"[]", b"1", b"null", b'"a"', b"NaN", b"true"])
def test_what_is_no_object(content: bytes) -> None:
    error = refusal(content)
    assert (error.close_code, error.detail) == (1002, "message content is not an object")


@given(content=st.binary(max_size=60) | st.text('{}[]:,"\\u0d8aN1e+-. ', max_size=40).map(str.encode))
def test_random_content_raises_protocol_errors_and_nothing_else(content: bytes) -> None:
    try:
        decoded = decode_content(message(content))
    except ProtocolError:
        return
    assert repr(decoded) == repr(json.loads(content.decode()))


def content(text: bytes) -> Incoming:
    return Incoming("1", "PATCH-DOC", text)


MANY = LIMITS.values


@pytest.mark.parametrize("text", [
    b"[" + b"1," * MANY + b"1]",
    b"[" + b"[]," * (MANY // 4) + b"1]",
    b"[" + b"{}," * (MANY // 10) + b"1]",
    b"[" * (MANY // 4 + 1) + b"]" * (MANY // 4 + 1),
    b'["' + rb"\\" * 10 + b'",' + b"[]," * (MANY // 4) + b'""]',
    b"[" + b'"a",' * MANY + b"1]",
], ids=["numbers", "lists", "objects", "nested", "after a text", "texts"])
def test_what_would_take_too_much_memory_is_not_parsed(text: bytes) -> None:
    with pytest.raises(ProtocolError, match="too many values") as caught:
        check_values(content(text))
    assert caught.value.close_code == 1009


@pytest.mark.parametrize("text", [
    json.dumps(["1,2,3\n" * MANY]).encode(),
    json.dumps([json.dumps([{"a": "b\\"}] * (MANY // 10))]).encode(),
    json.dumps(list(range(MANY - 10))).encode(),
    json.dumps([[1.5, 2.5]] * (MANY // 10)).encode(),
    b'["' + b"A" * (20 << 20) + b'"]',
], ids=["a table in a text", "JSON in a text", "numbers", "points", "a file"])
def test_large_messages_of_real_apps_are_taken(text: bytes) -> None:
    check_values(content(text))

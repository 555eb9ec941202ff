"""Fragments to messages: every kind in every position, every limit; bokeh's own messages; fuzzed."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import Buffer
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Slider
from bokeh.protocol import Protocol
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.base.errors import ProtocolError
from hotshoe.config.limit_table import LIMITS
from hotshoe.wire import Assembler, Incoming, decode_content
from hotshoe.wire.messages import MAX_REASON_BYTES

Fragment = str | bytes

LIMIT = 1 << 20
PLAIN: list[Fragment] = ['{"msgid": "m1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"]
BUFFERED: list[Fragment] = [
    '{"msgid": "m2", "msgtype": "PATCH-DOC", "num_buffers": 2}', "{}", '{"events":[]}',
    '{"id": "p1"}', b"first", '{"id": "p2"}', b"",
]  # fmt: skip
STAGES = ["HEADER", "METADATA", "CONTENT", "BUFFER_HEADER", "BUFFER_PAYLOAD", "BUFFER_HEADER", "BUFFER_PAYLOAD"]
DEEP = "[" * 200_000


def assemble(fragments: list[Fragment], limit: int = LIMIT) -> list[Incoming]:
    assembler = Assembler(limit)
    messages = [message for fragment in fragments if (message := assembler.feed(fragment)) is not None]
    assert assembler._stage == "HEADER"
    return messages


def header(**fields: Any) -> str:
    return json.dumps({"msgid": "m", "msgtype": "PATCH-DOC", **fields})


def refusal(fragments: list[Fragment], limit: int = LIMIT) -> ProtocolError:
    """The error that the last fragment meets; those before it must pass."""
    assembler = Assembler(limit)
    for fragment in fragments[:-1]:
        assert assembler.feed(fragment) is None
    with pytest.raises(ProtocolError) as caught:
        assembler.feed(fragments[-1])
    error = caught.value
    assert len(error.detail.encode()) <= MAX_REASON_BYTES
    for more in ("{}", b"", PLAIN[0]):
        with pytest.raises(ProtocolError):
            assembler.feed(more)
    return error


def test_three_fragments_make_a_message() -> None:
    assert assemble(PLAIN) == [Incoming("m1", "PULL-DOC-REQ", b"{}")]


def test_buffers_come_in_pairs() -> None:
    assert assemble(BUFFERED) == [
        Incoming("m2", "PATCH-DOC", b'{"events":[]}', (("p1", b"first"), ("p2", b"")))
    ]  # fmt: skip


def test_messages_follow_each_other_in_any_order() -> None:
    for kinds in itertools.product((PLAIN, BUFFERED), repeat=4):
        fragments: list[Fragment] = [fragment for kind in kinds for fragment in kind]
        assert [message.msgid for message in assemble(fragments)] == [
            "m1" if kind is PLAIN else "m2" for kind in kinds
        ]  # fmt: skip


def test_a_message_is_complete_at_its_last_fragment_and_idle_only_between() -> None:
    assembler = Assembler(LIMIT)
    for _ in range(2):
        for fragment in BUFFERED[:-1]:
            assert assembler.feed(fragment) is None
            assert assembler._stage != "HEADER"
        assert assembler.feed(BUFFERED[-1]) is not None
        assert assembler._stage == "HEADER"


def test_connections_do_not_share_what_they_hold() -> None:
    first, second = Assembler(LIMIT), Assembler(LIMIT)
    assert first.feed(BUFFERED[0]) is None
    assert [second.feed(fragment) for fragment in PLAIN][-1] == Incoming("m1", "PULL-DOC-REQ", b"{}")
    assert [first.feed(fragment) for fragment in BUFFERED[1:]][-1] == assemble(BUFFERED)[0]


def test_unknown_keys_spacing_and_reqid_are_fine() -> None:
    text = ' { "extra" : [1, {"a": 1e999}], "msgtype":"OK",\n"msgid":"ü", "reqid": "r" } '
    assert assemble([text, "not even JSON", '{"é":1}']) == [Incoming("ü", "OK", '{"é":1}'.encode(), (), "r")]


def test_buffer_ids_may_repeat() -> None:
    fragments: list[Fragment] = [header(num_buffers=2), "{}", "{}", '{"id":"0"}', b"a", '{"id":"0"}', b"b"]
    assert assemble(fragments)[0].buffers == (("0", b"a"), ("0", b"b"))


@pytest.mark.parametrize("position", range(len(BUFFERED)))
def test_the_wrong_kind_in_every_position(position: int) -> None:
    due = BUFFERED[position]
    wrong: Fragment = due.encode() if isinstance(due, str) else due.decode()
    error = refusal([*BUFFERED[:position], wrong])
    wanted, got = ("binary", "text") if isinstance(due, bytes) else ("text", "binary")
    assert error.close_code == 1003
    assert error.detail == f"expected {wanted} fragment but received {got} fragment for _{STAGES[position]}"


@pytest.mark.parametrize("position", range(len(BUFFERED)))
def test_too_big_in_every_position(position: int) -> None:
    due = BUFFERED[position]
    size = sum(len(fragment) for fragment in BUFFERED[:position])
    limit = size + 60
    large: Fragment = " " * 61 if isinstance(due, str) else b" " * 61
    error = refusal([*BUFFERED[:position], large], limit)
    assert (error.close_code, error.detail) == (1009, "message too big")


@pytest.mark.parametrize("position", [0, 1, 2, 3, 5])
def test_text_that_is_no_unicode_in_every_position(position: int) -> None:
    assert refusal([*BUFFERED[:position], '{"id":"\ud800"}']).close_code == 1007


@pytest.mark.parametrize("text", [
    "", "x", "{", '{"msgid":"a"', "{}x", '{"a":NaN}', '{"a":"\\ud800"}', '{"x":' + DEEP,
], ids=range(8))  # fmt: skip
def test_headers_that_are_no_json(text: str) -> None:
    error = refusal([text])
    assert (error.close_code, error.detail) == (1007, "server failed to parse a message")


@pytest.mark.parametrize("text", [
    "", "x", "{", '{"id":"a"', '{"id":"a"}x', '{"id":NaN}', '{"id":"\\ud800"}', "{'id':1}",
])  # fmt: skip
def test_buffer_headers_that_are_no_json(text: str) -> None:
    for before in (BUFFERED[:3], BUFFERED[:5]):
        error = refusal([*before, text])
        assert (error.close_code, error.detail) == (1007, "server failed to parse a message")


def test_a_buffer_header_may_not_be_deep() -> None:
    assert refusal([*BUFFERED[:3], '{"id":' + DEEP]).close_code == 1002


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"', "true"])
def test_headers_that_are_no_objects(text: str) -> None:
    assert refusal([text]).close_code == 1002
    error = refusal([*BUFFERED[:3], text])
    assert (error.close_code, error.detail) == (1002, f"Malformed buffer header {text}")


def test_headers_need_an_id_and_a_type() -> None:
    assert refusal(["{}"]).detail == "No 'msgtype' in header"
    assert refusal(['{"msgid":"a"}']).detail == "No 'msgtype' in header"
    error = refusal(['{"msgtype":"PATCH-DOC"}'])
    assert (error.close_code, error.detail) == (1002, "No 'msgid' in header")


@pytest.mark.parametrize("name", ["msgid", "msgtype", "reqid"])
@pytest.mark.parametrize("value", [1, True, 1.5, [], {}, "x" * 257])
def test_header_fields_of_the_wrong_type(name: str, value: Any) -> None:
    error = refusal([header(**{name: value})])
    assert error.close_code == 1002
    assert name in error.detail


@pytest.mark.parametrize("count", ["-1", "true", "false", "null", "1.5", "2.0", '"2"', "[]", "{}", "1e400", "9" * 5000])
def test_numbers_of_buffers_that_are_none(count: str) -> None:
    error = refusal(['{"msgid":"a","msgtype":"PATCH-DOC","num_buffers":' + count + "}"])
    assert error.close_code == 1002
    assert "num_buffers" in error.detail


@pytest.mark.parametrize("count", [LIMITS.message_buffers + 1, 2**63, 2**64, 10**30])
def test_too_many_buffers_are_refused_before_one_arrives(count: int) -> None:
    assert refusal([header(num_buffers=count)]).close_code == 1009


def test_the_largest_number_of_buffers() -> None:
    assembler = Assembler(LIMIT)
    assert assembler.feed(header(num_buffers=LIMITS.message_buffers)) is None


@pytest.mark.parametrize("text", ["{}", '{"id":1}', '{"id":null}', '{"id":"a","more":1}', '{"ID":"a"}', '{"id":["a"]}'])
def test_malformed_buffer_headers(text: str) -> None:
    for before in (BUFFERED[:3], BUFFERED[:5]):
        error = refusal([*before, text])
        assert (error.close_code, error.detail) == (1002, f"Malformed buffer header {text}")


def test_long_reasons_are_cut_between_characters() -> None:
    error = refusal([*BUFFERED[:3], '{"no":"' + "é" * 500 + '"}'])
    assert error.detail.startswith("Malformed buffer header")
    assert len(error.detail.encode()) in (MAX_REASON_BYTES - 1, MAX_REASON_BYTES)


def test_the_limit_counts_bytes_of_whole_messages() -> None:
    size = sum(len(fragment) for fragment in BUFFERED)
    assert len(assemble(BUFFERED * 3, size)) == 3
    assert refusal(BUFFERED[:5], sum(len(fragment) for fragment in BUFFERED[:5]) - 1).close_code == 1009
    text = '{"a":"ééé"}'
    spent = len(PLAIN[0]) + 2
    assert assemble([*PLAIN[:2], text], spent + len(text.encode()))
    assert refusal([*PLAIN[:2], text], spent + len(text)).close_code == 1009


def test_bytes_are_not_copied() -> None:
    payload = b"x" * 1000
    [message] = assemble([header(num_buffers=1), "{}", "{}", '{"id":"0"}', payload])
    assert message.buffers[0][1] is payload


class Wire:
    """What bokeh's messages write to."""

    def __init__(self) -> None:
        self.fragments: list[Fragment] = []
        self.write_lock = self

    async def acquire(self) -> Wire:
        return self

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    async def write_message(self, message: Fragment, binary: bool = False, locked: bool = True) -> None:
        assert isinstance(message, bytes) is binary
        self.fragments.append(message)


def sent_by_bokeh(message: Any) -> list[Fragment]:
    wire = Wire()
    asyncio.run(message.send(wire))
    return wire.fragments


def stock_messages() -> list[Any]:
    protocol: Any = Protocol()
    document = Document()
    document.add_root(ColumnDataSource(data={"x": np.arange(3.0), "y": np.arange(3), "s": ["a", "é", None]}))
    document.add_root(Slider(start=0, end=1, value=0.5, title="ü"))
    return [
        protocol.create("PULL-DOC-REQ"),
        protocol.create("SERVER-INFO-REQ"),
        protocol.create("PUSH-DOC", document),
        protocol.create("OK", "r1"),
    ]


def test_what_bokeh_sends_is_assembled() -> None:
    messages = stock_messages()
    fragments = [fragment for message in messages for fragment in sent_by_bokeh(message)]
    received = assemble(fragments)
    assert len(received) == len(messages)
    for theirs, ours in zip(messages, received, strict=True):
        assert ours.msgid == theirs.header["msgid"]
        assert ours.msgtype == theirs.msgtype
        assert ours.reqid == theirs.header.get("reqid")
        assert decode_content(ours) == json.loads(theirs.content_json)
        assert list(ours.buffers) == [(buffer.id, buffer.to_bytes()) for buffer in theirs.buffers]
    assert len(received[2].buffers) == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(content=st.dictionaries(st.text(max_size=8), json_values, max_size=4),
       metadata=st.dictionaries(st.text(max_size=8), json_values, max_size=2),
       buffers=st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=30)), max_size=4))  # fmt: skip
def test_any_message_of_bokeh_arrives(content: Any, metadata: Any, buffers: list[tuple[str, bytes]]) -> None:
    message = Protocol().create("SERVER-INFO-REQ")
    message.content, message.metadata = content, metadata
    message.add_buffers(*(Buffer(ID(id_), data) for id_, data in buffers))
    [received] = assemble(sent_by_bokeh(message))
    assert received.msgid == message.header["msgid"]
    assert decode_content(received) == content
    assert list(received.buffers) == buffers


near_misses = st.sampled_from(
    [*PLAIN, *BUFFERED, "[]", "null", '{"id":1}', header(num_buffers=1), header(num_buffers="1")]
)
any_text = st.text(st.characters(exclude_categories=()), max_size=30) | json_values.map(json.dumps)
any_fragment: st.SearchStrategy[Fragment] = near_misses | any_text | st.binary(max_size=30)


@given(fragments=st.lists(any_fragment, max_size=20))
def test_random_fragments_raise_protocol_errors_and_nothing_else(fragments: list[Fragment]) -> None:
    assembler = Assembler(200)
    outcomes = [outcome_of(assembler, fragment) for fragment in fragments]
    errors = [outcome for outcome in outcomes if isinstance(outcome, ProtocolError)]
    assert all(isinstance(outcome, ProtocolError) for outcome in outcomes[len(outcomes) - len(errors):])
    assert all(error.close_code in {1002, 1003, 1007, 1009} for error in errors)
    assert all(len(error.detail.encode()) <= MAX_REASON_BYTES for error in errors)


def outcome_of(assembler: Assembler, fragment: Fragment) -> Incoming | ProtocolError | None:
    try:
        return assembler.feed(fragment)
    except ProtocolError as error:
        return error


@given(position=st.integers(0, len(BUFFERED) - 1), fragment=any_fragment)
def test_one_changed_fragment_never_makes_another_message(position: int, fragment: Fragment) -> None:
    assembler = Assembler(LIMIT)
    changed = [*BUFFERED[:position], fragment, *BUFFERED[position + 1 :]]
    for outcome in (outcome_of(assembler, fragment) for fragment in changed):
        if isinstance(outcome, Incoming):
            assert outcome.msgid in {"m", "m1", "m2"}
            assert outcome.msgtype in {"PATCH-DOC", "PULL-DOC-REQ"}

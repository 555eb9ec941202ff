"""What a server and a client say, and JSON of what bokeh's serializer made."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import bokeh
import numpy as np
import pytest
from bokeh.core.serialization import Buffer, Serializer
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver
from hypothesis import given
from hypothesis import strategies as st

from hotshoe import wire
from hotshoe.wire import (
    Assembler,
    Incoming,
    Outgoing,
    copied,
    is_binary,
    patch_doc_request,
    pull_doc_request,
    push_doc_request,
    server_info_request,
    to_json,
)

BUFFERS: wire.Buffers = [("p1", b"first"), ('"é', memoryview(b"second"))]


def pull_doc_reply(reqid: str, doc_json: bytes, buffers: wire.Buffers) -> Outgoing:
    return wire.reply("PULL-DOC-REPLY", reqid, wire.pull_doc_body(doc_json, buffers))


def header_of(message: Outgoing) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(bytes(message[0]))
    return header


def received_by_bokeh(*messages: Outgoing) -> list[Any]:
    """What bokeh's client makes of the messages, sent one after the other."""
    receiver = Receiver(Protocol())

    async def consume() -> list[Any]:
        received = []
        for message in messages:
            for index, data in enumerate(message):
                fragment = bytes(data) if wire.is_binary(index) else str(data, "utf-8")
                done = await receiver.consume(fragment)
                assert (done is not None) == (index == len(message) - 1)
            received.append(done)
        return received

    return asyncio.run(consume())


def test_the_first_message() -> None:
    message = wire.ack()
    assert message[1:] == (b"{}", b"{}")
    assert set(header_of(message)) == {"msgid", "msgtype"}
    [ack] = received_by_bokeh(message)
    assert (ack.msgtype, ack.content) == ("ACK", {})


def test_ids_are_never_the_same() -> None:
    ids = {header_of(wire.ok("r"))["msgid"] for _ in range(1000)}
    assert len(ids) == 1000


def test_ok_names_what_it_answers() -> None:
    message = wire.ok('r"1é')
    assert message[1:] == (b"{}", b"{}")
    assert header_of(message) == {"msgid": header_of(message)["msgid"], "msgtype": "OK", "reqid": 'r"1é'}


@pytest.mark.parametrize("traceback", [None, "Traceback …"])
def test_error(traceback: str | None) -> None:
    [error] = received_by_bokeh(wire.error("r1", 'ValueError("no")', traceback))
    assert error.msgtype == "ERROR"
    assert error.header["reqid"] == "r1"
    assert error.content == {"text": 'ValueError("no")', "traceback": traceback}


def test_an_error_may_quote_what_is_no_unicode() -> None:
    [error] = received_by_bokeh(wire.error("r1", "\ud800"))
    assert error.content["text"] == "\ud800"


def test_server_info() -> None:
    [info] = received_by_bokeh(wire.server_info_reply("r1", bokeh.__version__))
    protocol: Any = Protocol()
    assert info.content == protocol.create("SERVER-INFO-REPLY", "r1").content
    assert info.header["reqid"] == "r1"


@pytest.mark.parametrize("buffers", [[], BUFFERS])
def test_pull_doc_reply(buffers: Any) -> None:
    message = pull_doc_reply("r1", b'{"roots":[]}', buffers)
    assert message[1:3] == (b"{}", b'{"doc":{"roots":[]}}')
    header = header_of(message)
    assert header == {
        "msgid": header["msgid"], "msgtype": "PULL-DOC-REPLY", "reqid": "r1", "num_buffers": len(buffers)
    }  # fmt: skip
    [reply] = received_by_bokeh(message)
    assert [(buffer.id, buffer.data) for buffer in reply.buffers] == [(id_, bytes(data)) for id_, data in buffers]


def test_all_who_pull_share_all_but_the_header() -> None:
    body = wire.pull_doc_body(b"{}", BUFFERS)
    one, other = wire.reply("PULL-DOC-REPLY", "r1", body), wire.reply("PULL-DOC-REPLY", "r2", body)
    assert all(mine is yours for mine, yours in zip(one[1:], other[1:], strict=True))
    assert (header_of(one)["reqid"], header_of(other)["reqid"]) == ("r1", "r2")
    assert one[6] is BUFFERS[1][1]


def test_patch_doc_joins_what_is_encoded() -> None:
    message = wire.patch_doc([b'{"kind":"A"}', b'{"kind": "B"}'], BUFFERS)
    assert message[1:] == (
        b"{}", b'{"events":[{"kind":"A"},{"kind": "B"}]}',
        b'{"id":"p1"}', b"first", '{"id":"\\"é"}'.encode(), BUFFERS[1][1],
    )  # fmt: skip
    assert header_of(message) == {"msgid": header_of(message)["msgid"], "msgtype": "PATCH-DOC", "num_buffers": 2}


def test_patch_doc_counts_its_buffers_even_if_there_are_none() -> None:
    message = wire.patch_doc([b"{}"], ())
    assert len(message) == 3
    assert header_of(message)["num_buffers"] == 0


def test_patch_doc_names_the_bundles_it_needs() -> None:
    message = wire.patch_doc([b"{}"], (), ["bokeh-tables", "bokeh-gl"])
    assert json.loads(bytes(message[1])) == {"needs": ["bokeh-tables", "bokeh-gl"]}
    [patch] = received_by_bokeh(message)
    assert patch.content == {"events": [{}]}


def test_a_patch_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        wire.patch_doc([], ())


def test_binary_fragments_are_the_payloads() -> None:
    message = wire.patch_doc([b"{}"], [("a", b"\xff"), ("b", b"\xff")])
    assert [data for index, data in enumerate(message) if wire.is_binary(index)] == [b"\xff", b"\xff"]


def test_bokeh_reads_messages_one_after_the_other() -> None:
    received = received_by_bokeh(
        wire.ack(), wire.patch_doc([b"{}"], BUFFERS), wire.ok("r1"), pull_doc_reply("r2", b"{}", BUFFERS)
    )
    assert [message.msgtype for message in received] == ["ACK", "PATCH-DOC", "OK", "PULL-DOC-REPLY"]


texts = st.text(st.characters(exclude_categories=()), max_size=30)


@given(reqid=st.text(max_size=30), text=texts, events=st.lists(st.dictionaries(texts, texts, max_size=3), min_size=1),
       buffers=st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=30)), max_size=4))  # fmt: skip
def test_any_message_reaches_bokeh(reqid: str, text: str, events: Any, buffers: wire.Buffers) -> None:
    encoded = [json.dumps(event).encode() for event in events]
    patch, error, pull = received_by_bokeh(
        wire.patch_doc(encoded, buffers), wire.error(reqid, text), pull_doc_reply(reqid, encoded[0], buffers)
    )
    assert patch.content == {"events": events}
    assert [(buffer.id, buffer.data) for buffer in patch.buffers] == buffers
    assert (error.header["reqid"], error.content["text"]) == (reqid, text)
    assert pull.content == {"doc": events[0]}
    assert [(buffer.id, buffer.data) for buffer in pull.buffers] == buffers


ASKED_WITH = (("b1", b"\x00\xff"), ("b2", b""))


@pytest.mark.parametrize(("message", "wanted"), [
    (pull_doc_request("1"), Incoming("1", "PULL-DOC-REQ", b"{}")),
    (server_info_request("2"), Incoming("2", "SERVER-INFO-REQ", b"{}")),
    (push_doc_request("3", b'{"x":1}', ASKED_WITH), Incoming("3", "PUSH-DOC", b'{"doc":{"x":1}}', ASKED_WITH)),
    (patch_doc_request("4", b'{"kind":"K"}', ()), Incoming("4", "PATCH-DOC", b'{"events":[{"kind":"K"}]}')),
    (patch_doc_request("5", b"{}", ASKED_WITH), Incoming("5", "PATCH-DOC", b'{"events":[{}]}', ASKED_WITH)),
])
def test_what_a_client_says_is_what_a_server_hears(message: Outgoing, wanted: Incoming) -> None:
    assembler = Assembler(1000)
    heard = [assembler.feed(bytes(data) if is_binary(index) else bytes(data).decode())
             for index, data in enumerate(message)]
    assert heard == [None] * (len(message) - 1) + [wanted]


def test_buffers_are_references_or_text() -> None:
    buffer = Buffer("b1", b"\x01\x02")  # type: ignore[arg-type]
    assert json.loads(to_json({"data": buffer})) == {"data": {"id": "b1"}}
    assert isinstance(json.loads(to_json({"data": buffer}, inline=True))["data"], str)


@pytest.mark.parametrize("value", [np.float64(1.5), 2**70, "\ud800", {"a": [None, True]}])
def test_what_json_can_say(value: Any) -> None:
    assert json.loads(to_json(value)) == value


def test_what_it_can_not() -> None:
    with pytest.raises(TypeError):
        to_json(object())


def test_copies_do_not_follow_the_array() -> None:
    array = np.arange(3, dtype=np.uint8)
    serializer = Serializer(deferred=True)
    serializer.encode(array)
    (pair,) = copied(serializer.buffers)
    array[:] = 9
    assert pair[1] == bytes([0, 1, 2])

"""Messages of Bokeh's protocol, and what they do to a document.

An input is a list of websocket messages, separated by the byte 0xff, which is in no text. One that begins with ``B`` is
binary, all others are text.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from bokeh.document import Document
from tests.fuzz.driver import Parser

from hotshoe import seams
from hotshoe.base.errors import ProtocolError
from hotshoe.sessions.snapshots import encode_document
from hotshoe.wire import Assembler, Incoming, decode_content, is_binary, kind_of
from hotshoe.wire.messages import MAX_REASON_BYTES

LIMIT = 100_000


def run(data: bytes) -> Hashable:
    document = _document()
    assembler = Assembler(LIMIT)
    results: list[object] = []
    try:
        for fragment in _fragments(data):
            if (message := assembler.feed(fragment)) is not None:
                _check_again(message)
                results.append(_apply(document, message))
        results.append(assembler._stage)
    except ProtocolError as error:
        assert 1002 <= error.close_code <= 1009
        assert len(error.detail.encode()) <= MAX_REASON_BYTES
        results.append(error.close_code)
    results.append(_check_document(document))
    return tuple(results[-6:])


def _fragments(data: bytes) -> list[str | bytes]:
    return [part[1:] if part[:1] == b"B" else part.decode("utf-8", "replace") for part in data.split(b"\xff")]


def _document() -> Document:
    document = Document()
    seams.apply_patch(document, {"events": [
        _added("p1", "Slider", {"start": 0, "end": 10, "value": 1}),
        _added("p2", "TextInput", {"value": ""}),
        _added("p3", "ColumnDataSource", {"data": {"type": "map", "entries": [["x", [1, 2]], ["y", [3, 4]]]}}),
    ]}, (), None)
    return document


def _added(model_id: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "RootAdded", "model": {"type": "object", "id": model_id, "name": name, "attributes": attributes}}


def _apply(document: Document, message: Incoming) -> object:
    """Do what a session does with a message. Its own errors are any errors, which it sends back as text."""
    kind = kind_of(message)
    content = decode_content(message)
    try:
        if kind == "PATCH-DOC":
            seams.apply_patch(document, content, message.buffers, "setter")
        elif kind == "PUSH-DOC":
            seams.replace_document(document, content["doc"], message.buffers)
    except Exception as error:
        return kind, type(error).__name__
    return kind


def _check_again(message: Incoming) -> None:
    """A message that was accepted is the same after it was sent once more."""
    header: dict[str, Any] = {"msgid": message.msgid, "msgtype": message.msgtype, "num_buffers": len(message.buffers)}
    if message.reqid is not None:
        header["reqid"] = message.reqid
    fragments: list[bytes] = [json.dumps(header).encode(), b"{}", message.content]
    for name, payload in message.buffers:
        fragments += [json.dumps({"id": name}).encode(), payload]
    again = Assembler(4 * LIMIT)
    found = [again.feed(each if is_binary(index) else each.decode()) for index, each in enumerate(fragments)]
    assert found == [None] * (len(fragments) - 1) + [message]


def _check_document(document: Document) -> str:
    """Everybody else can still open it, unless bokeh itself can't encode it, which a session reports."""
    try:
        snapshot = encode_document(document)
    except Exception as error:
        return type(error).__name__
    content, *buffers = snapshot.body[1:]
    pairs = zip(buffers[::2], buffers[1::2], strict=True)
    sent = [(json.loads(bytes(header))["id"], bytes(payload)) for header, payload in pairs]
    json.loads(bytes(content))
    assert len({name for name, _ in sent}) == len(sent)
    return "encoded"


PARSER = Parser(
    "messages", run, inputs=400, memory_bytes=64 << 20,
    words=(b"\xff", b"\xffB", b'{"msgid":"1","msgtype":"PATCH-DOC"}\xff{}\xff{"events":[', b"]}", b'"num_buffers":1',
           b'"num_buffers":-1', b'"num_buffers":70000', b'{"id":"p1"}', b'{"id":"p2"}', b'{"id":"p3"}',
           b'{"id":"b1"}', b'"kind":"ModelChanged"', b'"kind":"ColumnDataChanged"', b'"kind":"ColumnsStreamed"',
           b'"kind":"ColumnsPatched"', b'"kind":"RootAdded"', b'"kind":"RootRemoved"', b'"kind":"TitleChanged"',
           b'"kind":"MessageSent"', b'"type":"map"', b'"type":"ndarray"', b'"type":"bytes"', b'"type":"object"',
           b'"type":"value"', b'"type":"typed_array"', b'"type":"slice"', b'"type":"number","value":"nan"',
           b'"name":"Plot"', b'"name":"Slider"', b'"attributes":{}', b'"attr":"value"', b'"new":', b'"shape":[2]',
           b'"dtype":"float64"', b'"order":"little"', b'"data":', b"null", b"true", b"[]", b"{}", b"NaN", b"1e999",
           b'"\\ud800"', b"9" * 30, b"[" * 600, b'{"a":' * 600),
)

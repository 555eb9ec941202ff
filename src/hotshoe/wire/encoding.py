"""What a server says, as fragments. What is encoded already is joined, never encoded again.

A *body* is a message without its header: metadata, content, then (buffer header, payload) pairs. Bodies, and
messages without a ``reqid``, may be shared by many connections.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from .messages import JSON, Outgoing

Body: TypeAlias = Outgoing
"""The fragments of a message after its header."""

Buffers: TypeAlias = "Sequence[tuple[str, bytes | memoryview]]"
"""Pairs of a buffer's id and its bytes."""

_EMPTY: Body = (b"{}", b"{}")

_ids = itertools.count(1)
_process = secrets.token_hex(6)
_encoder = msgspec.json.Encoder()


def ack() -> Outgoing:
    """The first message of every connection."""
    return (_header("ACK"), *_EMPTY)


def ok(reqid: str) -> Outgoing:
    """The answer to a PATCH-DOC or PUSH-DOC that was applied."""
    return reply("OK", reqid, _EMPTY)


def error(
    reqid: str, text: str, traceback: str | None = None, metadata: Mapping[str, JSON] | None = None
) -> Outgoing:
    """The answer to a message whose handling failed; ``metadata`` is for our own page script, as in ``notice``."""
    return reply("ERROR", reqid, (_encode(metadata or {}), _encode({"text": text, "traceback": traceback})))


def server_info_reply(reqid: str, version: str) -> Outgoing:
    """The answer to a SERVER-INFO-REQ; ``version`` is bokeh's, since clients compare it with their own."""
    content = {"version_info": {"bokeh": version, "server": version}}
    return reply("SERVER-INFO-REPLY", reqid, (b"{}", _encode(content)))


def pull_doc_body(doc_json: bytes, buffers: Buffers, needs: Sequence[str] = ()) -> Body:
    """A document for all who pull it; ``reply("PULL-DOC-REPLY", reqid, body)`` answers one of them.

    ``needs`` as for ``patch_doc``.
    """
    return (_needing(needs), b'{"doc":' + doc_json + b"}", *buffer_fragments(buffers))


def pull_doc_reply(reqid: str, doc_json: bytes, buffers: Buffers) -> Outgoing:
    """The answer to a PULL-DOC-REQ."""
    return reply("PULL-DOC-REPLY", reqid, pull_doc_body(doc_json, buffers))


def patch_doc(events: Sequence[bytes], buffers: Buffers, needs: Sequence[str] = ()) -> Outgoing:
    """Changes, each as JSON bytes, in one message.

    ``needs`` names the BokehJS bundles that a browser must have loaded before it applies them. It travels in
    the metadata, which bokeh's own clients ignore.
    """
    if not events:
        raise ValueError("a PATCH-DOC needs at least one event")
    content = b'{"events":[' + b",".join(events) + b"]}"
    return (_header("PATCH-DOC", num_buffers=len(buffers)), _needing(needs), content, *buffer_fragments(buffers))


def notice(metadata: Mapping[str, JSON]) -> Outgoing:
    """Something for our own page script: a PATCH-DOC that changes nothing, which bokeh's own clients take as such."""
    return (_header("PATCH-DOC", num_buffers=0), _encode(metadata), b'{"events":[]}')


def reply(msgtype: str, reqid: str, body: Body) -> Outgoing:
    """``body`` as the answer to the message ``reqid``; nothing of the body is copied."""
    num_buffers = (len(body) - 2) // 2
    # Bokeh counts the buffers of a document even if there are none, and leaves the count out elsewhere.
    counted = num_buffers > 0 or msgtype == "PULL-DOC-REPLY"
    return (_header(msgtype, reqid=reqid, num_buffers=num_buffers if counted else None), *body)


def _header(msgtype: str, *, reqid: str | None = None, num_buffers: int | None = None) -> bytes:
    header = f'{{"msgid":"{_process}-{next(_ids)}","msgtype":"{msgtype}"'.encode()
    if reqid is not None:
        header += b',"reqid":' + _encode(reqid)
    if num_buffers is not None:
        header += b',"num_buffers":%d' % num_buffers
    return header + b"}"


def buffer_fragments(buffers: Buffers) -> Iterable[bytes | memoryview]:
    """A header and a payload for each buffer."""
    for buffer_id, payload in buffers:
        yield _encode({"id": buffer_id})
        yield payload


def _encode(value: JSON) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a lone surrogate: JSON can escape what UTF-8 can't say
        return json.dumps(value, separators=(",", ":")).encode()


def _needing(needs: Sequence[str]) -> bytes:
    return _encode({"needs": needs}) if needs else b"{}"

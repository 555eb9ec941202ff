"""Messages of servers and clients as fragments, and the JSON of bokeh's serialized data.

Encoded parts are joined, never encoded again. A *body* is a message without its header: metadata, content, then
(buffer header, payload) pairs. Many connections may share a body, or a message without a ``reqid``. A client chooses
the ``msgid`` of its messages; the reply repeats it as ``reqid``.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import orjson
from bokeh.core.serialization import Buffer

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
    """The reply to a PATCH-DOC or PUSH-DOC that was applied."""
    return reply("OK", reqid, _EMPTY)


def error(reqid: str, text: str, traceback: str | None = None,
          metadata: Mapping[str, JSON] | None = None) -> Outgoing:
    """The reply to a message whose handling failed; ``metadata`` is for our page script, as in ``notice``."""
    return reply("ERROR", reqid, (_encode(metadata or {}), _encode({"text": text, "traceback": traceback})))


def server_info_reply(reqid: str, version: str) -> Outgoing:
    """The reply to a SERVER-INFO-REQ; ``version`` is bokeh's, which clients compare with their own."""
    content = {"version_info": {"bokeh": version, "server": version}}
    return reply("SERVER-INFO-REPLY", reqid, (b"{}", _encode(content)))


def pull_doc_body(doc_json: bytes, buffers: Buffers, needs: Sequence[str] = ()) -> Body:
    """A document for all clients that pull it; ``reply("PULL-DOC-REPLY", reqid, body)`` is the message to one.

    ``needs`` as for ``patch_doc``.
    """
    return (_needing(needs), b'{"doc":' + doc_json + b"}", *buffer_fragments(buffers))


def patch_doc(events: Sequence[bytes], buffers: Buffers, needs: Sequence[str] = ()) -> Outgoing:
    """Changes, each as JSON bytes, in one message.

    ``needs`` names the BokehJS bundles that a browser must load before it applies the changes. It is sent as metadata,
    which bokeh's own clients ignore.
    """
    if not events:
        raise ValueError("a PATCH-DOC needs at least one event")
    content = b'{"events":[' + b",".join(events) + b"]}"
    return (_header("PATCH-DOC", num_buffers=len(buffers)), _needing(needs), content, *buffer_fragments(buffers))


def notice(metadata: Mapping[str, JSON]) -> Outgoing:
    """Data for our page script, as metadata of a PATCH-DOC without changes, which bokeh's own clients accept."""
    return (_header("PATCH-DOC", num_buffers=0), _encode(metadata), b'{"events":[]}')


def reply(msgtype: str, reqid: str, body: Body) -> Outgoing:
    """``body`` as the reply to the message ``reqid``; the body is not copied."""
    num_buffers = (len(body) - 2) // 2
    # For a document, Bokeh sends the number of buffers even if it is 0; elsewhere it leaves out a 0.
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
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot encode, but JSON can escape
        return json.dumps(value, separators=(",", ":")).encode()


def _needing(needs: Sequence[str]) -> bytes:
    return _encode({"needs": needs}) if needs else b"{}"


def pull_doc_request(msgid: str) -> Outgoing:
    """The request for the whole document."""
    return (_request_header("PULL-DOC-REQ", msgid), *_EMPTY)


def push_doc_request(msgid: str, doc_json: bytes, buffers: Buffers) -> Outgoing:
    """The request to replace the whole document."""
    content = b'{"doc":' + doc_json + b"}"
    return (_request_header("PUSH-DOC", msgid, len(buffers)), b"{}", content, *buffer_fragments(buffers))


def patch_doc_request(msgid: str, event: bytes, buffers: Buffers) -> Outgoing:
    """One change, given as JSON bytes."""
    content = b'{"events":[' + event + b"]}"
    return (_request_header("PATCH-DOC", msgid, len(buffers)), b"{}", content, *buffer_fragments(buffers))


def server_info_request(msgid: str) -> Outgoing:
    """The request for the server's version of bokeh; its reply comes after all earlier messages are handled."""
    return (_request_header("SERVER-INFO-REQ", msgid), *_EMPTY)


def _request_header(msgtype: str, msgid: str, num_buffers: int = 0) -> bytes:
    header: dict[str, str | int] = {"msgid": msgid, "msgtype": msgtype}
    if num_buffers:
        header["num_buffers"] = num_buffers
    return _encode(header)


def to_json(content: Any, *, inline: bool = False) -> bytes:
    """Bokeh's serialized data as JSON bytes; buffers as references, or with ``inline`` as base64 text."""
    plain = _with_base64 if inline else _with_reference
    try:
        return orjson.dumps(content, default=plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError:  # orjson refuses lone surrogates and huge integers, which JSON allows
        return json.dumps(content, default=plain, separators=(",", ":")).encode()


def copied(buffers: Iterable[Buffer]) -> tuple[tuple[str, bytes], ...]:
    """Pairs of a buffer's id and a copy of its bytes: the app may change its array while the message waits."""
    return tuple((buffer.id, bytes(buffer.data)) for buffer in buffers)


def _with_reference(obj: object) -> Any:
    return obj.ref if isinstance(obj, Buffer) else _plain(obj)


def _with_base64(obj: object) -> Any:
    return obj.to_base64() if isinstance(obj, Buffer) else _plain(obj)


def _plain(obj: object) -> Any:
    # bokeh's serializer leaves numpy's subclasses of float as they are; json.dumps accepts them.
    if isinstance(obj, float):
        return float(obj)
    raise TypeError(f"cannot send a {type(obj).__name__} to a browser")

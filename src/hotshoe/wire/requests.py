"""What a client says, as fragments. It chooses the ``msgid``, which the answer repeats as ``reqid``."""

from __future__ import annotations

import msgspec

from .encoding import Buffers, buffer_fragments
from .messages import Outgoing

_EMPTY = b"{}"
_encode = msgspec.json.encode


def pull_doc_request(msgid: str) -> Outgoing:
    """Asks for the whole document."""
    return (_header("PULL-DOC-REQ", msgid), _EMPTY, _EMPTY)


def push_doc_request(msgid: str, doc_json: bytes, buffers: Buffers) -> Outgoing:
    """Replaces the whole document."""
    content = b'{"doc":' + doc_json + b"}"
    return (_header("PUSH-DOC", msgid, len(buffers)), _EMPTY, content, *buffer_fragments(buffers))


def patch_doc_request(msgid: str, event: bytes, buffers: Buffers) -> Outgoing:
    """Says one change, given as JSON bytes."""
    content = b'{"events":[' + event + b"]}"
    return (_header("PATCH-DOC", msgid, len(buffers)), _EMPTY, content, *buffer_fragments(buffers))


def server_info_request(msgid: str) -> Outgoing:
    """Asks which bokeh the server has, and whether it has done all that came before."""
    return (_header("SERVER-INFO-REQ", msgid), _EMPTY, _EMPTY)


def _header(msgtype: str, msgid: str, num_buffers: int = 0) -> bytes:
    header: dict[str, str | int] = {"msgid": msgid, "msgtype": msgtype}
    if num_buffers:
        header["num_buffers"] = num_buffers
    return _encode(header)

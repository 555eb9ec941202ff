"""Bokeh's websocket protocol as pure functions over fragments."""

from .content import KINDS, Kind, decode_content, kind_of
from .encoding import (
    Body,
    Buffers,
    ack,
    error,
    notice,
    ok,
    patch_doc,
    pull_doc_body,
    pull_doc_reply,
    reply,
    server_info_reply,
)
from .frames import MAX_BUFFERS, Assembler
from .messages import JSON, Close, Incoming, Outgoing, close_reason, is_binary

__all__ = [
    "JSON",
    "KINDS",
    "MAX_BUFFERS",
    "Assembler",
    "Body",
    "Buffers",
    "Close",
    "Incoming",
    "Kind",
    "Outgoing",
    "ack",
    "close_reason",
    "decode_content",
    "error",
    "is_binary",
    "kind_of",
    "notice",
    "ok",
    "patch_doc",
    "pull_doc_body",
    "pull_doc_reply",
    "reply",
    "server_info_reply",
]

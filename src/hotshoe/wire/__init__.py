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
from .requests import patch_doc_request, pull_doc_request, push_doc_request, server_info_request
from .serialized import copied, to_json

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
    "copied",
    "decode_content",
    "error",
    "is_binary",
    "kind_of",
    "notice",
    "ok",
    "patch_doc",
    "patch_doc_request",
    "pull_doc_body",
    "pull_doc_reply",
    "pull_doc_request",
    "push_doc_request",
    "reply",
    "server_info_reply",
    "server_info_request",
    "to_json",
]

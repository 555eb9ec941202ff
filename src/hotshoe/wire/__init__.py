"""Bokeh's websocket protocol as pure functions over fragments."""

from .frames import Assembler
from .messages import (
    JSON,
    KINDS,
    Close,
    Incoming,
    Kind,
    Outgoing,
    check_values,
    close_reason,
    decode_content,
    is_binary,
    kind_of,
)
from .outgoing import (
    Body,
    Buffers,
    ack,
    copied,
    error,
    notice,
    ok,
    patch_doc,
    patch_doc_request,
    pull_doc_body,
    pull_doc_request,
    push_doc_request,
    reply,
    server_info_reply,
    server_info_request,
    to_json,
)

__all__ = ["JSON", "KINDS", "Assembler", "Body", "Buffers", "Close", "Incoming", "Kind", "Outgoing", "ack",
           "check_values", "close_reason", "copied", "decode_content", "error", "is_binary", "kind_of", "notice", "ok",
           "patch_doc", "patch_doc_request", "pull_doc_body", "pull_doc_request", "push_doc_request", "reply",
           "server_info_reply", "server_info_request", "to_json"]

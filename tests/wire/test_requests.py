from __future__ import annotations

import pytest

from hotshoe.wire import (
    Assembler,
    Incoming,
    Outgoing,
    is_binary,
    patch_doc_request,
    pull_doc_request,
    push_doc_request,
    server_info_request,
)

BUFFERS = (("b1", b"\x00\xff"), ("b2", b""))


@pytest.mark.parametrize(("message", "wanted"), [
    (pull_doc_request("1"), Incoming("1", "PULL-DOC-REQ", b"{}")),
    (server_info_request("2"), Incoming("2", "SERVER-INFO-REQ", b"{}")),
    (push_doc_request("3", b'{"x":1}', BUFFERS), Incoming("3", "PUSH-DOC", b'{"doc":{"x":1}}', BUFFERS)),
    (patch_doc_request("4", b'{"kind":"K"}', ()), Incoming("4", "PATCH-DOC", b'{"events":[{"kind":"K"}]}')),
    (patch_doc_request("5", b"{}", BUFFERS), Incoming("5", "PATCH-DOC", b'{"events":[{}]}', BUFFERS)),
])
def test_what_a_client_says_is_what_a_server_hears(message: Outgoing, wanted: Incoming) -> None:
    assembler = Assembler(1000)
    heard = [assembler.feed(bytes(data) if is_binary(index) else bytes(data).decode())
             for index, data in enumerate(message)]
    assert heard == [None] * (len(message) - 1) + [wanted]

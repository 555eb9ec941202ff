"""Messages that no client should send: each has one fragment, or one field, that is wrong."""

from __future__ import annotations

from collections.abc import Iterator

GOOD = ('{"msgid": "m", "msgtype": "PATCH-DOC", "num_buffers": 1}', "{}", '{"events": []}', '{"id": "0"}', b"payload")
"""The fragments of a message with one buffer."""


def malformed() -> Iterator[tuple[str, tuple[str | bytes, ...]]]:
    """Names, and the fragments of a message of which one is wrong."""
    parts = ("header", "metadata", "content", "buffer header", "buffer")
    for index, part in enumerate(parts):
        good = GOOD[index]
        yield f"{part} of the wrong kind", _with(index, good.encode() if isinstance(good, str) else "text")
        if part != "buffer":
            for name, text in [("no JSON", "{no json"), ("empty", ""), ("a list", "[]"), ("deep", "[" * 5000)]:
                yield f"{part} is {name}", _with(index, text)
    yield "header without msgid", ('{"msgtype": "PULL-DOC-REQ"}', "{}", "{}")
    yield "header without msgtype", ('{"msgid": "m"}', "{}", "{}")
    yield "header with a number for msgtype", ('{"msgid": "m", "msgtype": 7}', "{}", "{}")
    yield "header with a number for msgid", ('{"msgid": 7, "msgtype": "PULL-DOC-REQ"}', "{}", "{}")
    for number in ("-1", '"one"'):
        header = f'{{"msgid": "m", "msgtype": "PULL-DOC-REQ", "num_buffers": {number}}}'
        yield f"num_buffers is {number}", (header, "{}", "{}")
    for msgtype in ("UNKNOWN", "OK", "ACK", "ERROR", "PULL-DOC-REPLY", "SERVER-INFO-REPLY"):
        yield f"type {msgtype}", (f'{{"msgid": "m", "msgtype": "{msgtype}", "reqid": "r"}}', "{}", "{}")
    yield "buffer header of another key", (*GOOD[:3], '{"name": "0"}')
    yield "buffer header with more keys", (*GOOD[:3], '{"id": "0", "more": 1}')
    patch = '{"msgid": "m", "msgtype": "PATCH-DOC"}'
    yield "patch without events", (patch, "{}", "{}")
    yield "patch with strange events", (patch, "{}", '{"events": [{"kind": "Nothing"}]}')
    yield "patch with no list", (patch, "{}", '{"events": 7}')
    yield "push without a document", ('{"msgid": "m", "msgtype": "PUSH-DOC"}', "{}", "{}")


def _with(index: int, fragment: str | bytes) -> tuple[str | bytes, ...]:
    return *GOOD[:index], fragment, *GOOD[index + 1:]

"""The JSON in a session token, and the compressed JSON within it, behind which base64 hides most changes.

An input is two JSON texts, separated by a line ``--``: the token's own, and one that is put compressed into it.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable

from tests.fuzz.driver import Parser
from tests.fuzz.parsers import tokens

from hotshoe.tokens.keys import to_base64


def run(data: bytes) -> Hashable:
    outer, separator, inner = data.partition(b"\n--\n")
    if separator:
        outer = outer.replace(b"INNER", to_base64(zlib.compress(inner)).encode())
    return tokens.run(to_base64(outer).encode())


PARSER = Parser(
    "token_json", run, inputs=20000, memory_bytes=48 << 20,
    words=(b'"session_id":"x"', b'"session_expiry":1', b'"__bk__zlib_":"INNER"', b'{"bytes":"AAAA"}',
           b'{"bytes":"!"}', b"\n--\n", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e999", b'"\\ud800"',
           b"[" * 2000, b'{"a":' * 1000, b"{}", b"[]", b'"headers":{}', b'"cookies":{}',
           b'"arguments":{"a":[{"bytes":"AA"}]}', b"\\u0000", b"\xef\xbb\xbf"),
)

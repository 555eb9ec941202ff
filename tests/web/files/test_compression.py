import gzip
import os

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.web.files.negotiation import Memory, compress, preferred_encoding


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("br", "br"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0.5, br;q=0", "gzip"),
        ("identity", None),
        ("identity;q=1, br;q=0.5", None),
        ("BR ; Q=0.7", "br"),
        ("br;q=nonsense", None),
        ("br;q=nan", None),
        ("deflate", None),
    ],
)
def test_acceptable(header: str, encoding: str | None) -> None:
    assert preferred_encoding(header) == encoding


@given(st.text(alphabet="brgzip*;q=.,01 -", max_size=40))
def test_any_header_is_understood(header: str) -> None:
    assert preferred_encoding(header) in ("br", "gzip", None)


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_what_is_compressed_is_whole(size: int) -> None:
    data = os.urandom(size // 2).hex().encode()
    assert brotli.decompress(compress(data, "br")) == data
    assert gzip.decompress(compress(data, "gzip")) == data


def test_memory_is_bounded_and_drops_the_oldest() -> None:
    memory = Memory(1000)
    for number in range(20):
        memory.put((str(number),), bytes(200))
        memory.get(("0",))
    assert sum(len(memory.get((str(number),)) or b"") for number in range(20)) == 1000
    assert memory.get(("0",)) is not None
    assert memory.get(("1",)) is None
    memory.put(("huge",), bytes(900))
    assert memory.get(("huge",)) is None


def test_what_is_put_again_counts_once() -> None:
    memory = Memory(1000)
    memory.put(("a",), bytes(200))
    for number in range(50):
        memory.put(("b",), bytes(200 + number))
    assert memory.get(("a",)) == bytes(200)
    assert memory.get(("b",)) == bytes(249)

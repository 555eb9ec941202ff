import gzip
import os
import threading
import time
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.web.compression import Compressor, Memory, Store, acceptable, cache_folder, compress

TEXT = b"the quick brown fox " * 500


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
    assert acceptable(header) == encoding


@given(st.text(alphabet="brgzip*;q=.,01 -", max_size=40))
def test_any_header_is_understood(header: str) -> None:
    assert acceptable(header) in ("br", "gzip", None)


@pytest.mark.parametrize("size", [0, 1, 32768, 100_000])
def test_compressed_in_steps_is_whole(size: int) -> None:
    data = os.urandom(size)
    assert brotli.decompress(compress(data, "br", 5)) == data
    assert gzip.decompress(compress(data, "gzip", 6) or b"") == data


def test_compression_can_be_cancelled() -> None:
    assert compress(TEXT, "br", 11, lambda: True) is None


def test_memory_is_bounded_and_drops_the_oldest() -> None:
    memory = Memory(1000)
    for number in range(20):
        memory.put((str(number),), bytes(200))
        memory.get(("0",))
    assert memory.size_bytes <= 1000
    assert memory.get(("0",)) is not None
    assert memory.get(("1",)) is None
    memory.put(("huge",), bytes(900))
    assert memory.get(("huge",)) is None


def test_a_better_level_is_not_replaced_by_a_quick_one() -> None:
    memory = Memory(1000)
    memory.put(("a",), b"best", 11)
    memory.put(("a",), b"quick", 5)
    assert memory.get(("a",)) == (b"best", 11)
    assert memory.size_bytes == 4


def test_corrupt_entries_are_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("digest", "br", 11, b"body")
    assert store.load("digest", "br", 11) == b"body"
    [entry] = tmp_path.iterdir()
    for broken in (b"", entry.read_bytes()[:-1], entry.read_bytes() + b"x", bytes(100)):
        entry.write_bytes(broken)
        assert store.load("digest", "br", 11) is None


def test_a_folder_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    store = Store(tmp_path / "missing")
    store.save("digest", "br", 11, b"body")
    store.trim()
    assert store.load("digest", "br", 11) is None


def test_trim_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for age, name in enumerate(("new", "old", "older")):
        store.save(name, "br", 11, bytes(1000))
        os.utime(tmp_path / f"{name}.br11", (1e9 - age, 1e9 - age))
    store.trim(2100)
    assert {path.stem for path in tmp_path.iterdir()} == {"new", "old"}


def test_the_cache_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "hotshoe" / "static"
    (tmp_path / "cache" / "hotshoe" / "static").chmod(0o777)
    assert cache_folder() != tmp_path / "cache" / "hotshoe" / "static", "others could plant code there"


def test_first_quick_then_best_from_memory_and_disk(tmp_path: Path) -> None:
    compressor = Compressor(Store(tmp_path), Memory(10**6))
    first = compressor.get("digest", "br", lambda: TEXT)
    assert first.level == 5
    deadline = time.monotonic() + 10
    while (found := compressor.cached("digest", "br")) is None or found.level == 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert brotli.decompress(found.body) == TEXT
    compressor.close()
    assert "hotshoe-compress" not in {thread.name for thread in threading.enumerate()}
    later = Compressor(Store(tmp_path), Memory(10**6))
    assert later.get("digest", "br", lambda: pytest.fail("it is on disk")).level == 11
    later.close()

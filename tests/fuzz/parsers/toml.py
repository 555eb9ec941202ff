"""``hotshoe.toml``, the file of settings: an error is one line, which begins with the name of the file."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable
from pathlib import Path

from tests.fuzz.driver import Parser

from hotshoe.base.errors import ConfigError
from hotshoe.config.settings import TABLE, Settings
from hotshoe.config.value_sources import SettingSources

SECRET = "correct-horse"
SECRET_KEYS = [row.key for row in TABLE if row.doc.secret]


def run(data: bytes) -> Hashable:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hotshoe.toml")
        path.write_bytes(data)
        try:
            settings = SettingSources({}, {}, path).settings()
        except ConfigError as error:
            text = str(error)
            assert text.startswith(f"{path}: ")
            assert text.isprintable(), "the error is not one line"
            assert SECRET not in text or not any(f": {key}: " in text for key in SECRET_KEYS), "a secret is shown"
            return text.removeprefix(str(path))[:40]
    assert isinstance(settings, Settings)
    return tuple(row.name for row in TABLE if getattr(settings, row.name) != row.default)[:3]


PARSER = Parser(
    "toml", run, inputs=4000, memory_per_byte=2000,
    words=(*(f"\n{row.key} = ".encode() for row in TABLE), b"=", b'"', b'"""', b"'", b"'''", b"[", b"]", b"[[",
           b"]]", b"{", b"}", b",", b"#", b"\n", b"\r", b"\\u0000", b"\\U0001F600", b"\\ud800", b"\\n", b"true",
           b"inf", b"nan", b"1979-05-27", b"07:32:00", b"0x7f", b"0o7", b"0b1", b"1_000", b"[" * 2000, b"{a=" * 1000,
           b"a." * 1000, b"\xff", b"\x85", b"\xef\xbb\xbf", f'"{SECRET}"'.encode()),
)

"""Notebooks that are served as apps."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from tests.fuzz.driver import Parser

from hotshoe.apps.notebook import _cells, code_of, without_magics
from hotshoe.base.errors import AppError


def run(data: bytes) -> Hashable:
    with suppress(ValueError, RecursionError):  # its caller expects both
        code_of(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app.ipynb")
        path.write_bytes(data)
        try:
            cells = list(_cells(path))
        except AppError as error:
            assert str(error).startswith(str(path))
            return "".join(letter for letter in str(error).removeprefix(str(path)) if letter.isalpha())[:40]
    for cell in cells:
        plain = without_magics(cell.source)
        assert plain.count("\n") <= len(cell.source.splitlines()), "the lines have moved"
    return tuple(cell.kind for cell in cells)[:3]


PARSER = Parser(
    "notebook", run, inputs=3000, memory_bytes=4 << 20,
    words=(b'"cells":[', b'"cell_type":"code"', b'"source":', b'"input":', b'"worksheets":[', b'"metadata":{',
           b'"kernelspec":{', b'"language":"python"', b"%matplotlib inline\\n", b"!ls\\n", b"%%bash\\n",
           b"%%time\\n", b"x = !ls\\n", b"x = %who\\n", b"?x\\n", b"x?\\n", b"if a:\\n  %b\\n", b"\\u2028", b"\\r",
           b"\\f", b"\\u0000", b'"\\ud800"', b"null", b"[" * 1000, b"(" * 300),
)

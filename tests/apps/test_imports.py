"""Which files belong to an app, read from its code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.support.app_files import Write

from hotshoe.apps.imports import Import, Reader, importers, imports_of, resolve
from hotshoe.base.tracebacks import is_library, real


def test_import_statements_are_found_wherever_they_stand() -> None:
    found = imports_of("import a, b.c as d\ndef f():\n    from .x import y, z\nif 1:\n    from ... import w\n")
    assert set(found) == {Import(0, "a"), Import(0, "b.c"), Import(1, "x", ("y", "z")), Import(3, "", ("w",))}


def test_relative_and_absolute_imports_become_files(write: Write) -> None:
    names = ("top/__init__.py", "top/inner/__init__.py", "top/inner/mod.py", "top/side.py", "plain.py",
             "space/deep/m.py")
    folder = real(write(dict.fromkeys(names, "")))

    def found(wanted: Import, importer: str = "main.py") -> set[str]:
        return {str(file.relative_to(folder)) for file in resolve(wanted, folder / importer, [folder])}

    assert found(Import(0, "plain")) == {"plain.py"}
    assert found(Import(0, "top.inner", ("mod", "nothing"))) == {
        "top/__init__.py", "top/inner/__init__.py", "top/inner/mod.py"}
    assert found(Import(0, "space.deep.m")) == {"space/deep/m.py"}
    assert found(Import(2, "side"), "top/inner/mod.py") == {"top/__init__.py", "top/side.py"}
    assert found(Import(1, "", ("mod",)), "top/inner/__init__.py") == {"top/inner/__init__.py", "top/inner/mod.py"}
    assert found(Import(0, "json")) == found(Import(0, "bokeh.models")) == found(Import(0, "no.such")) == set()


def test_edges_follow_imports_but_not_into_libraries(write: Write) -> None:
    folder = real(write({"main.py": "import helper, bokeh\n", "helper.py": "from data import x\n",
                         "data.py": "import main", "other.py": ""}))
    edges = Reader(Path.read_bytes).edges([folder / "main.py"], [folder])
    assert {file.name: {to.name for to in edges[file]} for file in edges} == {
        "main.py": {"helper.py"}, "helper.py": {"data.py"}, "data.py": {"main.py"}}


def test_what_a_file_imported_counts_until_it_can_be_read_again(write: Write) -> None:
    main = real(write({"main.py": "import helper", "helper.py": ""})) / "main.py"
    reader = Reader(Path.read_bytes)
    for text in ("import helper", "import helper, (", "x = '\0'"):
        main.write_text(text)
        assert reader.imports(main) == (Import(0, "helper"),)
    main.write_text("import other_one")
    assert reader.imports(main) == (Import(0, "other_one"),)
    main.unlink()
    assert reader.imports(main) == (Import(0, "other_one"),)


def test_a_change_reaches_all_that_import_it() -> None:
    a, b, c, d = map(Path, "abcd")
    edges = {a: {b}, b: {c}, c: {b}, d: {a}}
    assert importers({c}, edges) == {a, b, c, d}
    assert importers({a}, edges) == {a, d}
    assert importers({d}, edges) == {d}


@pytest.mark.parametrize("module", ["os", "bokeh.models", "pytest", "hotshoe.apps"])
def test_libraries(module: str) -> None:
    __import__(module)
    file = sys.modules[module].__file__
    assert file is not None
    assert is_library(real(file))
    assert not is_library(Path("/home/someone/app.py"))


def test_a_notebook_is_read_like_a_script(write: Write) -> None:
    from hotshoe.apps.notebook import code_of

    cells = [{"cell_type": "code", "source": ["%matplotlib inline\n", "import helper"]},
             {"cell_type": "markdown", "source": "import nothing"}, {"cell_type": "code", "source": "import data"}]
    assert imports_of(code_of(json.dumps({"cells": cells}).encode())) == (Import(0, "helper"), Import(0, "data"))
    for wrong in (b"[1]", b"{", b'{"cells": [1]}'):
        with pytest.raises(ValueError):  # noqa: PT011
            code_of(wrong)

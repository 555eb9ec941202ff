from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from hotshoe.apps.loading import load
from hotshoe.apps.notebook import without_magics
from hotshoe.base.errors import AppError
from hotshoe.base.first_imports import order_first_imports
from hotshoe.base.lent_loop import call_with, install, lend
from hotshoe.base.threads import ThreadPool
from hotshoe.base.tracebacks import user_traceback

if TYPE_CHECKING:
    from tests.support.app_files import Build, Write

START = "from bokeh.io import curdoc\nkeep = curdoc().template_variables"


def notebook(*sources: str) -> str:
    """A notebook of code cells; one that starts with ``#`` and a blank is Markdown."""
    kinds = ("markdown" if text.startswith("# ") else "code" for text in sources)
    lines = (text.splitlines(keepends=True) for text in sources)
    cells = [{"cell_type": kind, "source": source} for kind, source in zip(kinds, lines, strict=True)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def test_cells_share_one_module(write: Write, build: Build) -> None:
    source = notebook(
        "# A board\n\nWith *text*.", START, "%matplotlib inline\nfiles = !ls\nkeep['f'] = files",
        "get_ipython().run_line_magic('time', '1')\nget_ipython().config.x.y()\nkeep['name'] = __file__",
    )
    path = write({"board.ipynb": source}) / "board.ipynb"
    app = load(path)
    assert (app.title, app.description) == ("A board", "With text.")
    assert build(app).template_variables == {"f": [], "name": str(path)}


def test_future_imports_hold_for_later_cells(write: Write, build: Build) -> None:
    source = notebook("from __future__ import annotations", START, "def f(x: undefined): pass\nkeep['ok'] = 1")
    assert build(load(write({"a.ipynb": source}) / "a.ipynb")).template_variables == {"ok": 1}


def test_format_3(write: Write, build: Build) -> None:
    cells = [{"cell_type": "code", "input": [START, "\n", "keep['old'] = 1"]}]
    path = write({"a.ipynb": json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]})}) / "a.ipynb"
    assert build(load(path)).template_variables == {"old": 1}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x = 1", "x = 1"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install 'x", "pass"),
        ("if x:\n    %time f()\n    y", "if x:\n    pass\n    y"),
        ("x = !ls | wc\ny = %env A", "x = []\ny = None"),
        ("print?\n?print\nx", "pass\npass\nx"),
        ("%%time\nx = 1\n%timeit x", "\nx = 1\npass"),
        ("%%bash\nls -l | grep", ""),
        ("%%html\n<b>x</b>", ""),
        ("x = (1\n%y\n)", "x = (1\n%y\n)"),
        ("%cd /\nx = '''\n%s\n!no\n'''\ny = a \\\n%b", "pass\nx = '''\n%s\n!no\n'''\ny = a \\\n%b"),
        ("x = (1\n!= 2)", "x = (1\n!= 2)"),
        ("if x:\n  %run -i other.py 'a b'", "if x:\n  get_ipython().run_line_magic(\"run\", \"-i other.py 'a b'\")"),
        ("x = = 1", "x = = 1"),
        ("", ""),
    ],
)
def test_only_what_is_ipythons_goes(cell: str, expected: str) -> None:
    assert without_magics(cell) == expected


def test_run_runs_a_file_as_in_ipython(write: Write, build: Build) -> None:
    folder = write({
        "a.ipynb": notebook(START, "%run part.py one 'two three'\nkeep['values'] = made",
                            "base = 3\n%run -i in_place.py", "%run other\nkeep['other'] = (of_other, base)"),
        "part.py": "import sys\nmade = [sys.argv[1:], __name__, 'keep' in globals(), __file__]",
        "in_place.py": "base += 1",
        "other.ipynb": notebook("of_other = 'notebook'\n%matplotlib inline"),
    })
    values = build(load(folder / "a.ipynb")).template_variables
    assert values == {"values": [["one", "two three"], "__main__", False, str(folder / "part.py")],
                      "other": ("notebook", 4)}


@pytest.mark.parametrize(("line", "error"), [
    ("missing.py", "there is no missing.py in"), ("-m some.module", "name a file; for a module, use import"),
    ("-i", "name a file")])
def test_run_says_what_it_cannot_run(line: str, error: str, write: Write, build: Build) -> None:
    folder = write({"a.ipynb": notebook(f"%run {line}")})
    with pytest.raises(AppError, match=error):
        build(load(folder / "a.ipynb"))


AWAITS = (
    START, "import asyncio\nasync def double(x):\n    await asyncio.sleep(0)\n    return curdoc() and 2 * x",
    "keep['one'] = await double(4)\nkeep['many'] = [await double(x) for x in range(3)]",
    "async def later():\n    return await double(5)\nif True:\n    keep['nested'] = await double(await later())",
    "try:\n    await double({})\nexcept TypeError as error:\n    keep['error'] = type(error).__name__")


def test_a_cell_awaits_as_in_jupyter(write: Write, build: Build) -> None:
    values = build(load(write({"a.ipynb": notebook(*AWAITS)}) / "a.ipynb")).template_variables
    assert values == {"one": 8, "many": [0, 2, 4], "nested": 20, "error": "TypeError"}


async def test_a_thread_waits_while_the_servers_loop_awaits(write: Write, build: Build) -> None:
    source = notebook(*AWAITS, "async def find_loop():\n    return id(asyncio.get_running_loop())\n"
                               "keep['loop'] = await find_loop()")
    app = load(write({"a.ipynb": source}) / "a.ipynb")
    order_first_imports()
    pool = ThreadPool(1, asyncio.get_running_loop())
    try:
        document = await asyncio.wrap_future(pool.submit(partial(build, app)))
        assert document.template_variables["loop"] == id(asyncio.get_running_loop())
        assert document.template_variables["nested"] == 20
        values = build(app).template_variables  # on the loop itself
        assert values["nested"] == 20
        assert values["loop"] != id(asyncio.get_running_loop())
    finally:
        pool.close()


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_cell_awaits_tasks_that_cells_have_made(is_running: bool, write: Write, build: Build) -> None:
    source = notebook(
        START, "import asyncio\nasync def double(x):\n    await asyncio.sleep(0)\n    return 2 * x",
        "task = asyncio.ensure_future(double(4))",
        "keep['task'] = await task\nkeep['both'] = await asyncio.gather(double(1), double(2))")
    app, loop = load(write({"a.ipynb": source}) / "a.ipynb"), asyncio.get_running_loop()
    install()
    lend(loop)
    pool = ThreadPool(1, loop)
    try:
        async with asyncio.timeout(10):
            document = await pool.run(partial(call_with, loop, is_running, build, app))
    finally:
        pool.close()
    assert document.template_variables == {"task": 8, "both": [2, 4]}


def test_await_outside_of_functions_is_explained(write: Write) -> None:
    folder = write({"a.ipynb": notebook("x = 1", "async for x in y: pass"), "a.py": "x = [y async for y in z]",
                    "b.py": "async with x: pass"})
    for name, place in (("a.ipynb", "a.ipynb, cell 2:1"), ("a.py", "a.py:1"), ("b.py", "b.py:1")):
        with pytest.raises(AppError, match="write it into an async function f") as caught:
            load(folder / name)
        assert place in str(caught.value)
        assert "add_next_tick_callback(f)" in str(caught.value)


def test_tracebacks_show_the_cell(write: Write, build: Build) -> None:
    path = write({"a.ipynb": notebook("x = 1", "# Text", "%time x\n1 / 0  # here")}) / "a.ipynb"
    app = load(path)
    with pytest.raises(ZeroDivisionError) as caught:
        build(app)
    text = user_traceback(caught.value)
    assert f'File "{path}, cell 2", line 2' in text
    assert "1 / 0  # here" in text


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        ("{\n]", ":2", "not a notebook"),
        ("", ":1", "not a notebook"),
        (b"\xff", ":1", "not a notebook"),
        ("[]", "", "not a notebook"),
        ("{}", "", "not a notebook"),
        ('{"cells": 3}', "", "not a notebook"),
        ('{"cells": [{"cell_type": "code", "source": [3]}]}', "", "not a notebook"),
        ('{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "", "its language is R"),
        ("[" * 100_000, ":1", "not a notebook"),
        (notebook("x = 1", "\nx = = 2"), ", cell 2:2", "invalid syntax"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(write: Write, content: Any, where: str, reason: str) -> None:
    path = write({"a.ipynb": content}) / "a.ipynb"
    with pytest.raises(AppError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{where}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)

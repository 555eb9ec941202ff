"""Other projects' tests and pages: the table of what does not pass, and how a page becomes a notebook."""

from __future__ import annotations

from pathlib import Path

from tests.peers.expected import BOKEH, PAGE, Shortfall, find, written
from tests.peers.gallery import Seen, as_notebook, differences, parts


def test_the_page_has_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run `python -m tests.peers.expected`"


def test_a_test_is_found_by_its_name_its_beginning_and_its_version() -> None:
    exact, prefix = Shortfall("exact", ("test_a.py::test_one",)), Shortfall("prefix", ("test_a.py::test_t*",), "3.10")
    table = (exact, prefix)
    assert find(table, "test_a.py::test_one", "3.9.2") is exact
    assert find(table, "test_a.py::test_one[x]", "3.9.2") is None
    assert find(table, "test_a.py::test_two[x]", "3.10.0") is prefix
    assert find(table, "test_a.py::test_two[x]", "3.9.2") is None


def test_no_test_is_named_twice() -> None:
    names = [test for each in BOKEH for test in each.tests]
    assert len(names) == len(set(names))


def test_a_page_becomes_a_notebook_of_its_texts_and_its_python() -> None:
    code, shell, indented = "```{pyodide}\nx = 1\nx\n```", "```bash\nls\n```", "   ```python\n   y = 2\n   ```"
    notebook = as_notebook(f"# Title\n\n{code}\n\n{shell}\n\n - so:\n\n{indented}\nEnd\n")
    assert notebook is not None
    cells = [(cell["cell_type"], cell["source"].strip()) for cell in notebook["cells"]]
    assert cells == [("markdown", "# Title"), ("code", "x = 1\nx"),
                     ("markdown", "```bash\nls\n```\n\n - so:"), ("code", "y = 2"), ("markdown", "End")]


def test_a_page_without_code_that_can_run_is_left_out() -> None:
    assert as_notebook("```bash\nls\n```\n\n```python\npn.serve(app)\n```\n\n```python\nx = ...)\n```\n") is None


def test_notebooks_of_one_name_run_in_different_processes() -> None:
    files = [Path("panes/DataFrame.ipynb"), Path("panes/Str.ipynb"), Path("widgets/DataFrame.ipynb")]
    assert list(parts(files)) == [files[:2], files[2:]]


def test_a_view_that_is_missing_and_an_error_are_differences() -> None:
    stock = Seen(200, drawn=True, views={"bk-Button": 2})
    ours = Seen(200, drawn=True, views={"bk-Button": 1}, problems=["console: no"])
    assert list(differences(stock, stock)) == []
    assert list(differences(stock, ours)) == ["only here: console: no", "views: bk-Button 2→1"]

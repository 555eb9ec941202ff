from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from bokeh.events import DocumentReady

from hotshoe import seams
from hotshoe.apps.loading import load
from hotshoe.apps.script import compile_python, load_script, read, run_once
from hotshoe.base.errors import AppError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.app_files import Build, Write


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="can't be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(AppError, match="can't be read: No such file"):
        read(tmp_path / "gone.py")


def test_compiled_code_inherits_no_flags() -> None:
    code, docstring = compile_python("'''Text.'''\ndef f(x: int): pass", "a.py")
    names: dict[str, object] = {}
    exec(code, names)
    assert docstring == "Text."
    assert names["f"].__annotations__ == {"x": int}  # not a string, as this file's own would be


def test_run_once_leaves_nothing_if_it_fails(write: Write) -> None:
    before = set(sys.modules)
    program, _ = load_script(write({"a.py": "x = 1\nraise ValueError('no')"}) / "a.py")
    with pytest.raises(AppError, match=r"a\.py:2: ValueError: no"):
        run_once(program)
    assert {name for name in set(sys.modules) - before if name.startswith("bokeh_app_")} == set()


def test_run_once_does_not_hide_an_interrupt(write: Write) -> None:
    program, _ = load_script(write({"a.py": "raise KeyboardInterrupt"}) / "a.py")
    with pytest.raises(KeyboardInterrupt):
        run_once(program)


def test_run_once_keeps_the_module(write: Write) -> None:
    program, _ = load_script(write({"a.py": "x = 1"}) / "a.py")
    module = run_once(program)
    assert vars(module)["x"] == 1
    assert sys.modules[module.__name__] is module


KEEP = "from bokeh.io import curdoc\nkeep = curdoc().template_variables\n"


def test_each_session_runs_in_a_fresh_module(write: Write, build: Build) -> None:
    source = KEEP + "count = globals().get('count', 0) + 1\nkeep.update(c=count, n=__name__)"
    app = load(write({"app.py": source}) / "app.py")
    one, two = build(app), build(app)
    assert [one.template_variables["c"], two.template_variables["c"]] == [1, 1]
    names = {one.template_variables["n"], two.template_variables["n"]}
    assert len(names) == 2
    assert all(name.startswith("bokeh_app_") and name in sys.modules for name in names)


def test_module_knows_its_file_and_finds_its_neighbours(write: Write, build: Build) -> None:
    source = KEEP + "import neighbour_of_app as n\nkeep.update(w=n.WORD, f=__file__)"
    folder = write({"neighbour_of_app.py": "WORD = 'hello'", "app.py": source})
    document = build(load(folder / "app.py"))
    assert document.template_variables == {"w": "hello", "f": str(folder / "app.py")}


def test_objects_of_the_module_can_be_pickled(write: Write, build: Build) -> None:
    source = (
        f"from __future__ import annotations\nfrom dataclasses import dataclass\n{KEEP}"
        "@dataclass\nclass Point:\n  x: int\nkeep['p'] = Point(3)"
    )
    point: Any = build(load(write({"app.py": source}) / "app.py")).template_variables["p"]
    assert pickle.loads(pickle.dumps(point)) == point


def test_name_is_not_main(write: Write, build: Build) -> None:
    document = build(load(write({"app.py": KEEP + "if __name__ == '__main__':\n  keep['main'] = 1"}) / "app.py"))
    assert document.template_variables == {}


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt()", "ValueError('no')"])
def test_what_the_app_raises_comes_out_and_nothing_stays(write: Write, build: Build, raised: str) -> None:
    before = list(sys.argv)
    app = load(write({"app.py": f"raise {raised}"}) / "app.py", argv=["--x"])
    with pytest.raises(type(eval(raised))):
        build(app)
    assert list(sys.argv) == before


def test_source_may_have_a_coding_cookie_or_a_byte_order_mark(write: Write, build: Build) -> None:
    folder = write({
        "cookie.py": b"# -*- coding: latin-1 -*-\n" + KEEP.encode() + b"keep['w'] = '\xe9'",
        "mark.py": b"\xef\xbb\xbf" + KEEP.encode() + "keep['w'] = 'é'".encode(),
    })
    words = [build(load(folder / name)).template_variables["w"] for name in ("cookie.py", "mark.py")]
    assert words == ["é", "é"]


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (b"x = 1\ny = = 2\n", 2, "invalid syntax"),
        (b"x = 1\n\ns = '\xff'\n", 3, "utf-8"),
        (b"x = 1\nreturn 3\n", 2, "'return' outside function"),
        (b"# coding: nonsense\n", 1, "nonsense"),
        (b"x = '\0'\n", 1, "null bytes"),
        (b"(" * 5000, 1, "too many nested"),
    ],
)
def test_source_that_does_not_compile(write: Write, source: bytes, line: int, reason: str) -> None:
    path = write({"app.py": source}) / "app.py"
    with pytest.raises(AppError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert reason in message
    assert "\n" not in message


@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_relative_import_needs_a_package(write: Write, build: Build) -> None:
    app = load(write({"app.py": "from . import other", "other.py": ""}) / "app.py")
    with pytest.raises(ImportError):
        build(app)


class Context:
    """As much of a session's context as Panel reads."""

    id = "x"
    destroyed = False
    token_payload: dict[str, Any] = {}

    def __init__(self) -> None:
        self.request = SimpleNamespace(path="/app", arguments={}, cookies={}, headers={}, protocol="http")
        self.server_context = SimpleNamespace(sessions=[], application_context=SimpleNamespace(url="/app"))
        self.session = None


@pytest.mark.filterwarnings("ignore")
def test_panels_template_and_onload(write: Write) -> None:
    source = (
        "import panel as pn\nfrom bokeh.io import curdoc\npn.extension(template='fast')\n"
        "loaded = curdoc().template_variables.setdefault('loaded', [])\n"
        "pn.state.onload(lambda: loaded.append('now'))\n"
        "slider = pn.widgets.IntSlider(start=0, end=5)\n"
        "pn.Column(slider, pn.bind(str, slider)).servable()\n"
    )
    app = load(write({"app.py": source}) / "app.py")
    document, context = seams.new_document(), Context()
    seams.bind_session_context(document, context)
    with seams.document_context(document):
        app.build(document)
        assert {"main", "location"} <= {str(root.name).partition("-")[0] for root in document.roots}
        assert "fast" in str(document.template.name)
        loaded = document.template_variables["loaded"]
        assert loaded == []
        document.callbacks.trigger_event(DocumentReady())
    assert loaded == ["now"]
    seams.dismantle(document, object())

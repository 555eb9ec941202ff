from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from bokeh.models.widgets.sliders import Slider

from hotshoe.apps.loading import load
from hotshoe.base.errors import AppError

if TYPE_CHECKING:
    from tests.support.app_files import Build, Write

MAIN = "from bokeh.io import curdoc\nkeep = curdoc().template_variables\n"
EMPTY: dict[str, str | bytes] = {"main.py": ""}


def test_all_its_parts(write: Write, build: Build) -> None:
    folder = write({
        "main.py": '"""A small board"""\n' + MAIN + "import sys\nkeep.update(argv=list(sys.argv), file=__file__)",
        "theme.yaml": "attrs:\n  Slider:\n    step: 7\n",
        "templates/index.html": "{% include 'part.html' %} {{ word }}",
        "templates/part.html": "<b>",
        "static/a.css": "",
    })
    app = load(folder, argv=["-x"])
    document = build(app)
    assert app.title == "A small board"
    assert app.static_dir == folder / "static"
    assert document.template_variables == {"argv": ["main.py", "-x"], "file": str(folder / "main.py")}
    assert document.template.render(word="&") == "<b> &"
    document.add_root(Slider(start=0, end=20, value=1))
    root = document.roots[0]
    assert isinstance(root, Slider)
    assert root.step == 7


def test_bare_minimum(write: Write, build: Build) -> None:
    folder = write({"some_board/main.py": ""}) / "some_board"
    app = load(folder)
    assert (app.title, app.static_dir) == ("Some board", None)
    assert app.hooks.session_created is None
    assert build(app).roots == []


def test_package_relative_imports(write: Write, build: Build) -> None:
    folder = write({
        "__init__.py": "RUNS = ['package']",
        "sub.py": "from . import RUNS\nRUNS.append('sub')",
        "deep/__init__.py": "",
        "deep/leaf.py": "from ..sub import RUNS\nRUNS.append('leaf')",
        "app_hooks.py": "from .sub import RUNS\ndef on_server_loaded(server_context):\n  return RUNS",
        "main.py": MAIN + "from . import RUNS, sub\nfrom .deep import leaf\nkeep['runs'] = list(RUNS)",
    })
    app = load(folder)
    assert app.hooks.server_loaded is not None
    assert app.hooks.server_loaded(None) == ["package", "sub"]
    assert [build(app).template_variables["runs"] for _ in "12"] == [["package", "sub", "leaf"]] * 2


def test_two_packages_stay_apart(write: Write, build: Build) -> None:
    main = MAIN + "from .word import WORD\nkeep['w'] = WORD"
    folder = write({
        "a/__init__.py": "", "a/main.py": main, "a/word.py": "WORD = 'a'",
        "b/__init__.py": "", "b/main.py": main, "b/word.py": "WORD = 'b'",
    })
    words = [build(load(folder / name)).template_variables["w"] for name in "ab"]
    assert words == ["a", "b"]


def test_hooks_are_loaded_once_and_share_their_globals(write: Write) -> None:
    folder = write(EMPTY | {
        "app_hooks.py": (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Seen:\n  ids: list[str]\nseen = Seen([])\n"
            "async def on_session_created(session_context): seen.ids.append(session_context)\n"
            "def on_session_destroyed(session_context): return seen.ids\n"
            "def process_request(request, more=1): return {'seen': seen.ids}\n"
        )
    })
    hooks = load(folder).hooks
    assert hooks.session_created is not None
    assert hooks.process_request is not None
    assert hooks.server_loaded is hooks.server_unloaded is None
    with pytest.raises(StopIteration):
        hooks.session_created("id").send(None)
    assert hooks.process_request(None) == {"seen": ["id"]}  # type: ignore[arg-type]


def test_server_lifecycle_has_no_process_request(write: Write) -> None:
    source = "def on_server_unloaded(server_context): pass\ndef process_request(request): pass"
    hooks = load(write(EMPTY | {"server_lifecycle.py": source})).hooks
    assert hooks.server_unloaded is not None
    assert hooks.process_request is None


def test_notebook_as_main(write: Write, build: Build) -> None:
    source = ["from bokeh.io import curdoc\n", "curdoc().title = 'nb'"]
    cells = json.dumps({"cells": [{"cell_type": "code", "source": source}]})
    folder = write({"main.ipynb": cells})
    assert build(load(folder)).title == "nb"


def test_main_py_wins(write: Write, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    folder = write({"main.py": MAIN + "curdoc().title = 'py'", "main.ipynb": "{}"})
    assert build(load(folder)).title == "py"
    assert "main.py is used" in caplog.text


@pytest.mark.parametrize(
    ("files", "where", "reason"),
    [
        ({"other.py": ""}, "", "needs a main.py or a main.ipynb"),
        ({"main.py/x": ""}, "", "needs a main.py"),
        ({"main.py": "\nx ="}, "/main.py:2", "invalid syntax"),
        (EMPTY | {"app_hooks.py": "", "server_lifecycle.py": ""}, "", "has both"),
        (EMPTY | {"app_hooks.py": "\n\nx ="}, "/app_hooks.py:3", "invalid syntax"),
        (EMPTY | {"app_hooks.py": "\n1 / 0"}, "/app_hooks.py:2", "ZeroDivisionError: division by zero"),
        (EMPTY | {"app_hooks.py": "import sys\nsys.exit('a\\nb')"}, "/app_hooks.py:2", "SystemExit: a b"),
        (EMPTY | {"app_hooks.py": "import bad_module", "bad_module.py": "x\n= 1"}, "/bad_module.py:2", "invalid"),
        (EMPTY | {"app_hooks.py": "def on_server_loaded(): pass"}, "/app_hooks.py: on_server_loaded",
         "must have signature func(server_context), got func()"),
        (EMPTY | {"app_hooks.py": "process_request = 3"}, "/app_hooks.py: process_request", "not int"),
        (EMPTY | {"__init__.py": "\nimport nothing_like_this"}, "/__init__.py:2", "ModuleNotFoundError"),
        (EMPTY | {"__init__.py": "\n\n)"}, "/__init__.py:3", "unmatched"),
        (EMPTY | {"theme.yaml": "attrs:\n  - a\n b: {"}, "/theme.yaml:", "not a theme"),
        (EMPTY | {"theme.yaml": "attrs: 3"}, "/theme.yaml:1", "should be a dictionary"),
        (EMPTY | {"theme.yaml": "- 3"}, "/theme.yaml:1", "not a theme"),
        (EMPTY | {"theme.yaml": b"\xff\xfe\x00"}, "/theme.yaml:1", "not a theme"),
        (EMPTY | {"templates/index.html": "\n{% if %}"}, "/templates/index.html:2", "Expected an expression"),
        (EMPTY | {"templates/index.html": b"\xff"}, "/templates/index.html", "utf-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    write: Write, files: dict[str, str | bytes], where: str, reason: str
) -> None:
    folder = write({f"board/{name}": content for name, content in files.items()}) / "board"
    with pytest.raises(AppError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder}{where}")
    assert reason in message
    assert "\n" not in message

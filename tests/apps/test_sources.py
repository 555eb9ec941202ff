"""Apps anew when their files change: what is loaded again, what is kept, what is broken and mended."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.models.widgets import Div
from tests.support.app_files import Build, Write

from hotshoe.apps import Reload, Sources
from hotshoe.base.errors import AppError
from hotshoe.base.tracebacks import user_traceback
from hotshoe.seams import forget_models


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path) -> Iterator[None]:
    yield
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


SCRIPT = "from bokeh.plotting import curdoc\nfrom bokeh.models import Div\nimport {helper}\n" \
         "curdoc().add_root(Div(text={helper}.text()))\n"


def text(sources: Sources, url: str, build: Build) -> str:
    root = build(sources.apps[url]).roots[0]
    assert isinstance(root, Div)
    return root.text


def reloads(sources: Sources) -> dict[str, Reload]:
    changed = sources.changes()
    assert not sources.changes()
    return {reload.url: reload for reload in sources.reload(changed)}


def test_a_helper_is_loaded_again_for_the_app_that_imports_it(write: Write, build: Build) -> None:
    folder = write({
        "one.py": SCRIPT.format(helper="mod_one"), "mod_one.py": "from mod_deep import word\ndef text(): return word\n",
        "mod_deep.py": "import mod_data\nword = 'a'\n", "mod_data.py": "loaded = []\n",
        "two.py": SCRIPT.format(helper="mod_two"), "mod_two.py": "def text(): return 'two'\n"})
    sources = Sources([folder / "one.py", folder / "two.py"])
    assert not sources.changes()
    assert (text(sources, "/one", build), text(sources, "/two", build)) == ("a", "two")
    assert not sources.changes()
    data, two = sys.modules["mod_data"], sys.modules["mod_two"]
    (folder / "mod_deep.py").write_text("import mod_data\nword = 'b'\n")  # same size, maybe the same second
    found = reloads(sources)
    assert found.keys() == {"/one"}
    assert [file.name for file in found["/one"].changed] == ["mod_deep.py"]
    assert text(sources, "/one", build) == "b"
    assert sys.modules["mod_data"] is data, "what has not changed, and imports nothing that has, is kept"
    assert sys.modules["mod_two"] is two


def test_a_module_of_a_package_is_loaded_again(write: Write, build: Build) -> None:
    folder = write({"app.py": "from pack_a import inner\n" + SCRIPT.format(helper="pack_a.deep.m"),
                    "pack_a/__init__.py": "", "pack_a/inner.py": "",
                    "pack_a/deep/__init__.py": "", "pack_a/deep/m.py": "def text(): return 'a'\n"})
    sources = Sources(folder / "app.py")
    assert text(sources, "/app", build) == "a"
    (folder / "pack_a/deep/m.py").write_text("def text(): return 'b'\n")
    assert reloads(sources).keys() == {"/app"}
    assert text(sources, "/app", build) == "b"
    (folder / "pack_a/__init__.py").write_text("new = True\n")
    assert reloads(sources).keys() == {"/app"}
    assert text(sources, "/app", build) == "b"


def test_what_is_imported_in_no_statement_counts_for_all(write: Write, build: Build) -> None:
    folder = write({"app.py": SCRIPT.format(helper="registry_x"),
                    "registry_x.py": "import importlib\nplugin = importlib.import_module('plugin' + '_x')\n"
                                     "def text(): return plugin.text\n",
                    "plugin_x.py": "text = 'a'\n"})
    sources = Sources(folder / "app.py")
    assert text(sources, "/app", build) == "a"
    assert not sources.changes(), "a module that was loaded is no change"
    assert folder.resolve() in sources.folders()
    (folder / "plugin_x.py").write_text("text = 'b'\n")
    assert reloads(sources).keys() == {"/app"}
    assert text(sources, "/app", build) == "b"


def test_models_of_a_helper_can_be_defined_again(write: Write, build: Build) -> None:
    folder = write({"app.py": SCRIPT.format(helper="mod_models"),
                    "mod_models.py": "from bokeh.model import DataModel\nclass Mine(DataModel): pass\n"
                                     "def text(): return 'a'\n"})
    sources = Sources(folder / "app.py")
    text(sources, "/app", build)
    (folder / "mod_models.py").write_text((folder / "mod_models.py").read_text().replace("'a'", "'b'"))
    reloads(sources)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert text(sources, "/app", build) == "b"
    forget_models({"mod_models"})  # its file is gone now, and other tests look at all models


DIRECTORY: dict[str, str | bytes] = {
    "app/__init__.py": "", "app/sub.py": "word = 'a'\n",
    "app/main.py": "from bokeh.plotting import curdoc\nfrom bokeh.models import Div\nfrom .sub import word\n"
                   "curdoc().add_root(Div(text=word))\n",
    "app/app_hooks.py": "def on_server_loaded(context): pass\n",
    "app/theme.yaml": "attrs:\n  Title:\n    text_color: red\n",
    "app/templates/index.html": "one {{ plot_div }}", "app/static/page.css": "a {}", "app/notes.txt": "",
}


def test_the_parts_of_a_directory(write: Write, build: Build) -> None:
    folder = write(DIRECTORY) / "app"
    sources = Sources([folder])
    first = sources.apps["/app"]
    (folder / "notes.txt").write_text("data that the app may have written")
    assert not sources.changes()

    (folder / "static/page.css").write_text("b {}")
    assert reloads(sources)["/app"].app is None
    assert sources.apps["/app"] is first

    (folder / "templates/index.html").write_text("two {{ plot_div }}")
    (folder / "theme.yaml").write_text("attrs:\n  Title:\n    text_color: blue\n")
    assert reloads(sources)["/app"].app is sources.apps["/app"]
    document = build(sources.apps["/app"])
    assert "two" in document.template.render(plot_div="")
    assert "blue" in str(document.theme._json)

    (folder / "main.py").write_text(str(DIRECTORY["app/main.py"]).replace("(text=word)", "(text=word * 2)"))
    reloads(sources)
    assert text(sources, "/app", build) == "aa"
    assert sources.apps["/app"].package is first.package
    assert sources.apps["/app"].hooks is first.hooks

    (folder / "sub.py").write_text("word = 'b'\n")
    reloads(sources)
    assert text(sources, "/app", build) == "bb"
    assert sources.apps["/app"].hooks is first.hooks

    (folder / "app_hooks.py").write_text("def on_server_loaded(context): print('new')\n")
    reloads(sources)
    assert sources.apps["/app"].hooks is not first.hooks
    assert sources.apps["/app"].package is first.package

    (folder / "__init__.py").write_text("new = 1\n")
    reloads(sources)
    assert sources.apps["/app"].package is not first.package
    assert text(sources, "/app", build) == "bb"


def test_files_that_come_and_go(write: Write, build: Build) -> None:
    folder = write({"app/main.py": "import sys\n"}) / "app"
    sources = Sources(folder)
    (folder / "static/deep").mkdir(parents=True)
    assert not sources.changes()
    assert (folder / "static/deep").resolve() in sources.folders()
    write({"app/static/deep/x.svg": "<svg/>"})
    assert reloads(sources)["/app"].app is None
    write({"app/app_hooks.py": "def on_session_created(context): pass\n"})
    reloads(sources)
    assert sources.apps["/app"].hooks.session_created is not None
    (folder / "app_hooks.py").unlink()
    reloads(sources)
    assert sources.apps["/app"].hooks.session_created is None
    assert sources.apps["/app"].static_dir == folder / "static"
    (folder / "static/deep/x.svg").unlink()
    assert reloads(sources).keys() == {"/app"}


def test_a_notebook_and_its_helper(write: Write, build: Build) -> None:
    cell = {"cell_type": "code", "source": "%time\n" + SCRIPT.format(helper="mod_note")}
    folder = write({"note.ipynb": json.dumps({"cells": [cell]}), "mod_note.py": "def text(): return 'a'\n"})
    sources = Sources(folder / "note.ipynb")
    assert text(sources, "/note", build) == "a"
    (folder / "mod_note.py").write_text("def text(): return 'b'\n")
    assert reloads(sources).keys() == {"/note"}
    assert text(sources, "/note", build) == "b"


BROKEN = "if:\n"


@pytest.mark.parametrize(("name", "content"), [
    ("app/main.py", BROKEN), ("app/app_hooks.py", BROKEN), ("app/app_hooks.py", "1 / 0\n"),
    ("app/__init__.py", "1 / 0\n"), ("app/theme.yaml", "attrs: [\n"), ("app/templates/index.html", "{% if %}"),
    ("app/sub.py", BROKEN),
])
def test_what_breaks_is_mended_by_the_next_save(name: str, content: str, write: Write, build: Build) -> None:
    folder = write(DIRECTORY) / "app"
    sources = Sources(folder)
    write({name: content})
    broken = reloads(sources)["/app"]
    assert broken.error is not None
    assert sources.errors == {"/app": broken.error}
    for _ in range(2):
        with pytest.raises(AppError, match=r"[a-z_]+\.(py|yaml|html)"):
            build(sources.apps["/app"])
    assert not sources.changes()
    write({name: DIRECTORY[name]})
    assert reloads(sources)["/app"].error is None
    assert not sources.errors
    assert text(sources, "/app", build) == "a"


@pytest.mark.parametrize("name", ["app/main.py", "app/app_hooks.py"])
def test_an_app_that_is_broken_at_start(name: str, write: Write, build: Build) -> None:
    folder = write({**DIRECTORY, name: BROKEN, "other.py": ""})
    sources = Sources([folder / "app", folder / "other.py"])
    assert sources.errors.keys() == {"/app"}
    assert sources.apps["/app"].title == "App"
    build(sources.apps["/other"])
    write({name: DIRECTORY[name]})
    assert reloads(sources).keys() == {"/app"}
    assert text(sources, "/app", build) == "a"


def test_the_traceback_of_a_broken_app_names_no_frame_of_ours(write: Write, build: Build) -> None:
    sources = Sources(write({"app.py": BROKEN}) / "app.py")
    with pytest.raises(AppError) as caught:
        build(sources.apps["/app"])
    text = user_traceback(caught.value)
    assert "hotshoe/" not in text
    assert "if:" in text
    assert text.endswith("app.py:1: invalid syntax\n")


def test_a_module_that_is_missing_comes(write: Write, build: Build) -> None:
    folder = write({"app.py": SCRIPT.format(helper="mod_later")})
    sources = Sources(folder / "app.py")
    with pytest.raises(ModuleNotFoundError):
        build(sources.apps["/app"])
    write({"mod_later.py": "def text(): return 'there'\n"})
    assert reloads(sources).keys() == {"/app"}
    assert text(sources, "/app", build) == "there"


def test_a_script_that_is_gone_for_a_moment(write: Write, build: Build) -> None:
    folder = write({"app.py": ""})
    sources = Sources(folder / "app.py")
    (folder / "app.py").unlink()
    assert "no such file" in str(reloads(sources)["/app"].error)
    write({"app.py": ""})
    assert reloads(sources)["/app"].error is None


def test_names_that_are_wrong_are_no_broken_apps(write: Write) -> None:
    folder = write({"app.py": "", "b/app.py": ""})
    with pytest.raises(AppError, match="no such file"):
        Sources(folder / "missing.py")
    with pytest.raises(AppError, match="same URL"):
        Sources([folder / "app.py", folder / "b/app.py"])
    with pytest.raises(AppError, match=r"app\.py is given twice for the URL /app: leave one out"):
        Sources([folder / "app.py", folder / "app.py"])
    with pytest.raises(AppError, match=r"data: there is no such file or folder to watch \(--dev FILE, --watch\)"):
        Sources(folder / "app.py", watched=[folder / "b", folder / "data"])


def test_files_that_are_named_besides(write: Write) -> None:
    folder = write({"app.py": "", "more/deep/data.csv": "1", "one.json": "{}"})
    sources = Sources(folder / "app.py", watched=[folder / "more", folder / "one.json"])
    assert {folder.resolve() / "more/deep", folder.resolve()} <= sources.folders()
    write({"more/deep/data.csv": "22"})
    assert [file.name for file in reloads(sources)["/app"].changed] == ["data.csv"]
    write({"one.json": "[1]"})
    assert reloads(sources).keys() == {"/app"}


def test_functions_are_served_but_not_watched(build: Build) -> None:
    sources = Sources(lambda doc: doc.add_root(Div(text="f")))
    assert text(sources, "/", build) == "f"
    assert sources.reload({Path("/x.py")}) == []
    assert Sources().apps.keys() == {"/"}

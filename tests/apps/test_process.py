from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bokeh.io
import bokeh.plotting
import pytest
from bokeh.io.state import curstate

from hotshoe.apps.loading import load
from hotshoe.apps.process import running

if TYPE_CHECKING:
    from tests.support.app_files import Build, Write


def test_argv_is_a_list_in_every_respect() -> None:
    outside = list(sys.argv)
    with running("app", argv=["app.py", "-n", "3"], warned=set()):
        parser = argparse.ArgumentParser()
        parser.add_argument("-n", type=int)
        assert parser.parse_args().n == 3
        assert sys.argv == ["app.py", "-n", "3"]
        assert sys.argv == ["app.py", "-n", "3"]
        assert sys.argv[1:] == ["-n", "3"]
        assert len(sys.argv) == 3
        assert list(sys.argv) == [*sys.argv] == list(sys.argv) == copy.copy(sys.argv)
        assert "-n" in sys.argv
        assert " ".join(sys.argv) == "app.py -n 3"
        first, *rest = sys.argv
        assert (first, rest) == ("app.py", ["-n", "3"])
        assert json.dumps(sys.argv) == '["app.py", "-n", "3"]'
        assert type(pickle.loads(pickle.dumps(sys.argv))) is list
        assert repr(sys.argv) == "['app.py', '-n', '3']"
        assert [*sys.argv, "x"] == ["app.py", "-n", "3", "x"]
        assert list(reversed(sys.argv)) == ["3", "-n", "app.py"]
        assert isinstance(sys.argv, list)
        assert sys.argv.index("3") == 2
    assert sys.argv == outside


def test_argv_changes_stay_in_the_run() -> None:
    outside = list(sys.argv)
    with running("app", argv=["a"], warned=set()):
        sys.argv.append("b")
        sys.argv += ["c"]
        sys.argv[0] = "z"
        del sys.argv[1]
        assert sys.argv == ["z", "c"]
        sys.argv = ["replaced"]
        assert sys.argv == ["replaced"]
    assert sys.argv == outside
    with running("app", argv=["a"], warned=set()):
        assert sys.argv == ["a"]


def test_argv_that_the_process_sets_between_runs_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["host", "--flag"])
    with running("function", argv=None, warned=set()):
        assert sys.argv == ["host", "--flag"]
    assert sys.argv == ["host", "--flag"]


def test_scripts_side_by_side_see_their_own(write: Write, build: Build) -> None:
    source = (
        "import sys\nimport threading\nfrom bokeh.io import curdoc\nfrom bokeh.io.state import curstate\n"
        "import meeting\n"
        "before = list(sys.argv), curdoc(), curstate()\n"
        "meeting.point.wait(10)\n"  # passes only when both scripts run at once
        "assert before == (list(sys.argv), curdoc(), curstate())\n"
        "sys.argv.append('mine')\n"
        "meeting.point.wait(10)\n"
        "curdoc().title = ' '.join(sys.argv)\n"
    )
    folder = write({
        "one.py": source, "two.py": source, "meeting.py": "import threading\npoint = threading.Barrier(2)",
    })
    apps = [load(folder / "one.py", argv=["1"]), load(folder / "two.py", argv=["2"])]
    with ThreadPoolExecutor(2) as pool:
        documents = list(pool.map(build, apps))
    assert [document.title for document in documents] == ["one.py 1 mine", "two.py 2 mine"]


def test_output_functions_do_nothing_in_an_app(
    write: Write, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("output_notebook", "output_file", "show", "save", "reset_output")
    source = "import bokeh.io, bokeh.plotting\n" + "\n".join(
        f"assert bokeh.{module}.{name}('x') is None" for module in ("io", "plotting") for name in names
    )
    folder = write({"app.py": source})
    app = load(folder / "app.py")
    build(app)
    build(app)
    assert not (folder / "x").exists()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert sorted(lines) == sorted({line for line in lines if line.startswith(f"{folder}/app.py: ")})
    assert len(lines) == len(names)
    assert any("show() does nothing" in line and "add_root" in line for line in lines)


def test_output_functions_work_outside_as_ever(tmp_path: Path) -> None:
    with running("app", argv=None, warned=set()):
        inside = curstate()
        assert bokeh.io.output_file is bokeh.plotting.output_file
        assert inside.file is None
    path = tmp_path / "plot.html"
    bokeh.io.output_file(path, title="mine")
    try:
        file: Any = curstate().file
        assert file.filename == path
        with running("app", argv=None, warned=set()):
            assert curstate().file is None
    finally:
        bokeh.io.reset_output()
    assert curstate().file is None


def test_chdir_is_warned_of_and_undone(write: Write, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    source = (
        "import os\nfrom pathlib import Path\nfrom bokeh.io import curdoc\n"
        "os.chdir('data')\ncurdoc().title = Path('t.txt').read_text()"
    )
    folder = write({"app.py": source, "data/t.txt": "found"})
    app = load(folder / "app.py")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert [build(app).title, build(app).title] == ["found", "found"]
        assert Path.cwd() == folder
    finally:
        os.chdir(before)
    assert caplog.text.count("os.chdir()") == 1


def test_the_folder_returns_when_the_last_run_that_moved_ends(tmp_path: Path) -> None:
    before = Path.cwd()
    left, right = threading.Event(), threading.Event()

    def long() -> Path:
        with running("long", argv=None, warned=set()):
            os.chdir(tmp_path)
            left.set()
            right.wait(10)
            return Path.cwd()

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(long)
        left.wait(10)
        with running("short", argv=None, warned=set()):
            os.chdir(tmp_path.parent)
            os.chdir(tmp_path)
        assert Path.cwd() == tmp_path
        right.set()
        assert seen.result() == tmp_path
    assert Path.cwd() == before


def test_path_only_grows(write: Write, build: Build) -> None:
    app = load(write({"app.py": ""}) / "app.py")
    build(app)
    grown = list(sys.path)
    build(app)
    assert sys.path == grown
    assert grown.count(grown[0]) == 1

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler, ScriptHandler

from hotshoe.apps.loading import load, load_all
from hotshoe.base.errors import AppError

if TYPE_CHECKING:
    from bokeh.document import Document
    from tests.support.app_files import Build, Write


def board(doc: Document) -> None:
    """Shows it all."""
    doc.title = "from a function"


def test_function(build: Build) -> None:
    app = load(board)
    assert (app.title, app.description) == ("Board", "Shows it all.")
    assert build(app).title == "from a function"
    assert app.metadata() == {}


class Callable:
    def __call__(self, doc: Document, *rest: Any) -> None:
        doc.title = "called"

    def method(self, doc: Document) -> None:
        doc.title = "method"


@pytest.mark.parametrize(
    ("function", "title"),
    [
        (Callable(), "called"),
        (Callable().method, "method"),
        (functools.partial(lambda word, doc: setattr(doc, "title", word), "part"), "part"),
        (lambda *args, **options: setattr(args[0], "title", "star"), "star"),
    ],
)
def test_other_callables(build: Build, function: Any, title: str) -> None:
    assert build(load(function)).title == title


async def an_async(doc: Document) -> None: ...


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda: None, "must have signature func(doc), got func()"),
        (lambda a, b: None, "must have signature func(doc), got func(a, b)"),
        (an_async, "is async"),
        (3, "expected a path, a function of (doc) or an Application"),
        (Callable, "expected a path"),
    ],
)
def test_what_can_not_be_called(function: Any, reason: str) -> None:
    with pytest.raises(AppError) as caught:
        load(function)
    assert reason in str(caught.value)


def test_a_functions_error_comes_out(build: Build) -> None:
    def fails(doc: Document) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(load(fails))


async def test_stocks_application(build: Build) -> None:
    seen: list[str] = []

    class Handler(FunctionHandler):
        async def on_session_created(self, session_context: Any) -> None:
            seen.append(session_context)

        def process_request(self, request: Any) -> dict[str, Any]:
            return {"a": request}

    application = Application(Handler(board), metadata={"hi": 1})
    app = load(application)
    assert build(app).title == "from a function"
    assert app.metadata() == {"hi": 1}
    assert app.hooks.session_created is not None
    assert app.hooks.process_request is not None
    await app.hooks.session_created("context")
    assert seen == ["context"]
    assert app.hooks.process_request("r") == {"a": "r"}  # type: ignore[arg-type]
    assert list(load_all(application)) == ["/"]


def test_stocks_application_of_a_script(write: Write, build: Build) -> None:
    source = (
        "import sys\nimport time\nfrom bokeh.io import curdoc\n"
        "time.sleep(.05)\ncurdoc().title = ' '.join(sys.argv)"
    )
    folder = write({"one.py": source, "two.py": source, "static/x": ""})
    handlers = [ScriptHandler(filename=str(folder / name), argv=["x"]) for name in ("one.py", "two.py")]
    applications = [Application(handler) for handler in handlers]
    apps = load_all(applications)
    assert list(apps) == ["/one", "/two"]
    with ThreadPoolExecutor(4) as pool:
        titles = [document.title for document in pool.map(build, [*apps.values()] * 2)]
    assert titles == ["one.py x", "two.py x"] * 2


def test_stocks_script_that_fails_is_no_empty_page(write: Write, build: Build) -> None:
    path = write({"a.py": "1 / 0"}) / "a.py"
    with pytest.raises(RuntimeError, match="division by zero") as caught:
        build(load(Application(ScriptHandler(filename=str(path)))))
    assert "ZeroDivisionError" in "".join(caught.value.__notes__)


def test_a_look_alike(build: Build, tmp_path: Path) -> None:
    class LookAlike:
        static_path = str(tmp_path)

        def initialize_document(self, doc: Document) -> None:
            doc.title = "alike"

        def metadata(self) -> dict[str, int]:
            return {"hi": 2}

    app = load(LookAlike())
    assert build(app).title == "alike"
    assert app.static_dir == tmp_path
    assert app.hooks.server_loaded is None
    assert app.metadata() == {"hi": 2}


@pytest.mark.filterwarnings("ignore")
def test_panels_application(build: Build) -> None:
    application = pytest.importorskip("panel.io.application")
    app = load(application.build_applications({"/p": lambda: "# hello"})["/p"])
    assert len(build(app).roots) >= 1

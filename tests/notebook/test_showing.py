"""What may be shown, and what a shown function sees; the kernel is IPython's shell with the one method it lacks."""


from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import bokeh.io.notebook
import pytest
from bokeh.document import Document
from bokeh.io.notebook import run_notebook_hook
from bokeh.io.state import State
from bokeh.models.widgets import Div

import hotshoe
from hotshoe.base.errors import UserError
from hotshoe.notebook import kernel, show, showing
from hotshoe.notebook.kernel import Cells
from hotshoe.notebook.showing import filling, output

PLACE = (4321, "/the-secret/app")


def plan_of(html: str) -> dict[str, object]:
    found = re.search(r"\}\)\((\{.*\})\);</script>", html)
    assert found is not None
    plan: dict[str, object] = json.loads(found[1])
    return plan


def test_the_browser_learns_where_the_app_is() -> None:
    html = output(*PLACE, "id.signature", height=300)["text/html"]
    assert plan_of(html) == {"port": 4321, "path": "/the-secret/app", "session": "id.signature", "height": 300}


def test_the_height_may_be_left_to_the_app() -> None:
    assert plan_of(output(*PLACE, "id")["text/html"])["height"] is None


def test_who_runs_no_scripts_is_told_in_words() -> None:
    both = output(*PLACE, "id")
    assert "run the cell again" in re.sub(r"(?s)<script>.*</script>", "", both["text/html"])
    assert "secret" not in both["text/plain"]


def test_nothing_breaks_out_of_its_place() -> None:
    html = output(1, '</script><script>"', '"><script>')["text/html"]
    assert html.count("<script>") == html.count("</script>") == 1
    assert 'data-session="&quot;&gt;&lt;script&gt;"' in html


def test_the_script_is_whole_without_its_comments() -> None:
    code = output(*PLACE, "id")["text/html"]
    assert "//" not in re.sub(r"https?://", "", code)


class Events:
    def __init__(self) -> None:
        self.begin: Callable[[object], None] | None = None

    def register(self, event: str, function: Any) -> None:
        assert event == "pre_run_cell"
        self.begin = function


class FakeShell:
    """A kernel that works on one message."""

    def __init__(self) -> None:
        self.events = Events()
        self.message: Mapping[str, Any] = {"header": {"msg_id": "m1"}, "metadata": {"cellId": "a"}}
        self.parents: list[Mapping[str, Any]] = []

    def get_parent(self) -> Mapping[str, Any]:
        return self.message

    def set_thread_parent(self, message: Mapping[str, Any]) -> None:
        self.parents.append(message)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeShell]:
    fake = FakeShell()
    monkeypatch.setattr(kernel, "shell", lambda: fake)
    kernel.cells.cache_clear()
    yield fake
    kernel.cells().close()
    kernel.cells.cache_clear()


@pytest.fixture
def shown(shell: FakeShell, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """What was put into cells."""
    outputs: list[Mapping[str, str]] = []
    monkeypatch.setattr(kernel, "publish", outputs.append)
    return outputs


def roots_of(app: Any) -> list[Any]:
    document = Document()
    filling(app)(document)
    return document.roots


def open_page(cells: Cells) -> bytes:
    server = cells.servers[-1]
    with urllib.request.urlopen(f"{server.urls[0]}?bokeh-session-id={server.new_session_id()}", timeout=20) as answer:
        body: bytes = answer.read()
        return body


def test_a_function_fills_the_document(shell: FakeShell, shown: list[Mapping[str, str]]) -> None:
    def app(document: Document) -> None:
        """Weather

        As it is."""
        document.title = "from the function"

    show(app, height=200)
    assert b"from the function" in open_page(kernel.cells())
    assert shell.parents == [shell.message]  # what it prints is shown where the app is
    assert '"height":200' in shown[0]["text/html"]
    assert kernel.cells().servers[0].apps["/app"].title == "Weather"


def test_what_is_called_like_a_function_is_one(shell: FakeShell, shown: list[Mapping[str, str]]) -> None:
    def app(title: str, document: Document) -> None:
        document.title = title

    show(partial(app, "made by a partial"))
    assert b"made by a partial" in open_page(kernel.cells())
    assert shell.parents == [shell.message]
    assert "partial" not in kernel.cells().servers[0].apps["/app"].title


@pytest.mark.parametrize(("name", "url"), [("forecast", "/forecast"), ("<lambda>", "/app"), ("a/../b", "/app")])
def test_logs_and_reports_have_the_functions_name(
    shell: FakeShell, shown: list[Mapping[str, str]], name: str, url: str
) -> None:
    def app(document: Document) -> None: ...

    app.__name__ = name
    show(app)
    assert list(kernel.cells().servers[0].apps) == [url]


def test_another_run_of_the_cell_replaces_the_app(shell: FakeShell, shown: list[Mapping[str, str]]) -> None:
    show(lambda document: None)
    first = kernel.cells().servers[0]
    shell.message = {"header": {"msg_id": "m2"}, "metadata": {"cellId": "a"}}
    assert shell.events.begin is not None
    shell.events.begin(None)
    assert kernel.cells().servers == []
    show(lambda document: None)
    assert [server.place for server in kernel.cells().servers] == [first.place]
    assert len(shown) == 2


def test_what_is_no_app_starts_nothing(shell: FakeShell, shown: list[Mapping[str, str]]) -> None:
    async def later(document: Document) -> None: ...

    for wrong in (3, None, later, lambda a, b: None):
        with pytest.raises(UserError):
            show(wrong)
    assert kernel.cells().servers == []
    assert shown == []


@pytest.mark.parametrize("height", [0, -1, "400px", 1.5, True])
def test_a_wrong_height_is_named(shell: FakeShell, height: Any) -> None:
    with pytest.raises(UserError, match="height"):
        show(lambda document: None, height=height)


def test_a_function_without_arguments_makes_a_model() -> None:
    made = Div(text="made")
    assert roots_of(lambda: made) == [made]
    assert roots_of(lambda: None) == []


def test_what_can_fill_documents_does() -> None:
    class Viewable:
        def server_doc(self, document: Document) -> None:
            document.add_root(Div(text="mine"))

    for app in (Viewable(), lambda: Viewable()):
        assert [root.text for root in roots_of(app)] == ["mine"]


def test_outside_of_a_notebook_it_says_so() -> None:
    with pytest.raises(UserError, match="hotshoe serve"):
        show(lambda document: None)


@pytest.fixture
def shown_by_bokeh(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    apps: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(showing, "show", lambda app, **settings: apps.append((app, settings)))
    hotshoe.load_ipython_extension(None)
    yield apps
    hotshoe.unload_ipython_extension(None)


def app(document: object) -> None: ...


def test_apps_are_shown_by_hotshoe(shown_by_bokeh: list[tuple[Any, dict[str, Any]]]) -> None:
    run_notebook_hook("jupyter", "app", app, State(), "localhost:8888", height=300)
    run_notebook_hook("jupyter", "app", app, State(), lambda port: "", port=0)
    assert shown_by_bokeh == [(app, {"height": 300}), (app, {"port": 0})]


def test_it_can_be_loaded_twice(shown_by_bokeh: list[tuple[Any, dict[str, Any]]]) -> None:
    hotshoe.load_ipython_extension(None)
    run_notebook_hook("jupyter", "app", app, State(), "")
    assert len(shown_by_bokeh) == 1


def test_what_bokeh_had_comes_back(shown_by_bokeh: list[tuple[Any, dict[str, Any]]]) -> None:
    hotshoe.unload_ipython_extension(None)
    hook: dict[str, Any] = {**bokeh.io.notebook._HOOKS["jupyter"]}
    assert hook == {"load": bokeh.io.notebook.load_notebook, "doc": bokeh.io.notebook.show_doc,
                    "app": bokeh.io.notebook.show_app}

"""What may be shown, and what a shown function sees; the kernel is IPython's shell with the one method it lacks."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from hotshoe.errors import UserError
from hotshoe.notebook import kernel, show
from hotshoe.notebook.cells import Cells
from hotshoe.notebook.showing import filling


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

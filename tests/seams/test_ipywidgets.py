"""What ipywidgets_bokeh leaves out. Its kernel and widget are played here: it is not among the packages for tests."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.document import Document

from hotshoe.seams import document_context
from hotshoe.seams.ipywidgets import _listen, _register


class CommManager:
    def __init__(self) -> None:
        self.targets: dict[str, Any] = {}

    def register_target(self, name: str, function: Any) -> None:
        self.targets[name] = function


def test_a_comm_of_the_page_becomes_that_of_its_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = SimpleNamespace(comm=None)
    monkeypatch.setitem(sys.modules, "ipywidgets.widgets.widget", SimpleNamespace(_instances={"7": widget}))
    comms = CommManager()
    module: Any = SimpleNamespace(kernel=SimpleNamespace(comm_manager=comms))
    _register(module)
    [(name, attach)] = comms.targets.items()
    _register(module)
    assert comms.targets == {name: attach} == {"jupyter.widget": attach}
    comm, unknown = SimpleNamespace(comm_id="7"), SimpleNamespace(comm_id="8")
    attach(unknown, {})
    attach(comm, {})
    assert widget.comm is comm
    nothing: Any = SimpleNamespace(kernel=None)
    _register(nothing)


def test_the_kernel_listens_in_each_document_once() -> None:
    class IPyWidget:
        def __init__(self, *, widget: object) -> None:
            self.widget = widget

    got: list[str] = []
    module: Any = SimpleNamespace(kernel=SimpleNamespace(session=SimpleNamespace(receive=got.append)),
                                  IPyWidget=IPyWidget)
    _listen(module)
    _listen(module)
    for name in ("first", "second"):
        document = Document()
        with document_context(document):
            assert IPyWidget(widget=name).widget == name
            IPyWidget(widget="another")
        for callback in document.callbacks._message_callbacks["ipywidgets_bokeh"]:
            callback(name)
    assert got == ["first", "second"]

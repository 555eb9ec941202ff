"""What can't be sent to a browser is an error of its pull or of its callback, and the log names it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from bokeh.core.serialization import SerializationError
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource, CustomJS, FactorRange
from bokeh.models.ui import UIElement
from bokeh.models.widgets import DataTable, Div, Slider
from bokeh.plotting import figure
from tests.support.session_client import Attach, Open

from hotshoe import seams
from hotshoe.sessions.snapshots import encode_document
from hotshoe.sessions.unsendable import UnsendableError


class Odd:
    def __repr__(self) -> str:
        return "odd"


def table(**columns: Any) -> DataTable:
    return DataTable(source=ColumnDataSource(columns), name="out")


def nested(depth: int) -> UIElement:
    model: UIElement = Div()
    for _ in range(depth):
        model = Column(children=[model])
    return model


VALUES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "Decimal": (lambda: table(a=[1, 2], price=[1.5, Decimal(2)]), "ColumnDataSource.data['price'][1]",
                "decimal.Decimal"),
    "array": (lambda: table(price=np.array([1, Decimal(2)])), "ColumnDataSource.data['price'][1]", "decimal.Decimal"),
    "series": (lambda: table(p=pd.Series([Decimal(1)])), "ColumnDataSource.data['p'][0]", "decimal.Decimal"),
    "last of many": (lambda: table(x=[1.0] * 50_000 + [Odd()]), "ColumnDataSource.data['x'][50000]", "Odd"),
    "lock": (lambda: Div(tags=[CustomJS(args={"a": {"b": [threading.Lock()]}}, code="")]), "CustomJS.args['a']['b'][0]",
             "_thread.lock"),
    "key": (lambda: Div(tags=[{float("nan"): 1, Odd(): 2}]), "Div.tags[0], in the key odd", "Odd"),
    "set": (lambda: Div(tags=[{Decimal(1)}]), "Div.tags[0][0]", "decimal.Decimal"),
    "complex": (lambda: table(z=np.array([1 + 2j])), "ColumnDataSource.data['z'][0]", "complex"),
    "period": (lambda: table(z=[pd.Interval(1, 2)]), "ColumnDataSource.data['z'][0]", "Interval"),
}


@pytest.mark.parametrize("name", VALUES)
def test_place_and_type_are_named(name: str) -> None:
    make, place, kind = VALUES[name]
    document = Document()
    document.add_root(make())
    with pytest.raises(UnsendableError) as caught:
        encode_document(document)
    assert str(caught.value).startswith(f"{place} (id p")
    assert f"{kind}, which can't be sent to a browser" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_value_that_is_missing_is_named() -> None:
    document = Document()
    document.add_root(Div(tags=[CustomJS()]))
    with pytest.raises(UnsendableError, match=r"^CustomJS \(id p\d+\) can't be sent .*code doesn't have a value set$"):
        encode_document(document)


def test_models_in_each_other_without_end() -> None:
    document = Document()
    document.add_root(nested(150))
    with pytest.raises(UnsendableError, match=r"Column \(id p\d+\) can't be sent .* nested too deeply"):
        encode_document(document)


def test_what_can_be_sent_is_sent() -> None:
    document = Document()
    plot = figure(x_range=FactorRange(factors=["a", "b"]), tooltips=[("x", "@x")])
    plot.line(np.arange(5.0), [1, 2, 3, 4, float("nan")])
    plot.scatter("x", "y", source=ColumnDataSource({"x": np.array(["a", "b"], dtype=object), "y": np.array([1, 2])}))
    source = ColumnDataSource({"t": pd.date_range("2020", periods=2), "n": [None, "x"], "l": [[1], [2, 3]]})
    for root in (plot, table(s=[{"a": 1}, (1, 2)]), Div(tags=["a", {"b": [1]}, source]), nested(50)):
        document.add_root(root)
    encode_document(document)


def prices(document: Document) -> None:
    document.add_root(table(price=[Decimal(1)]))


async def test_a_page_is_made_and_its_pull_fails(
        open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture) -> None:
    session = await open_session(prices)
    assert await session.run(lambda: session.render(lambda: "page")) == "page"
    assert not caplog.text
    client = await attach(session)
    client.send("PULL-DOC-REQ")
    header, metadata, content, _ = await client.next()
    assert header["msgtype"] == "ERROR"
    error_id = metadata["failure"]["id"]
    assert content["text"] == f"Something failed in this app. Error {error_id}"
    (line,) = [line for line in caplog.text.splitlines() if error_id in line]
    assert "in sending the document of app /app, session" in line
    assert "UnsendableError: ColumnDataSource.data['price'][0] (id p" in caplog.text
    assert 'File "' not in caplog.text, "frames of ours and of bokeh tell an author nothing"


async def test_each_page_that_can_show_nothing_else_is_told_its_id_at_once(
        open_session: Open, attach: Attach) -> None:
    session = await open_session(prices)
    session.reporter.report(ValueError("just before"), "a callback")
    for client in (await attach(session), await attach(session)):
        client.send("PULL-DOC-REQ")
        _, metadata, content, _ = await client.next()
        assert content["text"].endswith(metadata["failure"]["id"])


@pytest.mark.parametrize("error", [SerializationError("no"), KeyError("no"), RecursionError()])
async def test_a_document_that_fails_without_a_place_is_no_mistake_of_the_client(
        open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
        error: Exception) -> None:
    def fail(document: Document) -> Any:
        raise error

    fail.__code__ = fail.__code__.replace(co_filename=seams.__file__)  # not the app's
    session = await open_session(lambda document: document.add_root(Div()))
    client = await attach(session)
    monkeypatch.setattr(seams, "encode_document", fail)
    client.send("PULL-DOC-REQ")
    _, metadata, _, _ = await client.next()
    assert f"error {metadata['failure']['id']} in sending the document of app /app" in caplog.text
    assert f"the document can't be sent to a browser: {type(error).__name__}" in caplog.text


async def test_a_later_change_is_a_failure_of_its_callback(
        open_session: Open, attach: Attach, caplog: pytest.LogCaptureFixture) -> None:
    source, slider = ColumnDataSource({"price": [1.0]}), Slider(start=0, end=9, value=1)

    def change(attr: str, old: Any, new: Any) -> None:
        source.stream({"price": [Decimal(new)]}) if new > 5 else source.data.update(price=[Decimal(new)])

    def build(document: Document) -> None:
        slider.on_change("value", change)
        document.add_root(slider)
        document.add_root(DataTable(source=source))

    session = await open_session(build)
    client = await attach(session)
    await client.pull()
    for value, place in ((3, "ColumnDataSource.data['price'][0]"), (7, "ColumnDataSource.data['price'][0]")):
        client.set(slider, "value", value)
        while (await client.next())[0]["msgtype"] != "ERROR":
            pass
        assert f"UnsendableError: {place}" in caplog.text
        assert ", in change" in caplog.text, "the author's own line"
        caplog.clear()

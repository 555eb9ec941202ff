from __future__ import annotations

import re
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import pytest
from bokeh.document import Document
from bokeh.model import DataModel, Model
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    LinearAxis,
    Plot,
    TeX,
)
from bokeh.models.annotations import Title
from bokeh.models.widgets import Button, DataTable, Div, Paragraph, Slider, TableColumn
from bokeh.settings import settings
from bokeh.util.warnings import BokehDeprecationWarning
from tests.support.needs import need_module

from hotshoe.seams.needs import (
    BOKEHJS_COMPONENTS,
    models_of_bundles,
    needs_of,
    needs_of_code,
    needs_of_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WIDGETS = {"bokeh-widgets"}
TABLES = {"bokeh-widgets", "bokeh-tables"}
MATH = {"bokeh-mathjax"}


@pytest.mark.parametrize(("make", "needs"), [
    (ColumnDataSource, set()),
    (LinearAxis, set()),
    (Plot, set()),
    (lambda: Plot(output_backend="svg"), set()),
    (lambda: Plot(output_backend="webgl"), {"bokeh-gl"}),
    (Button, WIDGETS),
    (lambda: Div(text="costs $5 and $6"), WIDGETS),
    (lambda: Div(text=r"\(x\)"), WIDGETS | MATH),
    (lambda: Paragraph(text="$$x$$"), WIDGETS | MATH),
    (lambda: Slider(start=0, end=1, value=0, title=r"$$\alpha$$"), WIDGETS | MATH),
    (lambda: Title(text=r"\[x\]"), MATH),
    (lambda: LinearAxis(axis_label="$$x$$"), MATH),
    (lambda: LinearAxis(major_label_overrides={1: "$$x$$"}), MATH),
    (lambda: TeX(text="x"), MATH),
    (DataTable, TABLES),
    (lambda: TableColumn(field="x"), TABLES),
])
def test_each_kind_of_model_names_its_bundles(make: Callable[[], Model], needs: set[str]) -> None:
    assert needs_of([make()]) == needs


def test_values_are_looked_at_each_time() -> None:
    plot = Plot()
    assert needs_of([plot]) == set()
    plot.output_backend = "webgl"
    assert needs_of([plot]) == {"bokeh-gl"}


def component_models(component: str) -> set[str]:
    text = (settings.bokehjs_path() / "js" / f"{component}.js").read_text(encoding="utf-8")
    return set(re.findall(r"\bclass (\w+) extends", text))


def test_every_model_of_bokeh_is_covered_by_a_bundle_that_has_it() -> None:
    homes = {component: component_models(component) for component in BOKEHJS_COMPONENTS}
    assert "Plot" in homes["bokeh"]
    assert "Slider" in homes["bokeh-widgets"]
    for name, cls in Model.model_class_reverse_map.items():
        having = {component for component, names in homes.items() if cls.__name__ in names}
        if not cls.__module__.startswith("bokeh.models.") or not having or "bokeh" in having:
            continue
        with warnings.catch_warnings(category=BokehDeprecationWarning, action="ignore"):
            model = cls()
        assert isinstance(model, Model)
        assert having & needs_of([model]), name


def test_an_app_s_own_data_model_needs_nothing() -> None:
    class Own(DataModel):
        pass

    assert needs_of([Own()]) == set()


def test_what_a_class_asks_for_is_named_in_its_order() -> None:
    class Asking(Model):
        __javascript__ = ["https://cdn/b.js", "a.js"]
        __css__ = "https://cdn/x.css"

    assert needs_of([Asking()]) == {"js:https://cdn/b.js a.js", "css:https://cdn/x.css"}


def test_an_extension_needs_its_file_and_all_of_bokehjs() -> None:
    need_module("panel")
    code = """
import panel.models.tabulator
from panel.models.markup import HTML
from hotshoe.seams.needs import needs_of
needs = needs_of([HTML()])
[extension] = [need for need in needs if need.startswith("ext:")]
assert extension.startswith("ext:panel/panel.min.js?v="), extension
assert {"bokeh-widgets", "bokeh-tables", "bokeh-gl", "bokeh-mathjax"} <= needs
assert any("tabulator" in need for need in needs if need.startswith("js:")), needs
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(("code", "needs"), [
    ("console.log(cb_obj.value)", set()),
    ("const M = Bokeh.Models; new (M.get('Slider'))({start: 0})", WIDGETS),
    ("new Bokeh.Widgets.Button({label: 'x'})", WIDGETS),
    ("const {Widgets} = Bokeh; new Widgets[kind]()", WIDGETS),
    ('Bokeh.Models["DataTable"]', TABLES),
    ("new Bokeh.Tables.TableColumn()", TABLES),
    ("plot.output_backend = 'webgl'", {"bokeh-gl"}),
    ("title.text = '$$x^2$$'", MATH),
    (r"title.text = '\\(x\\)'", MATH),
    (r"text.replace(/\((.*)\)/, '')", set()),
    ("Bokeh.Models.get('Plot'); Bokeh.Models.get('ColumnDataSource')", set()),
])
def test_javascript_names_its_bundles(code: str, needs: set[str]) -> None:
    assert needs_of_code(code) == needs
    assert needs_of([CustomJS(code=code)]) == needs


def test_so_does_that_of_each_other_model_with_code() -> None:
    classes = [cls for cls in Model.model_class_reverse_map.values() if cls.__module__.startswith("bokeh.models.")]
    having = [(cls, name) for cls in classes for name in cls.properties() if name.endswith("code")]
    assert len(having) > 9
    for cls, name in having:
        model = cls(**{name: "return Bokeh.Models.get('Slider')"})
        assert isinstance(model, Model)
        assert needs_of([model]) == WIDGETS, (cls, name)


def test_callbacks_of_the_document_and_their_arguments_count() -> None:
    document = Document()
    document.add_root(Plot())
    document.js_on_event("document_ready", CustomJS(code="x.value = 1", args={"x": Slider(start=0, end=1, value=0)}))
    assert needs_of_document(document) == WIDGETS
    document.js_on_event("connection_lost", CustomJS(code="new Bokeh.Tables.DataTable()"))
    assert needs_of_document(document) == TABLES


def test_the_page_knows_which_bundle_has_which_model() -> None:
    class FromNowhere(Slider):  # another app's mistake does not matter
        __implementation__ = "nowhere.ts"

    found = models_of_bundles()
    homes = {component: component_models(component) for component in BOKEHJS_COMPONENTS}
    for bundle, names in found.items():
        assert len(names) > 20
        assert set(names) & homes[bundle]
    assert "Slider" in found["bokeh-widgets"]
    assert "DataTable" in found["bokeh-tables"]
    assert not {"Plot", "ColumnDataSource", "CustomJS"} & {name for names in found.values() for name in names}

"""BokehJS's bundles, and custom models, that a page loads only when a callback brings a model that needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.needs import need_program

from hotshoe.server.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.browser.tab import Tab

pytestmark = pytest.mark.real

LATE = '''
from bokeh.core.properties import String
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, DataTable, Slider, TableColumn
from bokeh.models.ui import Pane
from bokeh.plotting import figure
from bokeh.util.compiler import TypeScript


class Own(Pane):
    __implementation__ = TypeScript("""
import {Pane, PaneView} from "models/ui/pane"
import type * as p from "core/properties"
export class OwnView extends PaneView {
  declare model: Own
  override render(): void {
    super.render()
    const words = document.createElement("b")
    words.textContent = this.model.text
    this.shadow_el.append(words)
  }
}
export namespace Own {
  export type Attrs = p.AttrsOf<Props>
  export type Props = Pane.Props & {text: p.Property<string>}
}
export interface Own extends Own.Attrs {}
export class Own extends Pane {
  declare properties: Own.Props
  static { this.prototype.default_view = OwnView; this.define<Own.Props>(({Str}) => ({text: [Str, ""]})) }
}
""")
    text = String()


plot = figure(width=300, height=200, name="plot")
plot.line([1, 2], [1, 2])
layout = column(plot)
curdoc().add_root(layout)


def bring(attr, old, new):
    table = DataTable(source=ColumnDataSource({"a": ["a late cell"]}), columns=[TableColumn(field="a")])
    layout.children = [plot, Slider(start=0, end=9, value=7), table]
    plot.elements = [Own(text="a late model")]


plot.on_change("tags", bring)
'''


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    need_program("node", "nodejs")
    path = tmp_path / "late.py"
    path.write_text(LATE)
    server = Server([str(path)], port=0)
    server.start()
    yield f"http://localhost:{server.port}/late"
    server.stop()


def test_what_a_callback_brings_is_loaded_before_it_is_drawn(address: str, tab: Tab) -> None:
    tab.open(address)
    assert tab.loaded("bokeh.min.js")
    assert not any(tab.loaded(name) for name in ("bokeh-widgets", "bokeh-tables", "bokeh-gl", "_hotshoe/models/"))
    tab.do("model('Figure').tags = ['go']")
    tab.wait_for_text("a late cell")
    tab.wait_for_text("a late model")
    assert all(tab.loaded(name) for name in ("bokeh-widgets", "bokeh-tables", "_hotshoe/models/"))
    assert not tab.loaded("bokeh-gl")

"""Each of our examples is drawn, reacts to its control and leaves no error behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from bokeh.models import ColumnDataSource
from bokeh.models.widgets.sliders import Slider
from tests.support.browser.tab import Tab
from tests.support.needs import need_module
from tests.support.running_server import Server
from tests.support.server_process import APP_FILES, EXAMPLES, serve

from hotshoe.apps import load

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def examples() -> Iterator[Server]:
    need_module("panel")
    with serve(*APP_FILES) as server:
        yield server


def test_penguins_are_filtered_by_a_dragged_slider(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["penguins"])
    tab.assert_painted()
    assert tab.ask("column('species').length") == 342
    tab.drag(tab.page.locator(".noUi-handle-lower"), dx=150)
    tab.wait("column('species').length < 300")
    # The server follows the slider while it is dragged; it has caught up in the end.
    tab.wait("model('RangeSlider').value[0] > 3000")
    tab.wait("Math.min(...column('size')) * 400 >= model('RangeSlider').value[0]")
    tab.wait_for_text(f"{tab.ask('column(`species`).length')} of 342 penguins")


def test_penguins_are_filtered_by_a_button(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["penguins"])
    tab.page.get_by_role("button", name="Gentoo").click()
    tab.wait_for_text("219 of 342 penguins")
    assert set(tab.ask("column('species')")) == {"Adelie", "Chinstrap"}


def test_a_lasso_selects_in_every_view(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["selections"])
    tab.assert_painted(0)
    tab.assert_painted(1)
    tab.assert_painted(2)
    box = tab.figure(0).bounding_box()
    assert box is not None
    left, top = box["x"] + 80, box["y"] + 20
    right, bottom = box["x"] + box["width"] - 60, box["y"] + box["height"] - 70
    tab.draw([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    tab.wait("column('count').reduce((a, b) => a + b) > 300")
    selected = tab.ask("column('count').reduce((a, b) => a + b)")
    tab.wait_for_text(f"{selected} selected")
    assert tab.ask("model('DataTable').source.get_column('species').length") == selected
    assert selected in tab.ask("models('Selection').map((selection) => selection.indices.length)")


def test_the_seismograph_streams_and_pauses(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["seismograph"])
    tab.wait("column('position').length > 40")
    tab.assert_painted()
    tab.page.get_by_role("button", name="Earthquake").click()
    tab.wait("Math.max(...column('position').slice(-50).map(Math.abs)) > 0.6")
    tab.page.get_by_role("button", name="Pause").click()

    def stands_still() -> bool:
        length = tab.ask("column('position').length")
        tab.page.wait_for_timeout(300)  # more would come
        return bool(tab.ask("column('position').length") == length)

    tab.wait_here(stands_still)


def test_a_long_computation_delays_nobody_else(examples: Server, new_tab: Callable[[], Tab]) -> None:
    busy, other = new_tab(), new_tab()
    busy.open(examples.urls["bootstrap"])
    other.open(examples.urls["penguins"])
    busy.page.get_by_role("button", name="Compute").click()
    other.page.get_by_role("button", name="Adelie").click()
    other.wait_for_text("191 of 342 penguins")
    assert not busy.page.get_by_text("95 % confidence").is_visible()
    busy.wait_for_text("95 % confidence")
    assert busy.ask("column('count').reduce((a, b) => a + b)") > 150_000
    assert busy.ask("model('Button').disabled") is False
    busy.assert_painted()


def test_a_long_computation_shows_how_far_it_is(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["bootstrap"])
    tab.do("""window.seen = new Set();
        window.signs = 0;
        model("Progress").properties.value.change.connect(() => seen.add(model("Progress").value));
        const look = () => {
          signs += document.querySelectorAll(".hotshoe-busy[data-on]").length;
          requestAnimationFrame(look);
        };
        look();""")
    tab.page.get_by_role("button", name="Compute").click()
    tab.wait("column('count').some((count) => count > 0)")
    assert tab.ask("model('Progress').value < model('Progress').max"), "nothing of it came before its end"
    tab.wait_for_text("95 % confidence")
    assert tab.ask("seen.size") >= 20
    assert tab.ask("signs") > 0
    tab.page.locator(".hotshoe-busy[data-on]").wait_for(state="detached")


def test_a_slider_moves_a_hundred_thousand_points(examples: Server, tab: Tab) -> None:
    ink = "[...column('picture')[0]].reduce((a, b) => a + b)"
    tab.open(examples.urls["attractor"])
    tab.assert_painted()
    assert tab.ask(ink) == ink_of_attractor(bend=None)
    handle = tab.page.locator(".noUi-handle").first
    tab.drag(handle, dx=60)
    tab.drag(handle, dx=90)
    bend = tab.ask("models('Slider').find((slider) => slider.title == 'Bend').value")
    assert bend > 1.7
    tab.wait(f"{ink} == {ink_of_attractor(bend)}")


def ink_of_attractor(bend: float | None) -> int:
    """What the picture of the example adds up to where the slider is, or where it is at first."""
    document = Document()
    with patch_curdoc(document):
        load(EXAMPLES / "attractor.py").build(document)
        slider, source = document.select_one({"title": "Bend"}), document.select_one({"type": ColumnDataSource})
        assert isinstance(slider, Slider)
        assert isinstance(source, ColumnDataSource)
        if bend is not None:
            slider.value = bend
    return int(source.data["picture"][0].sum())


def test_an_async_callback_gathers(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["services"])
    tab.page.get_by_role("button", name="Ask all").click()
    tab.wait_for_text("All answered in")
    assert all(0.2 <= latency_s <= 1.5 for latency_s in tab.ask("[...column('latency')]"))
    tab.assert_painted()


def test_a_thread_sends_pictures(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["reaction"])
    ink = "[...column('picture')[0]].reduce((a, b) => a + b)"
    at_first = tab.ask(ink)
    tab.wait(f"{ink} > {2 * at_first}")
    tab.assert_painted()
    tab.page.locator("select").select_option("mitosis")
    tab.wait(f"{ink} < {1.5 * at_first}")


def test_a_table_is_added_with_its_bundle(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["mauna_loa"])
    tab.assert_painted()
    assert not tab.loaded("bokeh-tables")
    tab.page.get_by_role("button", name="Show the months in view").click()
    tab.wait_for_text("March 1958")
    assert tab.loaded("bokeh-tables")
    tab.do("model('Range1d').end = Date.UTC(1960, 0, 1)")
    tab.wait("column('month').length < 30")
    tab.page.get_by_role("button", name="Show the months in view").click()
    tab.page.locator(".bk-DataTable").wait_for(state="detached")


def test_a_directory_app_has_its_template_and_theme(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["weather"] + "?year=2013")
    tab.assert_painted(0)
    tab.assert_painted(1)
    assert tab.page.title() == "Seattle weather"
    assert tab.ask("named('year').active") == 1
    tab.wait_for_text("1,461 days of observations by NOAA")
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 248)"
    assert tab.ask("model('DatetimeAxis').axis_line_color") is None
    tab.wait_for_text("828 mm")
    tab.page.get_by_role("button", name="2012").click()
    tab.wait_for_text("1,226 mm")


def test_a_notebook_is_an_app(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["el_nino"])
    tab.assert_painted()
    tab.page.locator("select").select_option("1982")
    tab.wait("Math.abs(column('degrees')[11] - 26.13) < 2 && column('degrees')[0] < 24.5")
    assert tab.page.title() == "El Niño"


def test_panel_widgets_drive_a_bound_function(examples: Server, tab: Tab) -> None:
    tab.open(examples.urls["sunspots"])
    tab.assert_painted()
    assert tab.page.title() == "Sunspots, with Panel"
    line = "models('Line').map((glyph) => glyph.id).sort().join()"
    before = tab.ask(line)
    tab.drag(tab.page.locator(".noUi-handle").last, dx=80)
    tab.wait(f"{line} !== '{before}'")
    tab.wait_until_drawn()
    tab.assert_painted()


def test_the_index_is_a_gallery(tab: Tab) -> None:
    with serve(*APP_FILES, flags=("--show-source", "--prefix", "a/b")) as server:
        tab.page.goto(server.root)
        tab.wait("[...document.images].length > 0")
        assert tab.page.locator(".card img").count() == len(APP_FILES)
        for picture in tab.page.locator(".card img").all():
            picture.scroll_into_view_if_needed()
        tab.wait("[...document.images].every((picture) => picture.complete && picture.naturalWidth == 640)")
        tab.page.locator(".card img").first.scroll_into_view_if_needed()
        tab.page.get_by_role("link", name="Source of Penguins by weight").click()
        tab.wait_for_text("The penguins that the two widgets leave.")
        tab.page.get_by_role("link", name="All apps").click()
        tab.page.get_by_role("link", name="Source of Seismograph").click()
        tab.page.get_by_role("link", name="Open the app").click()
        tab.wait_until_drawn()
        assert tab.page.url.endswith("/a/b/seismograph")


def test_the_index_shows_and_links_every_app(examples: Server, tab: Tab) -> None:
    tab.page.goto(examples.root)
    for name in examples.urls:
        assert tab.page.locator(f"a[href$='{name}']").count() == 1, name
    tab.wait_for_text("Penguins by weight")
    tab.wait_for_text("every move runs a callback in Python")
    tab.page.locator("a[href$='penguins']").click()
    tab.page.wait_for_url("**/penguins")
    tab.wait_until_drawn()
    tab.assert_painted()

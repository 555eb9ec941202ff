"""Apps in pages of other sites, by the element."""

from __future__ import annotations

from pathlib import Path

import bokeh.embed
import pytest
from tests.support.browser.embeds import (
    apps,
    assert_works,
    at,
    loads_of_bokehjs,
    running,
    until_connections,
    wait_for_alert,
)
from tests.support.browser.page_site import Site, site
from tests.support.browser.tab import Tab

import hotshoe.embed
from hotshoe.server.server import Server

pytestmark = pytest.mark.real


def test_elements(server: Server, page_site: Site, tab: Tab) -> None:
    tags = [hotshoe.embed.app_tag(at(server), arguments={"a": "1 & <2>"}), hotshoe.embed.app_tag(at(server, "filling"))]
    tab.open(page_site.put("\n".join(tags)))
    tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
    tab.wait_for_text("a=['1 & <2>']")
    assert_works(tab)
    tab.assert_painted(1)
    assert loads_of_bokehjs(tab) == 1
    assert not tab.page.get_by_text("Loading").first.is_visible()
    until_connections(server, 2, tab)


def test_it_is_as_large_as_it_should_be(server: Server, page_site: Site, tab: Tab) -> None:
    style = "body { margin: 0 } .set { height: 220px } .flex { display: flex } .half { width: 300px }"
    tags = [hotshoe.embed.app_tag(at(server, name)) for name in ("sliders", "filling", "filling", "sliders")]
    with_class = tags[2].replace("<bokeh-app", "<bokeh-app class=set")
    body = f"{tags[0]}{tags[1]}{with_class}<div class='flex half'>{tags[3]}</div>"
    tab.open(page_site.put(body, style=style))
    tab.wait("documents().length === 4 && documents().every((doc) => doc.is_idle)")
    boxes = [apps(tab).nth(number).bounding_box() for number in range(4)]
    widths = [round(box["width"]) for box in boxes if box]
    assert widths == [1100, 1100, 1100, 300]
    heights = [round(box["height"]) for box in boxes if box]
    assert 200 < heights[0] < 400
    assert heights[1:3] == [400, 220]
    figures = [figure for number in range(4) if (figure := tab.figure(number).bounding_box())]
    assert sorted(round(figure["height"]) for figure in figures) == [200, 200, 220, 400]
    assert sorted(round(figure["width"], -2) for figure in figures) == [300, 1100, 1100, 1100]


def test_another_src_is_another_app_and_none_leaves_the_server(server: Server, page_site: Site, tab: Tab) -> None:
    tab.open(page_site.put(hotshoe.embed.app_tag(at(server), arguments={"a": "first"})))
    tab.wait_for_text("a=['first']")
    until_connections(server, 1, tab)
    tab.page.evaluate("url => document.querySelector('bokeh-app').setAttribute('src', url)", at(server) + "?a=second")
    tab.wait_for_text("a=['second']")
    assert tab.page.get_by_text("a=['first']").count() == 0
    until_connections(server, 1, tab)
    assert tab.ask("documents().length") == 1
    tab.do("document.querySelector('bokeh-app').remove()")
    until_connections(server, 0, tab)
    assert tab.ask("documents().length") == 0
    assert tab.page.locator(".bk-Figure").count() == 0


def test_what_is_moved_stays_and_what_leaves_early_is_gone(server: Server, page_site: Site, tab: Tab) -> None:
    tab.open(page_site.put(f"<div id='from'>{hotshoe.embed.app_tag(at(server))}</div><div id='to'></div>"))
    tab.do("model('Slider').value = 4")
    tab.wait_for_text("value 4")
    tab.do("document.getElementById('to').append(document.querySelector('bokeh-app'))")
    assert_works(tab)
    assert tab.ask("documents().length") == 1
    tab.page.evaluate("""url => {
      for (let i = 0; i < 5; i++) {
        const app = document.createElement("bokeh-app");
        app.setAttribute("src", url);
        document.body.append(app);
        setTimeout(() => app.remove(), i * 60);
      }
    }""", at(server))
    tab.wait("document.querySelectorAll('bokeh-app').length === 1")
    until_connections(server, 1, tab)
    tab.page.wait_for_timeout(300)  # what the removed ones had asked for would come now
    assert (server.statistics().connections, tab.ask("documents().length")) == (1, 1)
    assert all("ERR_ABORTED" in problem for problem in tab.problems)  # what it had asked for is not wanted any more
    tab.problems.clear()


def test_in_a_shadow_root_from_a_module_made_by_a_framework(server: Server, page_site: Site, tab: Tab) -> None:
    tab.open(page_site.put(f"""<div id="host"></div><script type="module">
      import "{at(server)}/embed.js";
      const root = document.getElementById("host").attachShadow({{ mode: "open" }});
      const app = document.createElement("bokeh-app");
      root.append(app);
      requestAnimationFrame(() => {{ app.setAttribute("src", "{at(server)}"); }});
    </script>"""))
    assert_works(tab)
    assert loads_of_bokehjs(tab) == 1


def test_all_share_one_bokehjs(server: Server, folder: Path, page_site: Site, tab: Tab) -> None:
    """Elements and scripts, of two servers."""
    with running(folder, page_site.origin) as second:
        tab.open(page_site.put("".join([
            hotshoe.embed.app_tag(at(server)), hotshoe.embed.app_tag(at(second)),
            hotshoe.embed.server_document(at(second)), bokeh.embed.server_document(at(server))])))
        tab.wait("documents().length === 4 && documents().every((doc) => doc.is_idle)")
        assert loads_of_bokehjs(tab) == 1
        for number in range(4):
            tab.do(f"models('Slider')[{number}].value = {number + 5}")
            tab.wait_for_text(f"value {number + 5}")


def test_another_version_of_bokehjs_is_told(server: Server, page_site: Site, tab: Tab) -> None:
    head = "<script>window.Bokeh = {version: '3.4.1', __bokeh__: true}</script>"
    both = hotshoe.embed.app_tag(at(server)) + hotshoe.embed.server_document(at(server))
    tab.page.goto(page_site.put(both, head=head))
    for number in range(2):
        wait_for_alert(tab, "It has loaded BokehJS 3.4.1, and this app needs", number)
    assert loads_of_bokehjs(tab) == 0


def test_headers_and_cookies_of_an_element(folder: Path, tab: Tab) -> None:
    with site(host="localhost") as named, site(host="localhost") as other, running(folder, named.origin) as server:
        tab.context.add_cookies([{"name": "c", "value": "sweet", "url": at(server)}])
        tab.open(named.put(hotshoe.embed.app_tag(at(server), with_credentials=True)))
        tab.wait_for_text("c=sweet")
        tab.open(named.put(hotshoe.embed.app_tag(at(server), headers={"X-Of-Page": "\u00e9 \"'"})))
        tab.wait_for_text("x=\u00e9 \"' c=None")
        tab.page.goto(other.put(hotshoe.embed.app_tag(at(server), with_credentials=True)))
        wait_for_alert(tab, f"This server does not allow pages of {other.origin} to embed its apps.")
    with site(host="localhost") as anyone, running(folder, allow_websocket_origin=("*",)) as server:
        tab.page.goto(anyone.put(hotshoe.embed.app_tag(at(server), with_credentials=True)))
        wait_for_alert(tab, f"The server does not give cookies to pages of {anyone.origin}.")


def test_resources_none(server: Server, page_site: Site, tab: Tab) -> None:
    tag = hotshoe.embed.app_tag(at(server), resources=None)
    files = f"http://localhost:{server.port}/static/js"
    body = f"{tag}<script src='{files}/bokeh.min.js'></script><script src='{files}/bokeh-widgets.min.js'></script>"
    tab.open(page_site.put(body))
    assert_works(tab)

"""Apps in pages of other sites: stock's scripts, ours, and the element; each in a page of another origin."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bokeh.embed
import pytest
import trustme
from playwright.sync_api import Browser, Locator, Route
from tests.browser.proxy import free_port, nginx, wait_for_port
from tests.browser.server import EXAMPLES, serve
from tests.browser.sites import Site, site
from tests.browser.tab import TIMEOUT_MS, Tab
from tests.needs import need_module

import hotshoe.embed
from hotshoe.web.server import Server

pytestmark = pytest.mark.real

SLIDERS = """
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div, Slider
from bokeh.plotting import figure

request = curdoc().session_context.request
given = {name: [value.decode() for value in values] for name, values in request.arguments.items()}
slider = Slider(start=0, end=9, value=3, title="s")
echo = Div(text=f"a={given.get('a')} x={request.headers.get('X-Of-Page')} c={request.cookies.get('c')}", name="echo")
slider.on_change("value", lambda attr, old, new: echo.update(text=f"value {new}"))
plot = figure(height=200, sizing_mode="stretch_width")
plot.line([1, 2, 3], [3, 1, 2])
curdoc().add_root(column(slider, echo, plot, sizing_mode="stretch_width"))
"""
FILLING = """
from bokeh.io import curdoc
from bokeh.plotting import figure

plot = figure(sizing_mode="stretch_both")
plot.line([1, 2, 3], [3, 1, 2])
curdoc().add_root(plot)
"""
TWO_ROOTS = """
from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(text="first root"))
curdoc().add_root(Div(text="second root"))
"""
PANELS = """
import panel as pn

pn.extension()
slider = pn.widgets.IntSlider(start=0, end=9, value=3)
button = pn.widgets.Button(name="more")
button.on_click(lambda event: setattr(slider, "value", slider.value + 1))
pn.Column(slider, button, pn.bind(lambda value: f"moved {value}", slider)).servable()
"""
AUTOLOAD = re.compile(r"/autoload\.js\?")
BROKEN = "raise RuntimeError('a secret of the app')"

MakeServer = Callable[..., Server]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in {"sliders": SLIDERS, "filling": FILLING, "roots": TWO_ROOTS, "broken": BROKEN}.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


@contextmanager
def running(folder: Path, *origins: str, **settings: Any) -> Iterator[Server]:
    """A server of the folder's apps that lets pages of these origins in."""
    hosts = tuple(origin.partition("//")[2] for origin in origins)
    server = Server([str(path) for path in sorted(folder.glob("*.py"))],
                    **{"port": 0, "allow_websocket_origin": hosts, **settings})
    with server:
        yield server


@pytest.fixture
def page_site() -> Iterator[Site]:
    with site() as served:
        yield served


@pytest.fixture
def server(folder: Path, page_site: Site) -> Iterator[Server]:
    with running(folder, page_site.origin) as served:
        yield served


def at(server: Server, name: str = "sliders") -> str:
    return f"http://localhost:{server.port}/{name}"


def apps(tab: Tab) -> Locator:
    return tab.page.locator("bokeh-app")


def wait_for_alert(tab: Tab, text: str, number: int = 0) -> Locator:
    """The message that stands in the place of an app; ``problems`` is then as it should be."""
    alert = tab.page.get_by_role("alert").filter(has_text=text).nth(number)
    alert.wait_for()
    tab.problems.clear()
    return alert


def assert_works(tab: Tab) -> None:
    """A slider moves what the server makes of it."""
    tab.wait_until_drawn()
    tab.do("model('Slider').value = 7")
    tab.wait_for_text("value 7")
    tab.assert_painted()


def loads_of_bokehjs(tab: Tab) -> int:
    urls: list[str] = tab.ask("performance.getEntriesByType('resource').map((entry) => entry.name)")
    return sum("/bokeh.min.js" in url for url in urls)


def until_connections(server: Server, number: int, tab: Tab) -> None:
    for _ in range(TIMEOUT_MS // 50):
        if server.statistics().connections == number:
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError(server.statistics())


# -- scripts: bokeh's own, and ours


SCRIPTS = pytest.mark.parametrize("embed", [bokeh.embed, hotshoe.embed], ids=["bokeh", "hotshoe"])


@SCRIPTS
def test_a_script_embeds_an_app(embed: Any, server: Server, page_site: Site, tab: Tab) -> None:
    script = embed.server_document(at(server), arguments={"a": "1 & <2>"})
    tab.open(page_site.put(f"<h1>A site</h1><div>{script}</div>"))
    tab.wait_for_text("a=['1 & <2>']")
    assert_works(tab)
    assert tab.page.title() == "A site"


@SCRIPTS
def test_of_three_scripts_one_fails(embed: Any, server: Server, page_site: Site, tab: Tab) -> None:
    names = ("sliders", "broken", "filling")
    scripts = [f"<div style='height: 300px'>{embed.server_document(at(server, name))}</div>" for name in names]
    tab.page.goto(page_site.put("".join(scripts)))
    alert = wait_for_alert(tab, "This app failed to build its page")
    assert "secret" not in alert.inner_text()
    tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
    assert_works(tab)
    tab.assert_painted(1)
    assert loads_of_bokehjs(tab) == 1
    tab.problems.clear()


@SCRIPTS
def test_headers_reach_the_app(embed: Any, server: Server, page_site: Site, tab: Tab) -> None:
    tab.open(page_site.put(embed.server_document(at(server), headers={"X-Of-Page": "of 'page' & \u00e9"})))
    tab.wait_for_text("x=of 'page' & \u00e9")


@SCRIPTS
def test_cookies_reach_the_app_from_named_sites_only(embed: Any, folder: Path, tab: Tab) -> None:
    with site(host="localhost") as named, site(host="localhost") as other, running(folder, named.origin) as server:
        tab.context.add_cookies([{"name": "c", "value": "sweet", "url": at(server)}])
        script = embed.server_document(at(server), with_credentials=True)
        tab.open(named.put(script))
        tab.wait_for_text("c=sweet")
        tab.page.goto(other.put(script))
        if embed is hotshoe.embed:  # bokeh's script does not look whether it may read the answer
            wait_for_alert(tab, f"it does not give cookies to pages of {other.origin}")
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.get_by_text("c=").count() == 0
        tab.problems.clear()


@SCRIPTS
def test_the_page_may_bring_bokehjs(embed: Any, server: Server, page_site: Site, tab: Tab) -> None:
    names = ("bokeh", "bokeh-widgets", "bokeh-gl", "bokeh-tables", "bokeh-mathjax")
    files = f"http://localhost:{server.port}/static/js"
    head = "".join(f"<script src='{files}/{name}.min.js'></script>" for name in names)
    tab.open(page_site.put(embed.server_document(at(server), resources=None), head=head))
    assert_works(tab)
    assert loads_of_bokehjs(tab) == 1


@SCRIPTS
@pytest.mark.parametrize("relative", [False, True])
def test_behind_a_proxy_that_cuts_the_path(embed: Any, relative: bool, folder: Path, tab: Tab) -> None:
    def page(address: str) -> str:
        return f"<body>{embed.server_document(f'{address}sliders', relative_urls=relative)}"

    pages = {"page.html": page}
    with running(folder) as server, nginx(f"http://127.0.0.1:{server.port}/", "/p/q", pages=pages) as address:
        tab.open(f"{address[:-5]}/own/page.html")
        assert_works(tab)


@pytest.mark.parametrize("make", [hotshoe.embed.server_document, hotshoe.embed.app_tag])
@pytest.mark.parametrize("path", ["/p/q/sliders", "../p/q/sliders/", "//HOST/p/q/sliders"])
def test_a_path_is_enough(make: Callable[[str], str], path: str, folder: Path, tab: Tab) -> None:
    pages = {"page.html": lambda address: f"<body>{make(path.replace('HOST', address.split('/')[2]))}"}
    with running(folder) as server, nginx(f"http://127.0.0.1:{server.port}/", "/p/q", pages=pages) as address:
        tab.open(f"{address[:-5]}/own/page.html")
        assert_works(tab)


@SCRIPTS
def test_a_session_by_its_id(embed: Any, folder: Path, page_site: Site, tab: Tab) -> None:
    with running(folder, page_site.origin, session_ids="unsigned") as server:
        tab.open(page_site.put(embed.server_session(None, session_id="one", url=at(server))))
        tab.do("model('Slider').value = 5")
        tab.wait_for_text("value 5")
        tab.open(page_site.put(embed.server_session(session_id="one", url=at(server))))
        tab.wait_for_text("value 5")


def test_one_root_of_a_session(folder: Path, page_site: Site, tab: Tab) -> None:
    with running(folder, page_site.origin, session_ids="unsigned") as server:
        tab.open(at(server, "roots") + "?bokeh-session-id=one")
        root: Any = SimpleNamespace(id=tab.ask("documents()[0].roots()[1].id"))
        both = [hotshoe.embed.server_session(model, session_id="one", url=at(server, "roots"))
                for model in (root, None)]
        tab.open(page_site.put("<hr>".join(both)))
        tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
        assert tab.page.get_by_text("second root").count() == 2
        assert tab.page.get_by_text("first root").count() == 1


@SCRIPTS
def test_a_site_that_is_not_allowed_is_told_so(embed: Any, server: Server, tab: Tab) -> None:
    with site() as stranger:
        tab.page.goto(stranger.put(embed.server_document(at(server))))
        alert = wait_for_alert(tab, f"This server does not allow pages of {stranger.origin} to embed its apps.")
        assert f"--allow-websocket-origin={stranger.origin[7:]}" in alert.inner_text()
    assert server.statistics().sessions["/sliders"] == 0


def test_a_script_whose_server_is_away_says_so_and_tries_again(server: Server, page_site: Site, tab: Tab) -> None:
    tab.page.route(AUTOLOAD, lambda route: route.abort())
    tab.page.goto(page_site.put(hotshoe.embed.server_document(at(server))))
    alert = wait_for_alert(tab, f"The app at {at(server)} can't be reached.")
    tab.page.unroute(AUTOLOAD)
    alert.get_by_role("button", name="Try again").click()
    assert_works(tab)


def test_a_script_element_of_the_old_kind(server: Server, page_site: Site, tab: Tab) -> None:
    query = f"bokeh-autoload-element=here&bokeh-app-path=/sliders&bokeh-absolute-url={at(server)}"
    script = f"<script src='{at(server)}/autoload.js?{query}'></script><div id='here'></div>"
    tab.open(page_site.put(script))
    assert_works(tab)
    with site() as stranger:
        tab.page.goto(stranger.put(script))
        wait_for_alert(tab, f"does not allow pages of {stranger.origin}")


# -- https


@pytest.fixture
def secure_tab(chromium: Browser) -> Iterator[Tab]:
    context = chromium.new_context(ignore_https_errors=True)
    tab = Tab(context)
    yield tab
    problems = tab.problems + tab.strangers
    context.close()
    assert not problems


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    path = tmp_path / "certificate.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.mark.parametrize("kind", ["bokeh", "hotshoe", "element"])
def test_over_https(kind: str, folder: Path, certificate: Path, secure_tab: Tab) -> None:
    with (
        site(certificate=certificate) as page_site,
        running(folder, page_site.origin) as server,
        nginx(f"http://127.0.0.1:{server.port}/", "/p", certificate=certificate) as address,
    ):
        makers: dict[str, Callable[[str], str]] = {
            "bokeh": bokeh.embed.server_document, "hotshoe": hotshoe.embed.server_document,
            "element": hotshoe.embed.app_tag}
        secure_tab.open(page_site.put(makers[kind](f"{address}sliders")))
        assert_works(secure_tab)


def test_http_in_a_page_of_https_is_explained(certificate: Path, secure_tab: Tab) -> None:
    with site(certificate=certificate) as page_site:
        tag = hotshoe.embed.app_tag("http://apps.invalid/sliders")
        own = page_site.put(re.sub("<script.*", "", tag) + "<script src='/embed.js'></script>")
        _serve_component(secure_tab)
        secure_tab.page.goto(own)
        alert = wait_for_alert(secure_tab, "Browsers load nothing by http into a page of https")
        assert alert.get_by_role("button").count() == 0
    secure_tab.strangers.clear()


def _serve_component(tab: Tab) -> None:
    from hotshoe.pages.assets import component_script

    asset = component_script()
    tab.page.route("**/embed.js", lambda route: route.fulfill(body=asset.body, content_type=asset.content_type))


# -- the element


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
    tab.page.wait_for_timeout(300)
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


# -- what it says


def test_while_it_loads_and_when_it_is_there(server: Server, page_site: Site, tab: Tab) -> None:
    waiting: list[Route] = []
    tab.page.route(AUTOLOAD, lambda route: waiting.append(route))
    tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server))))
    tab.page.get_by_role("status").filter(has_text="Loading the app…").wait_for()
    assert apps(tab).get_attribute("aria-busy") == "true"
    tab.page.wait_for_function("() => true")
    waiting[0].continue_()
    assert_works(tab)
    assert apps(tab).get_attribute("aria-busy") is None
    assert tab.page.get_by_role("status").count() == 0


def test_why_an_app_is_not_there(server: Server, page_site: Site, tab: Tab) -> None:
    tags = [hotshoe.embed.app_tag(at(server, name)) for name in ("broken", "nothing", "sliders")]
    tab.page.goto(page_site.put("".join(tags)))
    failed = tab.page.get_by_role("alert").filter(has_text="This app failed to build its page.")
    failed.wait_for()
    assert re.search(r"it is error [0-9a-f]{8}\.", failed.inner_text())
    missing = tab.page.get_by_role("alert").filter(has_text="There is no app at this address.")
    missing.wait_for()
    assert at(server, "nothing") in missing.inner_text()
    assert_works(tab)
    tab.problems.clear()


def test_a_site_that_is_not_allowed_is_told_by_the_element(server: Server, tab: Tab) -> None:
    with site() as stranger:
        tab.page.goto(stranger.put(hotshoe.embed.app_tag(at(server))))
        alert = wait_for_alert(tab, f"This server does not allow pages of {stranger.origin} to embed its apps.")
        assert f"--allow-websocket-origin={stranger.origin[7:]}" in alert.inner_text()
        assert server.statistics().sessions["/sliders"] == 0


def test_a_server_that_has_no_room(folder: Path, page_site: Site, tab: Tab) -> None:
    with running(folder, page_site.origin, max_sessions=1) as server:
        tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server)) + hotshoe.embed.app_tag(at(server))))
        alert = tab.page.get_by_role("alert")
        alert.wait_for()
        assert "it is tried again in 60 s" in alert.inner_text()
        assert_works(tab)
        tab.problems.clear()


def test_who_has_to_log_in_is_led_there(server: Server, page_site: Site, tab: Tab) -> None:
    gated = [True]

    def answer(route: Route) -> None:
        if gated:
            route.fulfill(status=401, json={"error": "x", "login": "../login?next=1"},
                          headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.continue_()

    tab.page.route(AUTOLOAD, answer)
    tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server))))
    alert = wait_for_alert(tab, "This app asks you to log in.")
    link = alert.get_by_role("link", name="Log in")
    assert link.get_attribute("href") == f"http://localhost:{server.port}/login?next=1"
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")
    gated.clear()
    tab.do("window.dispatchEvent(new Event('focus'))")  # as when one comes back from the other tab
    assert_works(tab)


def test_a_server_that_comes_back(folder: Path, page_site: Site, tab: Tab) -> None:
    with running(folder, page_site.origin) as server:
        port = server.port
        tab.open(page_site.put(hotshoe.embed.app_tag(at(server))))
    tab.problems.clear()
    _serve_component(tab)
    tab.page.goto(page_site.put(hotshoe.embed.app_tag(f"http://localhost:{port}/sliders")))
    wait_for_alert(tab, "This app can't be reached.")
    assert "tried again" in tab.page.get_by_role("alert").inner_text()
    with running(folder, page_site.origin, port=port):
        assert_works(tab)
        tab.problems.clear()
        tab.page.close()


def test_even_its_script_may_not_come(page_site: Site, tab: Tab) -> None:
    tab.page.goto(page_site.put(hotshoe.embed.app_tag("http://localhost:9/sliders")))
    tab.wait_for_text("If it does not appear, its server can't be reached.")
    assert tab.page.get_by_role("link", name="Open it by itself.").get_attribute("href") == "http://localhost:9/sliders"
    tab.problems.clear()


@pytest.mark.parametrize(("attributes", "said"), [
    ("", 'Its attribute "src" is missing.'), ("src=''", 'Its attribute "src" is missing.'),
    ("src='javascript:alert(1)'", "is not the address of an app"), ("src='http://['", "is not the address of an app"),
    ("src='//u:p@localhost/a'", "user and password"), ("src='/a' headers='{'", "is no JSON"),
])
def test_wrong_attributes(attributes: str, said: str, server: Server, page_site: Site, tab: Tab) -> None:
    tab.page.goto(page_site.put(f"<bokeh-app {attributes}></bokeh-app><script src='{at(server)}/embed.js'></script>"))
    wait_for_alert(tab, said)


def test_a_refused_websocket_is_told(server: Server, page_site: Site, tab: Tab) -> None:
    tab.page.route_web_socket("**/ws*", lambda socket: socket.close(code=1013, reason="It is full <b>now</b>"))
    tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server))))
    alert = wait_for_alert(tab, "The app's connection could not be opened.")
    assert "It is full <b>now</b>" in alert.inner_text()


def test_a_page_with_a_policy(folder: Path, tab: Tab) -> None:
    with site() as strict, running(folder, strict.origin) as server:
        host = f"localhost:{server.port}"
        strict.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src http://{host}; connect-src http://{host} ws://{host}; "
            f"style-src 'unsafe-inline'; img-src data: http://{host}")
        tab.open(strict.put(hotshoe.embed.app_tag(at(server))))
        assert_works(tab)
        strict.headers["Content-Security-Policy"] = (
            f"script-src 'nonce-abc' 'strict-dynamic'; connect-src http://{host} ws://{host}")
        tab.open(strict.put(hotshoe.embed.app_tag(at(server), nonce="abc")))
        assert_works(tab)
        tab.open(strict.put(hotshoe.embed.server_document(at(server), nonce="abc")))
        assert_works(tab)


# -- real sites


def test_the_example(tmp_path: Path, tab: Tab) -> None:
    page = (EXAMPLES / "embedding/index.html").read_text(encoding="utf-8")
    port = free_port()
    own = f"localhost:{port}"
    names = ("penguins", "attractor")
    with serve(*(EXAMPLES / f"{name}.py" for name in names), flags=("--allow-websocket-origin", own)) as server:
        (tmp_path / "index.html").write_text(page.replace("localhost:5006", f"localhost:{server.port}"))
        command = [sys.executable, "-m", "http.server", str(port), "--directory", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            tab.page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
            tab.open(f"http://{own}/")
            tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
            tab.wait_for_text("342 of 342 penguins")
            tab.assert_painted(0)
            tab.assert_painted(1)
            tab.page.get_by_role("button", name="Gentoo").click()
            tab.wait_for_text("219 of 342 penguins")
        finally:
            process.terminate()
            process.wait(10)


def test_the_page_and_the_app_of_one_login(folder: Path, tmp_path: Path, tab: Tab) -> None:
    """A site and an app server of one domain, of which the server asks who it is."""
    module = tmp_path / "auth" / "module.py"
    module.parent.mkdir()
    module.write_text("def get_user(request):\n    return request.cookies.get('who')\n\n\nlogin_url = '/enter'\n")
    with site(host="localhost") as named, running(folder, named.origin, auth_module=str(module)) as server:
        tab.page.goto(named.put(hotshoe.embed.app_tag(at(server), with_credentials=True)))
        alert = wait_for_alert(tab, "This app asks you to log in.")
        link = alert.get_by_role("link", name="Log in")
        assert (link.get_attribute("href") or "").startswith(f"http://localhost:{server.port}/enter")
        tab.context.add_cookies([{"name": "who", "value": "ann", "url": at(server)}])
        alert.get_by_role("button", name="Try again").click()
        assert_works(tab)
        tab.page.goto(named.put(hotshoe.embed.server_document(at(server))))
        alert = wait_for_alert(tab, "This app asks you to log in.")
        link = alert.get_by_role("link", name="Log in")
        assert (link.get_attribute("href") or "").startswith(f"http://localhost:{server.port}/enter")


def test_a_panel_app(folder: Path, page_site: Site, tab: Tab) -> None:
    need_module("panel")
    (folder / "panels.py").write_text(PANELS)
    flags = ("--allow-websocket-origin", page_site.origin[7:])
    with serve(folder / "panels.py", folder / "sliders.py", flags=flags) as server:
        makers: list[Callable[[str], str]] = [
            hotshoe.embed.app_tag, hotshoe.embed.server_document, bokeh.embed.server_document]
        for make in makers:
            tab.open(page_site.put(make(server.urls["panels"]) + make(server.urls["sliders"])))
            tab.wait("documents().length === 2 && documents().every((doc) => doc.is_idle)")
            tab.wait_for_text("moved 3")
            tab.page.get_by_role("button", name="more").click()
            tab.wait_for_text("moved 4")

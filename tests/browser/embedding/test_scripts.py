"""Apps in pages of other sites, by bokeh's scripts and by ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bokeh.embed
import pytest
from tests.support.browser.embeds import AUTOLOAD, assert_works, at, loads_of_bokehjs, running, wait_for_alert
from tests.support.browser.page_site import Site, site
from tests.support.browser.tab import Tab
from tests.support.nginx import nginx

import hotshoe.embed
from hotshoe.server.server import Server

pytestmark = pytest.mark.real

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

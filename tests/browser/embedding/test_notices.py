"""What the element shows where an app is not there, or not yet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bokeh.models.widgets import Div
from playwright.sync_api import Route, expect
from tests.support.browser.embeds import AUTOLOAD, apps, assert_works, at, running, serve_component, wait_for_alert
from tests.support.browser.page_site import Site, site
from tests.support.browser.tab import Tab

import hotshoe.embed
from hotshoe.server.server import Server

pytestmark = pytest.mark.real


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
    assert re.search(r"Its id in the server's log is [0-9a-f]{8}\.", failed.inner_text())
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
        assert "the next attempt is in 60 s" in alert.inner_text()
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
    serve_component(tab)
    tab.page.goto(page_site.put(hotshoe.embed.app_tag(f"http://localhost:{port}/sliders")))
    wait_for_alert(tab, "This app can't be reached.")
    assert "the next attempt" in tab.page.get_by_role("alert").inner_text()
    with running(folder, page_site.origin, port=port):
        assert_works(tab)
        tab.problems.clear()
        tab.page.close()


def test_even_its_script_may_not_come(page_site: Site, tab: Tab) -> None:
    tab.page.goto(page_site.put(hotshoe.embed.app_tag("http://localhost:9/sliders")))
    tab.wait_for_text("If it does not appear, its server can't be reached.")
    assert tab.page.get_by_role("link", name="Open it in its own page.").get_attribute("href") == "http://localhost:9/sliders"
    tab.problems.clear()


@pytest.mark.parametrize(("attributes", "said"), [
    ("", 'Its attribute "src" is missing.'), ("src=''", 'Its attribute "src" is missing.'),
    ("src='javascript:alert(1)'", "is not the address of an app"), ("src='http://['", "is not the address of an app"),
    ("src='//u:p@localhost/a'", "user and password"), ("src='/a' headers='{'", "is not JSON"),
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


EMPTY = "from bokeh.io import curdoc"
UPLOAD = """
from bokeh.io import curdoc
from bokeh.models import FileInput

curdoc().add_root(FileInput())
"""


def test_an_empty_app_and_a_file_that_is_too_large(folder: Path, page_site: Site, tab: Tab) -> None:
    (folder / "empty.py").write_text(EMPTY)
    (folder / "upload.py").write_text(UPLOAD)
    with running(folder, page_site.origin, websocket_max_message_size=2**20) as server:
        script = f'<script src="{at(server, "empty")}/autoload.js?bokeh-autoload-element=x&bokeh-app-path=/empty' \
                 f'&bokeh-absolute-url={at(server, "empty")}" id="x"></script>'
        tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server, "empty")) + script
                                    + hotshoe.embed.app_tag(at(server, "upload"))))
        expect(tab.page.get_by_role("alert").filter(has_text="This app shows nothing.")).to_have_count(2)
        tab.page.locator("input[type=file]").set_input_files(
            {"name": "a.bin", "mimeType": "application/octet-stream", "buffer": b"x" * (3 << 20)})
        alert = wait_for_alert(tab, "This upload is too large.")
        assert "It needs 4.0 MB, and the server takes at most 1.0 MB" in alert.inner_text()
        alert.get_by_role("button", name="Dismiss").click()
        expect(alert).to_have_count(0)
        server.update_sessions("/empty", lambda document: document.add_root(Div(text="at last"))).result()
        expect(tab.page.get_by_role("alert")).to_have_count(0)
        tab.problems.clear()



PRICES = """
from decimal import Decimal

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, DataTable

curdoc().add_root(DataTable(source=ColumnDataSource({"price": [Decimal(1)]})))
"""


@pytest.mark.parametrize("dev", [False, True])
def test_a_document_that_cannot_be_sent(folder: Path, page_site: Site, tab: Tab, dev: bool) -> None:
    (folder / "prices.py").write_text(PRICES)
    with running(folder, page_site.origin, dev=dev) as server:
        tab.page.goto(page_site.put(hotshoe.embed.app_tag(at(server, "prices"))))
        alert = wait_for_alert(tab, "Something failed in this app.")
        words = "UnsendableError: ColumnDataSource.data['price'][0]" if dev else "Its id in the server's log is "
        assert words in alert.inner_text()
        tab.problems.clear()

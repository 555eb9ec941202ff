"""Behind a real nginx that waits two seconds, buffers and compresses everything, and cuts prefixes off."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Route, WebSocket, expect
from tests.support import proxy_programs
from tests.support.browser.page_site import site
from tests.support.browser.tab import Tab
from tests.support.ports import free_port
from tests.support.proxy_programs import nginx_file
from tests.support.running_server import Server
from tests.support.server_thread import serve

from hotshoe.web.files import bodies
from hotshoe.web.visits import starting

pytestmark = pytest.mark.real

READ_TIMEOUT_S = 2
PATIENCE_S = 0.7
BUILD_MOST_S = 60

APP = """
import time
from pathlib import Path
from bokeh.io import curdoc
from bokeh.models import Column, Div, Slider

request = curdoc().session_context.request
end = time.monotonic() + {build_most_s}
while not Path({go!r}).exists() and time.monotonic() < end:
    time.sleep(0.02)
{then}
said = Div(name="said", text=f"{{request.root_path}} {{sorted(request.arguments)}}")
slider = Slider(name="slider", start=0, end=10, value=1)
slider.on_change("value", lambda name, old, new: said.update(text=f"moved to {{new}}"))
curdoc().add_root(Column(said, slider))
curdoc().title = "Arrived"
"""

CONFIG = """
  map $http_upgrade $connection_header {{ default upgrade; "" close; }}
  proxy_read_timeout {read_timeout_ms}ms;
  proxy_buffering on;
  gzip on;
  gzip_proxied any;
  gzip_types *;
  gzip_min_length 1;
  gzip_vary on;
  server {{
    listen 127.0.0.1:{port};
    location = /favicon.ico {{ return 204; }}
    {locations}
  }}
"""
SAYS = """
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $http_host;
proxy_set_header Forwarded "";
"""
UPGRADES = """
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_header;
"""
CUT = """
location /{name}/ {{
  proxy_pass {{upstream}}/;
  {headers}
  proxy_set_header X-Forwarded-Prefix "$http_x_forwarded_prefix{added}";
}}
"""
# nginx asks by HTTP/1.0 unless it is told otherwise; at the root, only the websockets are told.
INNER = f"""
location / {{ proxy_pass {{upstream}}; {SAYS} proxy_set_header X-Forwarded-Prefix ""; }}
location ~ ^/[a-z]+/ws$ {{ proxy_pass {{upstream}}; {SAYS} {UPGRADES} proxy_set_header X-Forwarded-Prefix ""; }}
""" + "".join(CUT.format(name=name, added=added, headers=SAYS + UPGRADES)
              for name, added in (("joined", "/joined"), ("listed", ", /listed")))
OUTER = f"""
location /outer/ {{ proxy_pass {{upstream}}/; {SAYS} {UPGRADES} proxy_set_header X-Forwarded-Prefix /outer; }}
"""


@contextmanager
def nginx_of(folder: Path, locations: str, upstream: str) -> Iterator[str]:
    """nginx with these locations; yields its address, without a slash at its end."""
    port = free_port()
    folder.mkdir()
    file = nginx_file(folder, CONFIG.format(port=port, read_timeout_ms=round(READ_TIMEOUT_S * 1000),
                                            locations=locations.replace("{upstream}", upstream)))
    with proxy_programs.running("nginx", file, [port]):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("apps")


@pytest.fixture
def let_begin(folder: Path) -> Callable[[], None]:
    """The slow apps are slow until this is called."""
    go = folder / "go"
    go.unlink(missing_ok=True)
    return go.touch


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    apps = {"quick": (0, ""), "slow": (BUILD_MOST_S, ""), "failing": (BUILD_MOST_S, "raise RuntimeError('on purpose')")}
    for name, (build_most_s, then) in apps.items():
        text = APP.format(build_most_s=build_most_s, go=str(folder / "go"), then=then)
        (folder / f"{name}.py").write_text(text)
    flags = ("--use-xheaders", "--keep-alive", "500", "--allow-websocket-origin", "*")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "PATIENCE_S", PATIENCE_S)
        patch.setattr(bodies, "PATIENCE_S", PATIENCE_S)
        with serve(*(folder / f"{name}.py" for name in apps), flags=flags) as running:
            running.errors_expected = True
            yield running


@pytest.fixture(scope="module")
def proxied(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx_of(tmp_path_factory.mktemp("inner") / "nginx", INNER, server.root.rstrip("/")) as address:
        yield address


@pytest.fixture(scope="module")
def twice(proxied: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx_of(tmp_path_factory.mktemp("outer") / "nginx", OUTER, proxied) as address:
        yield address


def text(tab: Tab) -> str:
    found: str = tab.ask("named('said').text")
    return found


def assert_it_works(tab: Tab) -> None:
    tab.do("named('slider').value = 7")
    tab.wait("named('said').text == 'moved to 7'")


# -- an app that begins more slowly than the proxy waits


TOLD = "to start; its page says so"


def test_a_slow_app_arrives_at_its_own_address(new_tab: Callable[[], Tab], server: Server, proxied: str, twice: str,
                                               let_begin: Callable[[], None]) -> None:
    told = server.log.count(TOLD)
    urls = [f"{proxied}/slow?x=1&y=%20%26#part", f"{twice}/outer/joined/slow"]
    tabs = [new_tab() for _ in urls]
    for tab, url in zip(tabs, urls, strict=True):
        answer = tab.page.goto(url)
        assert answer is not None
        assert answer.status == 202
        tab.page.get_by_text("This app is starting.").wait_for()
        assert tab.page.url == url
    tabs[0].page.wait_for_timeout(1000 * READ_TIMEOUT_S)  # longer than a proxy waits for an answer
    let_begin()
    for tab, url, said in zip(tabs, urls, [" ['x', 'y']", "/outer/joined []"], strict=True):
        tab.wait_until_drawn()
        assert (tab.page.url, text(tab)) == (url, said)
        assert_it_works(tab)
        assert tab.page.evaluate("history.length") == 2  # the tab's first page, and this one
    assert server.log.count(TOLD) == told + 2  # asked for many times, built once each


def test_a_slow_app_that_fails_says_so_and_without_scripts_one_arrives(chromium: Browser, proxied: str,
                                                                           let_begin: Callable[[], None]) -> None:
    failing, plain = chromium.new_context(), chromium.new_context(java_script_enabled=False)
    try:
        page, plain_page = failing.new_page(), plain.new_page()
        for each, name in ((page, "failing"), (plain_page, "slow")):
            each.goto(f"{proxied}/{name}")
            each.get_by_text("This app is starting.").wait_for()
        let_begin()
        page.get_by_text("This app failed to build its page.").wait_for()
        expect(plain_page).to_have_title("Arrived", timeout=30_000)
    finally:
        failing.close()
        plain.close()


ASK = ("{address}/slow/autoload.js?bokeh-autoload-element=here&bokeh-app-path=/slow&bokeh-absolute-url={address}/slow"
       "&x=1")
EMBEDDED = {
    "the element": '<script type="module" src="{address}/slow/embed.js"></script>'
                   '<bokeh-app src="{address}/slow?x=1"></bokeh-app>',
    "a script element": f'<script src="{ASK}" id="here"></script>',
    "the script of bokeh": f"""<div id="here"></div><script>
      const ask = new XMLHttpRequest();
      ask.onload = () => {{{{
        const script = document.createElement("script");
        script.textContent = ask.response;
        document.body.append(script);
      }}}};
      ask.open("GET", "{ASK}");
      ask.send();
    </script>""",
}


def test_a_slow_app_in_a_page_of_another_site(new_tab: Callable[[], Tab], proxied: str,
                                              let_begin: Callable[[], None]) -> None:
    tabs = {name: new_tab() for name in EMBEDDED}
    with site() as elsewhere:
        for number, (name, tab) in enumerate(tabs.items()):
            body = EMBEDDED[name].format(address=proxied)
            tab.page.goto(elsewhere.put(f"<h1>A site</h1>{body}", f"/{number}"), wait_until="commit")
        for name, tab in tabs.items():
            tab.wait_for_text("Loading the app" if name == "the element" else "the app takes a while to start")
        let_begin()
        for tab in tabs.values():
            tab.wait("named('said') !== undefined")
            assert "'x'" in text(tab)
            assert_it_works(tab)


def test_a_server_that_is_away_for_a_moment_is_asked_again(chromium: Browser, proxied: str,
                                                           let_begin: Callable[[], None]) -> None:
    context = chromium.new_context()
    answers: list[int] = []

    def restart(route: Route) -> None:
        answers.append(502 if len(answers) < 2 else 0)
        if answers[-1]:
            route.fulfill(status=502)
        else:
            route.continue_()

    context.route(re.compile("hotshoe-starting"), restart)
    try:
        with site() as elsewhere:
            page, around = context.new_page(), context.new_page()
            page.goto(f"{proxied}/slow")
            around.goto(elsewhere.put(EMBEDDED["the element"].format(address=proxied)))
            while len(answers) < 3:
                page.wait_for_event("response")
            let_begin()
            for each in (page, around):
                each.wait_for_function("() => window.Bokeh?.documents?.[0]?.get_model_by_name('said')")
    finally:
        context.close()
    assert answers[:2] == [502, 502]


# -- what else proxies do


@pytest.mark.parametrize("path", ["", "/joined", "/listed"])
def test_a_prefix_that_is_cut_off(tab: Tab, proxied: str, path: str) -> None:
    tab.page.goto(f"{proxied}{path}/")
    tab.page.get_by_role("link", name="Quick").click()
    tab.wait_until_drawn()
    assert tab.page.url == f"{proxied}{path}/quick"
    assert text(tab) == f"{path} []"
    assert_it_works(tab)


@pytest.mark.parametrize("inner", ["joined", "listed"])
def test_a_prefix_on_a_prefix(tab: Tab, twice: str, inner: str) -> None:
    tab.page.goto(f"{twice}/outer/{inner}/")
    tab.page.get_by_role("link", name="Quick").click()
    tab.wait_until_drawn()
    assert tab.page.url == f"{twice}/outer/{inner}/quick"
    assert text(tab) == f"/outer/{inner} []"
    assert_it_works(tab)


def tell_of_its_end(problems: list[str], socket: WebSocket) -> None:
    socket.on("close", lambda _: problems.append("a websocket was closed"))


def test_a_page_outlasts_the_proxy_s_timeout(new_tab: Callable[[], Tab], proxied: str, twice: str) -> None:
    tabs = [new_tab(), new_tab()]
    for tab, url in zip(tabs, (f"{proxied}/quick", f"{twice}/outer/joined/quick"), strict=True):
        tab.page.on("websocket", partial(tell_of_its_end, tab.problems))
        tab.open(url)
    time.sleep(READ_TIMEOUT_S * 1.5)  # idle for longer than the proxies wait
    for tab in tabs:
        assert_it_works(tab)
        assert tab.problems == []


def test_buffering_and_compression_by_the_proxy(proxied: str) -> None:
    with httpx.Client(base_url=proxied, headers={"Accept-Encoding": "gzip"}) as client:
        page = client.get("/quick")
        script = client.get("/static/js/bokeh.min.js")
        plan = client.get("/quick/autoload.js", headers={"Accept": "application/json"})
    assert "<title>Arrived</title>" in page.text
    assert len(script.content) > 100_000
    assert plan.json()["token"]
    assert {each.headers["content-encoding"] for each in (page, script, plan)} == {"gzip"}

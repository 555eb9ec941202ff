"""`hotshoe serve --wsgi` as a process, with a Flask site that streams, takes uploads and is slow; and behind TLS."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser.tab import Tab
from tests.support.certificates import Authority
from tests.support.examples import Site, run
from tests.support.nginx import nginx
from tests.support.raw_websocket import WebSocket
from tests.support.waiting import wait_until

from hotshoe.web.site.wsgi import THREADS

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parent / "apps"
KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = new Proxy(WebSocket, {construct: (native, args, target) => {
  sockets.push(Reflect.construct(native, args, target));
  return sockets.at(-1);
}});
"""
COMMAND = "hotshoe serve ../../../examples/integrations/wave.py --wsgi flask_site:app --port 8000"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run(COMMAND, FOLDER, until="/open") as site:
        yield site


def ask(site: Site, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    line.request(method, path, body, headers)  # type: ignore[arg-type]  # files and iterables of bytes, too
    answer = line.getresponse()
    found = answer.status, answer.read()
    line.close()
    return found


def test_the_site_keeps_its_files_and_pages(site: Site) -> None:
    assert ask(site, "GET", "/static/site.css") == (200, (FOLDER / "static/site.css").read_bytes())
    assert ask(site, "GET", "/static/js/bokeh.min.js")[0] == 404
    assert ask(site, "GET", "/_hotshoe/static/js/bokeh.min.js")[0] == 200
    assert "<bokeh-app" in site.get("/")
    assert "bokeh" in site.get("/open")
    assert "bokeh" in site.get("/wave")
    assert ask(site, "GET", "/wave/nothing")[0] == 404
    assert ask(site, "POST", "/open")[0] == 405


@pytest.mark.parametrize("chunked", [False, True])
def test_uploads_are_as_large_as_the_site_takes_them(site: Site, chunked: bool) -> None:
    content = bytes(range(256)) * 20_000  # 5 MB
    body = (content[at:at + 99_991] for at in range(0, len(content), 99_991)) if chunked else io.BytesIO(content)
    headers = {} if chunked else {"Content-Length": str(len(content))}
    status, answer = ask(site, "POST", "/upload", body, **headers)
    assert status == 200
    assert json.loads(answer) == {"size": len(content), "sha256": sha256(content).hexdigest()}


def test_a_file_in_a_form(site: Site) -> None:
    form = (b"--x\r\nContent-Disposition: form-data; name=file; filename=a.bin\r\n\r\n" + b"y" * 3_000_000
            + b"\r\n--x--\r\n")
    content_type = {"Content-Type": "multipart/form-data; boundary=x"}
    assert ask(site, "POST", "/file", form, **content_type) == (200, b"3000000")


def test_streams_arrive_as_they_are_made_and_end_with_their_readers(site: Site) -> None:
    """Many more readers come and go than there are threads for."""
    for number in range(100):
        line = socket.create_connection(("127.0.0.1", site.port), timeout=30)
        line.sendall(f"GET /endless?who={number} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode())
        got = b""
        while b"data: 1\n" not in got:
            got += line.recv(4096)
        line.close()
    wait_until(lambda: len(json.loads(site.get("/closed"))) == 100, 60)


def test_slow_views_hold_up_no_app(site: Site, tmp_path: Path) -> None:
    """They have all threads of the site."""
    with ThreadPoolExecutor(THREADS) as pool:
        slow = [pool.submit(ask, site, "GET", f"/slow?folder={tmp_path}") for _ in range(THREADS)]
        wait_until(lambda: len(list(tmp_path.glob("waits-*"))) == THREADS, 60)
        began_s = time.monotonic()
        for _ in range(5):
            assert ask(site, "GET", "/open")[0] == 200  # the site is asked for it
            assert ask(site, "GET", "/wave")[0] == 200
        took_s = time.monotonic() - began_s
        assert not any(answer.done() for answer in slow), f"the apps took {took_s:.1f} s"
        (tmp_path / "go").touch()
        assert [answer.result() for answer in slow] == [(200, b"at last")] * THREADS


def test_sockets_are_for_who_has_logged_in(site: Site) -> None:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := CookieJar()))
    opener.open(site.root + "/login", b"name=ada", timeout=30).close()
    token = re.search(r'"token":"([^"]+)"', opener.open(site.root + "/greeting", timeout=30).read().decode())
    assert token is not None
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
    for header, status in (("", 401), ("session=x", 401), (cookies, 101)):
        with WebSocket(site.port, "/greeting/ws", protocols=["bokeh", token[1]], host="127.0.0.1", origin=site.root,
                       headers=[("Cookie", header)] if header else []) as line:
            assert line.status == status


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return Authority().both(tmp_path)


@pytest.mark.parametrize("way", ["hotshoe", "ProxyFix"])
def test_https_below_a_prefix_that_is_cut_off(way: str, chromium: Browser, certificate: Path) -> None:
    """Log in, use the app in the page, log out elsewhere: all of it at one origin, by https."""
    says = "proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Prefix /a/site;"
    more = {"PROXY_FIX": "1"} if way == "ProxyFix" else {}
    with (
        run(COMMAND + " --use-xheaders", FOLDER, until="/open", environment=more) as site,
        nginx(f"{site.root}/", "/a/site", certificate=certificate, says=says) as base,
    ):
        context = chromium.new_context(ignore_https_errors=True)
        context.add_init_script(KEEP_SOCKETS)
        tab, asked = Tab(context), list[str]()
        context.on("request", lambda request: asked.append(request.url))
        tab.page.on("websocket", lambda found: asked.append(found.url))
        tab.page.goto(base + "greeting")
        assert tab.page.url == base + "login"
        tab.page.locator("input").fill("ada")
        tab.page.locator("button").click()
        tab.wait_until_drawn()
        assert tab.page.url == base
        assert tab.page.locator("h1").evaluate("it => getComputedStyle(it).color") == "rgb(1, 2, 3)"
        tab.wait_for_text("Hello ada, ada")
        tab.do("model('Slider').value = 7")
        tab.wait_for_text("ada has 7")
        tab.open(base + "greeting")
        tab.wait_for_text("Hello ada, ada")
        context.clear_cookies()
        tab.do("sockets.forEach((socket) => socket.close())")  # as if the network had been away
        tab.wait_for_text("You are not logged in any more. Load this page again to log in.")
        tab.page.reload()
        assert tab.page.url == base + "login"
        of_site = (base, base.replace("https", "wss", 1), "data:")
        assert [url for url in asked if not url.startswith(of_site)] == []
        assert sum(url.startswith("wss") for url in asked) >= 3
        expected = ("ERR_ABORTED", "HTTP Authentication failed", "Could not open websocket")  # left, or refused
        assert [problem for problem in tab.problems if not any(words in problem for words in expected)] == []
        context.close()


def test_it_ends_though_a_stream_has_not(site: Site) -> None:
    """The last test of the site, as it ends it."""
    line = socket.create_connection(("127.0.0.1", site.port), timeout=30)
    line.sendall(f"GET /endless?who=last HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode())
    assert line.recv(4096)
    site.stop()
    line.close()

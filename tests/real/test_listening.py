"""A Unix socket, and what a proxy in front of it says of its visitors, as the app sees it."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest
from tests.support.command import Command, hotshoe
from tests.support.nginx import nginx

from hotshoe import Server

pytestmark = pytest.mark.real

READY = "Starting Bokeh server with process id:"

APP = """\
import json
from bokeh.io import curdoc
request = curdoc().session_context.request
curdoc().title = json.dumps([request.remote_ip, request.protocol, request.host, request.client_known])
"""

FORWARDED = """
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host public.example;
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def seen(page: httpx.Response) -> list[object]:
    """Who the app thinks has asked."""
    assert page.status_code == 200, page.text
    found = re.search("<title>(.*?)</title>", page.text)
    assert found is not None
    request: list[object] = json.loads(found[1].replace("&#34;", '"').replace("&quot;", '"'))
    return request


def by_socket(path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://inner", timeout=20)


def refused(command: Command) -> str:
    """The one line with which it has ended."""
    assert command.finish() == 1, command.log
    [line] = command.log.splitlines()
    return line


def test_a_unix_socket(app: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    arguments = ("serve", "app.py", "--unix-socket", "a.sock")
    with hotshoe(*arguments, "--unix-socket-mode", "660", cwd=tmp_path) as command:
        command.wait_for("Listening on the Unix socket a.sock")
        command.wait_for(READY)
        assert "running at" not in command.log
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with by_socket(path) as client:
            assert seen(client.get("/app", headers={"X-Forwarded-For": "198.51.100.1"})) == [
                None, "http", "inner", False]
        with hotshoe(*arguments, cwd=tmp_path) as second:
            assert refused(second).endswith("on the Unix socket a.sock: another server listens on it")
        with by_socket(path) as client:
            assert client.get("/app").status_code == 200
        command.send(signal.SIGTERM)
        assert command.finish() == 0
        assert "Traceback" not in command.log
    assert not path.exists()


@pytest.mark.parametrize(("arguments", "line"), [
    (("--port", "5007"), "ERROR: --port arg is not supported with a unix socket"),
    (("--address", "127.0.0.1"), "ERROR: ['address', 'ssl_certfile', 'ssl_keyfile', 'port'] args are not supported "
                                 "with a unix socket"),
    (("--unix-socket", "no/such/folder/a.sock"), "ERROR: Cannot start Bokeh server on the Unix socket "
                                                 "no/such/folder/a.sock: its folder does not exist"),
])
def test_what_can_not_be_ends_with_one_line(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    with hotshoe("serve", "--unix-socket", "a.sock", *arguments, cwd=tmp_path) as command:
        assert refused(command) == line


def test_in_the_library(app: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    server = Server(app, unix_socket=str(path))
    for _ in range(2):
        with server:
            assert (server.port, server.urls) == (0, [])
            with pytest.raises(RuntimeError, match="no URL"):
                server.url()
            with by_socket(path) as client:
                assert client.get("/app").status_code == 200
        assert not path.exists()


def test_nginx_before_a_unix_socket(app: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with Server(app, unix_socket=str(path), use_xheaders=True), \
            nginx(f"http://unix:{path}:/", "/below", says=FORWARDED) as url:
        page = httpx.get(f"{url}app", headers={"X-Forwarded-For": "1.1.1.1"}, timeout=20)
        # What the visitor wrote in front is not believed. (The visitor is on this machine, so all are ours.)
        assert seen(page)[1:] == ["https", "public.example", True]


def test_only_trusted_proxies_are_believed(app: Path) -> None:
    said = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example"}
    forwarded = ["198.51.100.1", "https", "public.example", True]
    with Server(app, port=0, address="127.0.0.1") as server:
        url = server.url("/app")
        assert seen(httpx.get(url, headers=said)) == ["127.0.0.1", "http", f"127.0.0.1:{server.port}", False]
    with Server(app, port=0, address="127.0.0.1", use_xheaders=True) as server:
        assert seen(httpx.get(server.url("/app"), headers=said)) == forwarded
        assert seen(httpx.get(server.url("/app")))[3] is False

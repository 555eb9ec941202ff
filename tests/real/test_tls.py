"""https with a chain and a password, as clients and browsers see it; certificates that change under load."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright
from tests.support.browser.chromium import FLAGS, START_TIMEOUT_MS, program
from tests.support.browser.tab import Tab
from tests.support.certificates import Authority, Pair
from tests.support.command import PATIENCE_S, hotshoe
from tests.support.differential.questions import token
from tests.support.differential.two_servers import APPS
from tests.support.running_server import Server as RunningServer
from tests.support.server_thread import serve
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from hotshoe import Server

pytestmark = pytest.mark.real

CLIENT = """
import sys
from bokeh.client import pull_session
with pull_session(url=sys.argv[1]) as session:
    slider = session.document.get_model_by_name("plain")
    slider.value = 5
    session.force_roundtrip()
    print(session.document.title)
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def served(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningServer, Pair]]:
    """A server with an intermediate certificate and an encrypted key, and the pair of files that it has."""
    pair = authority.pair(tmp_path, password="hush")
    monkeypatch.setenv("BOKEH_SSL_KEYFILE", str(pair.key))
    monkeypatch.setenv("BOKEH_SSL_PASSWORD", "hush")
    with serve(APPS / "sliders.py", flags=("--ssl-certfile", str(pair.cert))) as server:
        yield server, pair
        server.stop()
        assert "Traceback" not in server.log
        assert "hush" not in server.log


def test_python_clients_trust_the_chain(
    served: tuple[RunningServer, Pair], authority: Authority, tmp_path: Path
) -> None:
    url = served[0].urls["sliders"]
    with httpx.Client(verify=authority.client, timeout=20) as client:
        page = client.get(url)
        assert page.status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(url)
    root = tmp_path / "root.pem"
    root.write_bytes(authority.root.cert_pem.bytes())
    done = subprocess.run([sys.executable, "-c", CLIENT, url], capture_output=True, text=True, timeout=PATIENCE_S,
                          env={**os.environ, "SSL_CERT_FILE": str(root)}, check=False)
    assert done.stdout == "Sliders of a test\n", done.stderr


def test_chromium(served: tuple[RunningServer, Pair], tmp_path: Path) -> None:
    url = served[0].urls["sliders"]
    path = program()
    key = x509.load_pem_x509_certificates(served[1].cert.read_bytes())[0].public_key()
    spki = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    trusted = f"--ignore-certificate-errors-spki-list={base64.b64encode(spki).decode()}"
    with sync_playwright() as playwright, ExitStack() as stack:
        # The list counts only for a profile of its own.
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=path, args=[*FLAGS, trusted], timeout=START_TIMEOUT_MS)
        stack.callback(context.close)
        tab = Tab(context)
        tab.open(url)
        tab.do('named("doubled").value = 21')
        tab.wait('named("echo").text == "42"')
        assert tab.ask("location.protocol") == "https:"
        assert tab.problems == []


def test_plain_http_gets_nothing_and_is_no_error(served: tuple[RunningServer, Pair], authority: Authority) -> None:
    server, _ = served
    url, port = server.urls["sliders"], server.port
    before = server.log
    for nonsense in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01", b"\0" * 1000):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            plain.sendall(nonsense)
            plain.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while piece := plain.recv(1000):
                    answer += piece
            except ConnectionError:
                pass
            assert b"HTTP" not in answer
    with httpx.Client(verify=authority.client, timeout=20) as client:
        assert client.get(url).status_code == 200
    assert server.log == before


async def fingerprint(port: int, client: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection gets."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(found).serial_number


async def test_a_new_certificate_while_visitors_come_and_stay(
    served: tuple[RunningServer, Pair], authority: Authority
) -> None:
    server, pair = served
    server.errors_expected = True
    port = server.port
    client, ended = authority.client, asyncio.Event()

    async def visit() -> int:
        count = 0
        while not ended.is_set():
            async with httpx.AsyncClient(verify=client, timeout=20) as visitor:
                answer = await visitor.get(f"https://localhost:{port}/static/js/bokeh.min.js")
                assert answer.status_code == 200
                count += 1
        return count

    async with connect(f"wss://localhost:{port}/sliders/ws", ssl=client,
                       subprotocols=[Subprotocol("bokeh"), Subprotocol(token("stays"))],
                       max_size=None) as stays:
        assert "ACK" in str(await stays.recv())
        visitors = [asyncio.create_task(visit()) for _ in range(3)]
        for password in ("hush", "hush", "wrong"):
            before = await fingerprint(port, client)
            pair.write(authority.leaf(), password)
            if password == "wrong":
                async with asyncio.timeout(PATIENCE_S):
                    while "the previous one stays in use" not in server.log:
                        await asyncio.sleep(0.1)
                assert await fingerprint(port, client) == before
            else:
                async with asyncio.timeout(PATIENCE_S):
                    while await fingerprint(port, client) == before:
                        await asyncio.sleep(0.1)
        ended.set()
        assert all(count > 0 for count in await asyncio.gather(*visitors))
        pong = await stays.ping()
        await asyncio.wait_for(pong, 20)
        assert server.log.count("The certificate has changed: new connections use") == 2


def test_a_refusal_is_read_by_tls_clients_too(served: tuple[RunningServer, Pair], authority: Authority) -> None:
    url = served[0].urls["sliders"]
    with httpx.Client(verify=authority.client, timeout=20) as client:
        for headers, content, status in (({"Cookie": "x" * 500_000}, b"", 431), ({}, bytes(1_500_000), 413)):
            assert client.post(url, headers=headers, content=content).status_code == status


def test_one_line_for_what_is_wrong(authority: Authority, tmp_path: Path) -> None:
    authority.pair(tmp_path, password="hush")
    with hotshoe("serve", "--ssl-certfile", "server.pem", "--ssl-keyfile", "server.key", "--port", "0",
                 cwd=tmp_path) as command:
        assert command.finish() == 1
        assert command.log == (f"ERROR: The key in {tmp_path}/server.key is encrypted: give its password as "
                               "BOKEH_SSL_PASSWORD in the environment\n")


def test_in_the_library(authority: Authority, tmp_path: Path) -> None:
    pair = authority.pair(tmp_path)
    with Server(APPS / "sliders.py", port=0, ssl_certfile=str(pair.cert), ssl_keyfile=str(pair.key),
                hsts_max_age=60) as server:
        [url] = server.urls
        assert url == f"https://localhost:{server.port}/sliders"
        with httpx.Client(verify=authority.client, timeout=20) as client:
            assert "Strict-Transport-Security" not in client.get(url).headers, "it would count for all of localhost"
            assert "Strict-Transport-Security" in client.get(url, headers={"Host": "example.org"}).headers

"""A real server among hostile visitors: each limit has a status, a line in the log, and leaves the others alone."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from bokeh.client import pull_session
from tests.support.certificates import Authority
from tests.support.command import hotshoe
from tests.support.differential.conversations import connect as connect_plain
from tests.support.differential.conversations import model_of
from tests.support.differential.questions import token
from tests.support.differential.two_servers import APPS
from tests.support.raw_http import get, request
from tests.support.raw_websocket import ClosedError, WebSocket, handshake
from tests.support.server_thread import MakeServer
from tests.support.stock_client import model, wait_until_told
from tests.support.waiting import wait_until
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.typing import Subprotocol

from hotshoe import Server

pytestmark = pytest.mark.real

FLOOD = 2000
SLIDERS = APPS / "sliders.py"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may hold the client's side of a flood."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FLOOD + 1000
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip("this user may not open so many files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def flooded(stack: ExitStack, port: int, piece: bytes) -> list[socket.socket]:
    """Connections that begin to say something and do not go on."""
    crowd = []
    for _ in range(FLOOD):
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        sock.sendall(piece)
        crowd.append(sock)
    return crowd


def trickle(crowd: list[socket.socket]) -> None:
    """One more byte from each that is still there."""
    for sock in crowd:
        with suppress(OSError):
            sock.sendall(b"x")


# A few of the kinds would do for the server; together they are what slowloris does.
PIECES = {"silent": b"", "head": b"GET /sliders HTTP/1.1\r\nHost: x\r\nX-", "body": (
    b"POST /sliders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")}


@pytest.mark.parametrize("kind", PIECES)
def test_half_open_connections_keep_nobody_out(many_files: None, tmp_path: Path, kind: str) -> None:
    with hotshoe("serve", str(SLIDERS), "--port", "0", "--request-timeout", "5", cwd=tmp_path) as command:
        command.wait_for("process id:")
        port = int(command.urls()[0].split(":")[2].split("/")[0])
        get(port, "/sliders")
        with ExitStack() as stack:
            crowd = flooded(stack, port, PIECES[kind])
            took_s = []
            for _ in range(5):
                trickle(crowd[:200] if kind != "silent" else [])
                began = time.monotonic()
                assert get(port, "/sliders").status == 200
                with connect_plain(port) as visitor:
                    assert visitor.pull()["roots"]
                took_s.append(time.monotonic() - began)
            assert min(took_s) < 5
            server = psutil.Process(command.process.pid)
            # They are given up when their time is over, and cost nothing any more.
            wait_until(lambda: server.num_fds() < 200, 60)
        assert command.log.count("\n") <= 4, command.log


def test_a_flood_beyond_the_places_drives_out_itself(many_files: None, tmp_path: Path) -> None:
    with hotshoe("serve", str(SLIDERS), "--port", "0", "--max-connections", "100", cwd=tmp_path) as command:
        command.wait_for("process id:")
        port = int(command.urls()[0].split(":")[2].split("/")[0])
        with connect_plain(port) as early, ExitStack() as stack:
            flooded(stack, port, PIECES["head"])
            assert get(port, "/sliders").status == 200
            with connect_plain(port) as late:
                assert late.pull()["roots"]
            assert early.pull()["roots"], "one who works is not cut"
            assert psutil.Process(command.process.pid).num_fds() < 250
        command.wait_for("All places are taken: cut connections that waited for a request")


def test_handshakes_of_tls_that_never_end(many_files: None, tmp_path: Path) -> None:
    authority = Authority()
    pair = authority.pair(tmp_path)
    with hotshoe("serve", str(SLIDERS), "--port", "0", "--ssl-certfile", str(pair.cert), "--ssl-keyfile",
                 str(pair.key), cwd=tmp_path) as command:
        command.wait_for("process id:")
        url = command.log.partition("running at: ")[2].splitlines()[0]
        port = int(url.split(":")[2].split("/")[0])
        with ExitStack() as stack, httpx.Client(verify=authority.client, timeout=30) as client:
            flooded(stack, port, b"\x16\x03\x01\x02\x00\x01")
            assert client.get(url).status_code == 200
            server = psutil.Process(command.process.pid)
            wait_until(lambda: server.num_fds() < 200, 60)
        assert "Traceback" not in command.log


def test_the_size_of_a_head(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, max_header_size=4000)
    for size, status in ((1000, 200), (200_000, 431)):
        assert get(server.port, "/sliders", {"Cookie": "a=" + "x" * size}).status == status
    assert [line.partition(":")[0] for line in lines(caplog)] == [
        "The head of a request is larger than --max-header-size, or has more than 100 headers"]


def test_the_size_of_a_body(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, max_body_size=1000)
    for size, status in ((1000, 405), (1001, 413)):
        answer = httpx.post(server.url("/sliders"), content=bytes(size), timeout=20)
        assert answer.status_code == status
    assert lines(caplog)[0].startswith("The body of a request is larger than --max-body-size")


def test_the_time_of_a_request(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, request_timeout=1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        slow.sendall(PIECES["head"])
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert lines(caplog)[0].startswith("The head of a request took longer than --request-timeout")


def test_connections_in_all(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, max_connections=2)
    with connect_plain(server.port), connect_plain(server.port):
        answer = get(server.port, "/sliders")
        assert (answer.status, answer.reason) == (503, "Service Unavailable")
        assert "All places on this server are taken" in answer.text
    wait_until(lambda: get(server.port, "/sliders").status == 200)
    assert any("--max-connections" in line for line in lines(caplog))


def test_connections_of_an_address(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    addresses = [each.address for of_one in psutil.net_if_addrs().values() for each in of_one
                 if each.family == socket.AF_INET and not each.address.startswith("127.")]
    if not addresses:
        pytest.skip("this machine has no address but that of loopback, whose visitors are not counted")
    server = make_server(sliders=SLIDERS, address=None, max_connections_per_address=2)
    idle = [socket.create_connection((addresses[0], server.port), timeout=20) for _ in range(2)]
    for sock in idle:
        sock.sendall(handshake(server.port, "/sliders/ws", ("bokeh", token("held"))))
        assert sock.recv(12) == b"HTTP/1.1 101"
    answer = httpx.get(f"http://{addresses[0]}:{server.port}/sliders", timeout=20)
    assert (answer.status_code, answer.text) == (429, "There are too many connections from your address.")
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect_plain(server.port))
    for sock in idle:
        sock.close()
    assert any("--max-connections-per-address" in line for line in lines(caplog))


def test_sessions_of_an_address(make_server: MakeServer) -> None:
    server = make_server(sliders=SLIDERS, max_sessions_per_address=2, use_xheaders=True)
    def visit(address: str) -> int:
        return get(server.port, "/sliders", {"X-Forwarded-For": address}).status
    assert [visit(address) for address in ("198.51.100.1",) * 3 + ("198.51.100.2",)] == [200, 200, 429, 200]
    assert [get(server.port, "/sliders").status for _ in range(5)] == [200] * 5


# -- compressed websockets

@asynccontextmanager
async def compressed(server: Server, **more: Any) -> AsyncIterator[ClientConnection]:
    options: dict[str, Any] = {"compression": "deflate", "max_size": None, **more}
    protocols = [Subprotocol("bokeh"), Subprotocol(token("compressed"))]
    async with connect(f"ws://127.0.0.1:{server.port}/sliders/ws", subprotocols=protocols, **options) as socket:
        yield socket


def extensions(socket: ClientConnection) -> str:
    assert socket.response is not None
    return socket.response.headers.get("Sec-WebSocket-Extensions", "")


async def pulled(socket: ClientConnection) -> str:
    assert "ACK" in str(await socket.recv())
    for _ in range(2):
        await socket.recv()
    for part in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
        await socket.send(part)
    reply = ""
    while '{"doc":' not in reply:  # what a busy server says of itself may come first
        reply = str(await socket.recv())
    return reply


@pytest.mark.parametrize("settings", [
    {"websocket_compression_level": 1}, {"websocket_compression_level": 9}, {"websocket_compression_mem_level": 8},
    {"websocket_compression_level": 6, "websocket_compression_mem_level": 1},
])
async def test_websockets_are_compressed_on_demand(make_server: MakeServer, settings: dict[str, int]) -> None:
    server = make_server(sliders=SLIDERS, **settings)
    async with compressed(server) as socket:
        assert "permessage-deflate" in extensions(socket)
        assert "Sliders of a test" in await pulled(socket)
    async with compressed(server, compression=None) as socket:
        assert extensions(socket) == ""
        assert "Sliders of a test" in await pulled(socket)
    with connect_plain(server.port) as plain:
        assert model_of(plain.pull(), "plain")


@pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning")  # of tornado, in the client
def test_bokehs_client_and_a_server_that_compresses(make_server: MakeServer) -> None:
    server = make_server(sliders=SLIDERS, websocket_compression_level=6)
    with pull_session(url=server.url("/sliders")) as session:
        model(session, "doubled").value = 30
        wait_until_told(session, lambda: model(session, "echo").text == "60")


async def test_they_are_not_compressed_otherwise(make_server: MakeServer) -> None:
    async with compressed(make_server(sliders=SLIDERS)) as socket:
        assert extensions(socket) == ""


def test_a_level_saves_bytes(make_server: MakeServer) -> None:
    """The same document as bytes on the wire: level 0 stores, level 9 compresses."""
    sizes = {}
    for level in (0, 9):
        server = make_server(sliders=SLIDERS, websocket_compression_level=level)
        offer = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
        with WebSocket(server.port, "/sliders/ws", protocols=("bokeh", token("size")), headers=offer) as socket:
            for part in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
                socket.send(part)
            sizes[level] = sum(len(socket.next_payload()) for _ in range(6))
    assert sizes[9] < sizes[0] / 2


async def test_a_bomb_is_not_inflated(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, websocket_compression_level=6, websocket_max_message_size=100_000)
    deflater = zlib.compressobj(9, wbits=-12)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(500))
    bomb += deflater.flush(zlib.Z_SYNC_FLUSH)[:-4]
    before = psutil.Process().memory_info().rss
    factory = ClientPerMessageDeflateFactory(client_max_window_bits=12)
    async with compressed(server, extensions=[factory], compression=None) as peer:
        await peer.recv()
        header = b"\xc2\xff" + len(bomb).to_bytes(8, "big") + bytes(4)
        peer.transport.write(header + bomb)
        await asyncio.wait_for(peer.wait_closed(), 30)
        assert (peer.close_code, peer.close_reason) == (1009, "message too big")
    assert psutil.Process().memory_info().rss - before < 100_000_000
    with connect_plain(server.port) as plain:
        try:
            assert plain.pull()["roots"]
        except ClosedError as error:
            raise AssertionError(error.closed) from error


def test_what_is_asked_for_too_often_is_logged_once(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(sliders=SLIDERS, max_header_size=1024)
    for _ in range(20):
        assert request(server.port, "/sliders", "GET", {"Cookie": "x" * 2000}).status == 431
    assert len(lines(caplog)) == 1

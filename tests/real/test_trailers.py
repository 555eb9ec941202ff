"""What a visitor brings past a proxy: trailers, and bodies that a server takes for requests. Nothing of it counts.

Our server, uvicorn, hypercorn and granian, alone and behind each proxy as `hotshoe deploy` sets it up.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from runpy import run_path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import uvicorn
from tests.support.cases import every_case
from tests.support.deployed import generate, listens, ports, processes, running
from tests.support.size import full_size
from tests.support.trailers import FIELDS, chunked, lines
from tests.support.waiting import wait_until

import hotshoe

pytestmark = pytest.mark.real

TIMEOUT_S = 60
MODULE = '''
import json
import hotshoe
from starlette.requests import HTTPConnection
from hotshoe.auth.header_login import HeaderLogin, Names
from hotshoe.http.requests import client_address, header
from hotshoe.http.scopes import DOUBTED
from hotshoe.web.gate.foreign_servers import of_client

login = HeaderLogin(Names("x-forwarded-user", groups="x-forwarded-groups"))
heard = []


async def site(scope, receive, send):
    """Says what counts of the request; /heard says it of all requests."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    size = 0
    while True:
        event = await receive()
        size += len(event.get("body", b""))
        if event["type"] != "http.request" or not event["more_body"]:
            break
    connection = HTTPConnection(of_client(scope) if DOUBTED in scope else scope)
    user = await login.user_of(connection)
    said = {"path": scope["path"], "user": user and user.name, "groups": sorted(user.groups) if user else [],
            "address": client_address(connection), "host": header(connection.scope, b"host"), "size": size,
            "headers": dict(connection.headers)}
    text = json.dumps(heard if scope["path"] == "/heard" else said).encode()
    heard.append(said)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


def build(document):
    pass


options = {"auth": login, "use_xheaders": True}
application = hotshoe.wrap(site, {"/app": build}, **options)
'''
PROCESSES = ("hypercorn -k uvloop --graceful-timeout 0 -b 127.0.0.1:{port} application:application",
             "granian --interface asgi --port {port} application:application")
SERVERS = ("hotshoe", "httptools", "h11", "hypercorn", "granian")
PROXIES = ("nginx", "apache", "caddy", "haproxy")
BEHIND = [(proxy, server) for proxy in PROXIES for server in SERVERS
          if full_size() or server == "hotshoe" or (server == "httptools" and proxy != "apache")]

HEAD = ("Host: localhost", "Connection: close", "X-Forwarded-User: eve", "X-Forwarded-For: 198.51.100.7")


@dataclass(frozen=True)
class Farm:
    """The ports of the servers, and of the proxies by the server behind them."""

    servers: dict[str, int]
    proxies: dict[tuple[str, str], int]

    def heard(self, server: str) -> list[dict[str, Any]]:
        """What a server has heard so far."""
        request = b"GET /heard HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        said = said_by(ask(self.servers[server], request))
        assert isinstance(said, list)
        return said


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("trailers")
    (folder / "application.py").write_text(MODULE)
    servers = dict(zip(SERVERS, ports(len(SERVERS)), strict=True))
    others = [servers[name] for name in ("hypercorn", "granian")]
    with ExitStack() as stack:
        own = run_path(str(folder / "application.py"))
        stack.enter_context(hotshoe.Server({"/app": own["build"]}, site=own["site"], address="127.0.0.1",
                                           port=servers["hotshoe"], **own["options"]))
        for http in ("httptools", "h11"):
            stack.enter_context(uvicorn_thread(run_path(str(folder / "application.py"))["application"], http,
                                               servers[http]))
        commands = [command.format(port=port) for command, port in zip(PROCESSES, others, strict=True)]
        stack.enter_context(processes(commands, folder, lambda number: listens(others[number])))
        proxies = {}
        for pair in BEHIND:
            proxy, server = pair
            (proxies[pair],) = ports(1)
            files = generate(proxy, folder / "-".join(pair), "app.py", "--domain", "localhost", "--no-tls", "--listen",
                             f"127.0.0.1:{proxies[pair]}", "--upstream", f"127.0.0.1:{servers[server]}", "--auth",
                             "header", "--auth-header-user", "X-Forwarded-User", "--behind", "192.0.2.1", "--name",
                             "-".join(pair))
            (name,) = files
            stack.enter_context(running(proxy, folder / "-".join(pair) / name, proxies[pair]))
        for port in proxies.values():
            wait_until(partial(listens, port), TIMEOUT_S)
        yield Farm(servers, proxies)


@contextmanager
def uvicorn_thread(application: Any, http: Any, port: int) -> Iterator[None]:
    """uvicorn on a thread, as its command line would run it."""
    server = uvicorn.Server(uvicorn.Config(application, http=http, port=port, log_config=None,
                                           proxy_headers=http == "httptools"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(partial(listens, port), TIMEOUT_S)
        yield
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def ask(port: int, *pieces: bytes) -> bytes:
    """All that is answered until the connection ends. A server that closes early may cut its own answer off."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionError):
            while data := connection.recv(65536):
                answer += data
    return answer


def said_by(answer: bytes) -> Any:
    """What the site says; ``None`` if the request was refused."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    if b"HTTP/1.1 200" not in head:
        assert not answer or b"HTTP/1.1 4" in head or b"HTTP/1.1 5" in head, answer
        return None
    return json.loads(body)


def pieces_of(request: bytes) -> Iterator[tuple[bytes, ...]]:
    """The request at once, byte by byte, and split where it matters, or everywhere."""
    body = request.index(b"\r\n\r\n") + 4
    trailer = request.index(b"0\r\n", body) + 3
    yield (request,)
    yield request[:body], request[body:]
    yield request[:trailer], request[trailer:]
    yield tuple(request[at:at + 1] for at in range(len(request)))
    if full_size():
        for at in range(1, len(request)):
            yield request[:at], request[at:]


def fields() -> Iterator[Sequence[str]]:
    """The trailers: each field, and all those that no server refuses."""
    for name in FIELDS:
        yield lines((name,))
    yield lines(tuple(name for name in FIELDS if name not in ("Content-Length", "Transfer-Encoding")))


@pytest.mark.parametrize("server", SERVERS)
def test_each_field_in_a_trailer(farm: Farm, server: str) -> None:
    plain = said_by(ask(farm.servers[server], chunked(head=HEAD)))
    if server == "httptools":
        assert (plain["user"], plain["address"], plain["host"]) == (None, None, "localhost")
    else:
        assert (plain["user"], plain["address"]) == ("eve", "198.51.100.7"), "it keeps trailers apart, so this counts"
    with every_case() as case:
        for trailer in fields():
            for pieces in pieces_of(chunked(*trailer, head=HEAD)):
                said = said_by(ask(farm.servers[server], *pieces))
                with case((trailer, pieces)):
                    if server == "hotshoe":
                        assert said is None
                    elif server == "httptools" and said is not None:
                        assert counted(said) == counted(plain)
                    else:
                        assert said in (None, plain)
        assert {each["user"] for each in farm.heard(server)} <= {"eve", None}


def counted(said: dict[str, Any]) -> tuple[Any, ...]:
    """What must not come from a trailer."""
    own = ("cookie", "origin", "upgrade", "connection", "content-length", "transfer-encoding")
    return (*(said[name] for name in ("user", "groups", "address", "host")),
            {name: value for name, value in said["headers"].items() if name not in own})


@pytest.mark.parametrize("server", SERVERS)
def test_a_trailer_logs_nobody_in(farm: Farm, server: str) -> None:
    head = ("Host: localhost", "Connection: close")
    for method, path in (("GET", "/app/metadata"), ("GET", "/app"), ("POST", "/app")):
        for pieces in pieces_of(chunked(*lines(("X-Forwarded-User",)), path=path, head=head, method=method)):
            answer = ask(farm.servers[server], *pieces)
            assert not answer or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 ", b"HTTP/1.1 405 ")), answer


@pytest.mark.parametrize("pair", BEHIND, ids="-".join)
def test_each_field_in_a_trailer_through_a_proxy(farm: Farm, pair: tuple[str, str]) -> None:
    head = ("Host: localhost", "Connection: close", "TE: trailers")
    with every_case() as case:
        for trailer in fields():
            names = ", ".join(line.partition(":")[0] for line in trailer)
            for announced in ((), (f"Trailer: {names}",)):
                every = full_size() and trailer == lines(("X-Forwarded-User",))
                for pieces in list(pieces_of(chunked(*trailer, head=(*head, *announced))))[:None if every else 3]:
                    said = said_by(ask(farm.proxies[pair], *pieces))
                    with case((trailer, announced, pieces)):
                        if said is not None:
                            assert (said["user"], said["groups"]) == (None, [])
                            assert said["address"] in (None, "127.0.0.1")
                            assert "evil" not in said["host"]
                            assert "203.0.113.66" not in str(said["headers"])
        assert {each["user"] for each in farm.heard(pair[1])} <= {"eve", None}


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: root\r\n\r\n"


EVERYWHERE = [*(("", server) for server in SERVERS), *BEHIND]


@pytest.mark.parametrize("pair", EVERYWHERE, ids="-".join)
def test_a_body_is_never_a_request(farm: Farm, pair: tuple[str, str]) -> None:
    """Also if the request asks for another protocol, and its body comes in several reads."""
    proxy, server = pair
    port = farm.servers[server] if not proxy else farm.proxies[proxy, server]
    before = len(farm.heard(server))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pieces: send_and_leave(port, *pieces), smuggling()))
    heard = farm.heard(server)[before:]
    assert "/smuggled" not in {each["path"] for each in heard}
    assert {each["user"] for each in heard} <= {None}


def smuggling() -> Iterator[tuple[bytes, bytes, bytes]]:
    """Requests of which the last piece is another request, if the server does not read their body."""
    asks = ["Upgrade: foo\r\nConnection: upgrade\r\n", "Upgrade: websocket\r\nConnection: upgrade\r\nConnection: x\r\n"]
    paddings = [0, 70_000]
    if full_size():
        asks.append("Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\n")
        paddings += [8192, 300_000, 600_000]
    for asked in asks:
        for padding in paddings:
            body = b"\r\n" * (padding // 2) + SMUGGLED
            for framing, data in ((f"Content-Length: {len(body)}", body),
                                  ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))):
                at = data.index(SMUGGLED)
                head = f"POST /sent HTTP/1.1\r\nHost: localhost\r\n{asked}{framing}\r\n\r\n"
                yield head.encode(), data[:at], data[at:]


def send_and_leave(port: int, *pieces: bytes) -> None:
    """Send the pieces, each when the one before has had time to arrive, and read until nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection, suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            connection.settimeout(0.02)
            with suppress(TimeoutError):
                connection.recv(65536, socket.MSG_PEEK)
            connection.settimeout(1)  # uvicorn does not answer a websocket's broken handshake
        while connection.recv(65536):
            connection.settimeout(0.2)


@pytest.mark.parametrize("server", ["hypercorn", "granian"])
def test_a_trailer_of_http_2(farm: Farm, server: str) -> None:
    for name in FIELDS:
        if name in ("Connection", "Upgrade", "Transfer-Encoding", "Host"):
            continue  # HTTP/2 has none of them
        said = ask_http_2(farm.servers[server], [(name.lower(), FIELDS[name])])
        assert said is None or (said["user"], said["address"]) == ("eve", "198.51.100.7"), name
        assert said is None or "evil" not in str(said), name


def ask_http_2(port: int, trailer: list[tuple[str, str]]) -> Any:
    """What the site says; ``None`` if the request was refused."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
    body = b""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        client.initiate_connection()
        client.send_headers(1, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "localhost"),
                                ("x-forwarded-user", "eve"), ("x-forwarded-for", "198.51.100.7")])
        client.send_data(1, b"a")
        client.send_headers(1, trailer, end_stream=True)
        connection.sendall(client.data_to_send())
        while data := connection.recv(65536):
            for event in client.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    return json.loads(body)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return None
    return None

"""Servers that mean no good: endless, slow, circular, with headers and words that should harm who reads them."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from tests.support.doctor import severities
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions, examine, render
from hotshoe.tokens import mint

pytestmark = pytest.mark.real

Handler = Callable[[socket.socket, bytes], None]
QUICK = DoctorOptions(timeout_s=1.5, page_s=1.5, start_s=3)


@contextmanager
def server(handle: Handler) -> Iterator[str]:
    """A server that does this with each connection once it has a request's head; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(20)
            head = b""
            while b"\r\n\r\n" not in head and (data := connection.recv(65_536)):
                head += data
            handle(connection, head)

    def accept() -> None:
        while not stopping.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    listener.settimeout(0.2)
    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/app"
    finally:
        stopping.set()
        thread.join()
        listener.close()


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Type: text/html", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def app_page() -> bytes:
    token = mint("a" * 44, now_s=time.time(), lifetime_s=300)
    return answer(b'<html><script>x = [{"token":"%s"}]</script></html>' % token.encode())


def test_hints_before_the_page() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    with server(lambda connection, _: connection.sendall(hints * 2 + app_page())) as url:
        assert "page.ok" in examine(url, QUICK).ids()


def test_hints_without_end() -> None:
    def handle(connection: socket.socket, _: bytes) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    assert set(bounded(handle)) & {"page.malformed", "page.timeout"}  # whichever bound comes first


def bounded(handle: Handler, seconds: float = 30) -> dict[str, str]:
    """What is found; it may not take for ever."""
    with server(handle) as url:
        started = time.monotonic()
        report = examine(url, QUICK)
        assert time.monotonic() - started < seconds
        text = render(report)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        return severities_of_problems(severities(report))


def severities_of_problems(found: dict[str, str]) -> dict[str, str]:
    return {finding: severity for finding, severity in found.items() if severity == "problem"}


def test_an_endless_body() -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
        while True:
            connection.sendall(b"x" * 65_536)

    assert bounded(handle) == {"page.no-app": "problem"}


def test_a_drip() -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(400):
            connection.sendall(b"x")
            time.sleep(0.05)

    assert bounded(handle) == {"page.timeout": "problem"}


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)) + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
    b"\x00\x01\x02 not http\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"",
])
def test_what_is_no_http(head: bytes) -> None:
    found = bounded(lambda connection, _: connection.sendall(head))
    assert set(found) <= {"page.malformed", "page.no-answer", "page.no-app", "page.type", "page.cut"}
    assert found


@pytest.mark.parametrize(("again", "findings"), [
    (b"?hotshoe-starting=new", {"page.not-started": "problem"}),
    (b"", {"page.no-app": "problem"}),
    (b"//[bad", {"page.no-app": "problem"}),
    (b"http://127.0.0.2:1/app", {"page.no-app": "problem"}),
    (b"/elsewhere", {"page.no-app": "problem"}),
])
def test_what_never_starts(again: bytes, findings: dict[str, str]) -> None:
    body = b'<html><main id="starting" data-again="%s"></main></html>' % again
    handle: Handler = lambda connection, _: connection.sendall(answer(body, status=b"202 Accepted"))  # noqa: E731
    assert bounded(handle) == findings


@pytest.mark.parametrize("header", [b"Set-Cookie: route=a", b"Set-Cookie: route=\r\n a"])
def test_who_asks_again_brings_the_cookies(header: bytes) -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        if b"hotshoe-starting=new" in head and b"Cookie: route=a" not in head:
            connection.sendall(answer(b"", status=b"403 Forbidden"))
        elif b"hotshoe-starting=new" in head:
            connection.sendall(app_page())
        else:
            connection.sendall(answer(b'<main id="starting" data-again="?hotshoe-starting=new"></main>',
                                      header, status=b"202 Accepted"))

    with server(handle) as url:
        assert "page.starting" in severities(examine(url, QUICK))


def test_headers_of_the_options_replace_those_of_the_same_name() -> None:
    heads: list[bytes] = []

    def handle(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.sendall(answer(b""))

    with server(handle) as url:
        examine(url, replace(QUICK, headers=(("host", "apps.example.org"), ("X-Key", "a"))))
    assert heads[0].lower().count(b"\r\nhost:") == 1
    assert b"\r\nhost: apps.example.org\r\n" in heads[0]
    assert b"\r\nX-Key: a\r\n" in heads[0]


def test_redirects_without_end() -> None:
    count = iter(range(1_000_000))

    def handle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(b"", b"Location: /app/%d" % next(count), status=b"302 Found"))

    assert bounded(handle) == {"page.redirect-loop": "problem"}


def test_words_that_move_the_cursor() -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(b"<title>\x1b]0;owned\x07\x1b[2J\xe2\x80\xae</title>", b"Server: nginx\x1b[31m\x9b1m",
                                  b"Location: /\x1b[5m", status=b"500 \x1b[1mred"))

    assert bounded(handle) == {"page.app-error": "problem"}


def test_a_redirect_to_a_file() -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(b"", b"Location: file:///etc/passwd", status=b"302 Found"))

    assert bounded(handle) == {"page.redirect-stray": "problem"}


def switching_protocols(head: bytes) -> bytes | None:
    """The answer to a handshake; ``None`` if it is none."""
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
    if key is None:
        return None
    digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest) + b"\r\nSec-WebSocket-Protocol: bokeh\r\n\r\n")


@pytest.mark.parametrize(("after", "finding"), [
    (b"", "websocket.closed"),
    (b"\xff\xff\xff\xff", "websocket.closed"),
    (b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "websocket.closed"),
    (b"\x88\x02\x03\xf0", "websocket.token-refused"),
    (b"\x81\x02{}\x81\x02[]\x81\x01x", "websocket.closed"),
    (b"\x81\x01\xff", "websocket.closed"),
])
def test_websockets_that_go_wrong(after: bytes, finding: str) -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        switched = switching_protocols(head)
        connection.sendall(app_page() if switched is None else switched + after)

    assert finding in bounded(handle)


@pytest.mark.parametrize("unit", [b"\x89\x00", b"\x00\x01x", b"\x82\x7e\xff\xff" + bytes(65_535)])
def test_a_websocket_that_does_not_end(unit: bytes) -> None:
    """Pings, fragments of one message, messages."""
    def handle(connection: socket.socket, head: bytes) -> None:
        switched = switching_protocols(head)
        if switched is None:
            connection.sendall(app_page())
            return
        connection.sendall(switched + b"\x01\x01{" * (unit[:1] == b"\0"))
        while True:
            connection.sendall(unit * (65_536 // len(unit)))

    assert set(bounded(handle)) & {"websocket.silent", "websocket.closed"}


@pytest.mark.parametrize(("refusal", "finding"), [
    (b"200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000, "swallowed"),
    (b"200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "swallowed"),
    (b"302 Found\r\nLocation: /login\r\nSet-Cookie: a=" + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n", "login"),
    (b"403 Forbidden\r\nContent-Length: 9\r\n\r\nno", "forbidden"),
])
def test_a_refusal_that_is_large_or_does_not_end(refusal: bytes, finding: str) -> None:
    """Its status counts all the same."""
    def handle(connection: socket.socket, head: bytes) -> None:
        if b"Upgrade: websocket" not in head:
            connection.sendall(app_page())
            return
        connection.sendall(b"HTTP/1.1 " + refusal)
        connection.recv(1)  # until the doctor has had enough

    assert f"websocket.{finding}" in bounded(handle)


def test_a_websocket_that_is_not_answered() -> None:
    def handle(connection: socket.socket, head: bytes) -> None:
        if b"Upgrade: websocket" in head:
            connection.recv(1)  # until the doctor has had enough
        else:
            connection.sendall(app_page())

    assert "websocket.held" in bounded(handle)


def test_what_holds_small_messages_back(hotshoe_server: Server) -> None:
    """A stand-in for appliances that inspect websockets: what comes from the server waits until more is asked."""
    def handle(connection: socket.socket, head: bytes) -> None:
        with socket.create_connection(("127.0.0.1", hotshoe_server.port)) as upstream:
            upstream.sendall(head)
            holds = b"Upgrade: websocket" in head
            asked = threading.Event()

            def back() -> None:
                is_first = True
                with suppress(OSError):
                    while data := upstream.recv(65_536):
                        shook, _, rest = data.partition(b"\r\n\r\n") if holds and is_first else (b"", b"", data)
                        if holds and is_first:
                            connection.sendall(shook + b"\r\n\r\n")
                        is_first = False
                        if holds:
                            asked.wait(20)
                        connection.sendall(rest)
                    connection.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            with suppress(OSError):
                while data := connection.recv(65_536):
                    asked.set()
                    upstream.sendall(data)
            asked.set()
            thread.join(5)

    with server(handle) as url:
        report = examine(url.replace("/app", "/amounts"), DoctorOptions(timeout_s=6))
    assert severities_of_problems(severities(report)) == {"buffering.held": "problem"}


def test_credentials_stay_at_home(hotshoe_server: Server) -> None:
    heads: list[bytes] = []

    def foreign(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.sendall(answer(b"", b"Content-Type: text/javascript"))

    with server(foreign) as there:
        other = there.replace("127.0.0.1", "localhost")

        def home(connection: socket.socket, head: bytes) -> None:
            token = mint("a" * 44, now_s=time.time(), lifetime_s=300).encode()
            connection.sendall(answer(b'<html><script src="%s"></script><script>x=[{"token":"%s"}]</script></html>'
                                      % (other.encode(), token)))

        with server(home) as url:
            examine(url, DoctorOptions(timeout_s=2, headers=(("Authorization", "secret"),), cookies="key=secret"))
    assert heads
    assert not any(b"secret" in head for head in heads)

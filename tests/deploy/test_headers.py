"""What each of the proxies passes on of the headers that a visitor sends, as what is behind it sees them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.deployed import HOTSHOE, generate, listens, ports, processes, running, serve_lines

pytestmark = pytest.mark.real

PROXIES = ("nginx", "apache", "caddy", "haproxy")
STRANGER, KNOWN = "127.0.0.1", "127.0.0.2"
LOGIN = ("--auth", "header", "--auth-header-user", "X-Remote-User", "--auth-header-groups", "X-Groups", "--behind",
         KNOWN)


class Mirror(BaseHTTPRequestHandler):
    """Answers with the headers that have come, a line each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = "".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def mirror() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextmanager
def before(port: int, target: str, folder: Path, *words: str) -> Iterator[int]:
    """The port of a proxy before what listens at the port."""
    (own,) = ports(1)
    files = generate(target, folder, "dial.py", "--no-tls", "--listen", f"127.0.0.1:{own}", "--port", str(port), *words)
    with running(target, folder / next(iter(files)), own):
        yield own


def asked(port: int, sender: str, path: str = "/", **headers: str) -> tuple[int, str]:
    """The status and the body of the answer to who asks from that address."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(sender, 0))) as connection:
        connection.request("GET", path, headers={"Connection": "close", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def arrived(port: int, sender: str, **headers: str) -> dict[str, str]:
    """The headers, by their names in small letters, as they come out behind the proxy; none may come twice."""
    status, text = asked(port, sender, **headers)
    assert status == 200, text
    pairs = [line.partition(": ")[::2] for line in text.splitlines()]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


@pytest.mark.parametrize("target", PROXIES)
def test_only_the_named_proxy_says_who_the_user_is(target: str, mirror: int, tmp_path: Path) -> None:
    said = {"X-Remote-User": "admin", "x-groups": "staff"}
    other = {"X_Remote_User": "admin", "X-Remote_user": "admin", "X_Groups": "staff"}
    with before(mirror, target, tmp_path, *LOGIN) as port:
        for sender in (STRANGER, KNOWN):
            headers = arrived(port, sender, **other)
            assert not {"admin", "staff"} & set(headers.values()), (sender, headers)
        headers = arrived(port, STRANGER, **said)
        assert not {"admin", "staff"} & set(headers.values()), headers
        headers = arrived(port, KNOWN, **said)
        assert (headers["x-remote-user"], headers["x-groups"]) == ("admin", "staff")


OURS = {"x-forwarded-proto": "http", "x-real-ip": STRANGER, "x-forwarded-for": STRANGER}


@pytest.mark.parametrize("behind", [(), ("--behind", KNOWN)])
@pytest.mark.parametrize("target", PROXIES)
def test_visitors_say_nothing_of_themselves(target: str, behind: tuple[str, ...], mirror: int, tmp_path: Path) -> None:
    said = dict.fromkeys(
        ("X-Scheme", "X-Forwarded-Port", "X-Forwarded-Ssl", "Forwarded", "X-Forwarded-For", "X-Real-IP",
         "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"), "evil")
    with before(mirror, target, tmp_path, *behind) as port:
        headers = arrived(port, STRANGER, **said)
        assert "evil" not in str(headers)
        assert headers.items() >= {**OURS, "x-forwarded-host": f"127.0.0.1:{port}"}.items()


NAMING = ["close, X-Forwarded-Proto, X-Real-IP, X-Forwarded-For, X-Forwarded-Host", "X-Forwarded-Proto",
          "x-forwarded-proto,X-Real-IP , keep-alive", "keep-alive, X-Forwarded-Proto, Upgrade, X-Forwarded-Proto", ","]


@pytest.mark.parametrize("target", PROXIES)
def test_no_visitor_has_a_header_of_the_proxy_dropped(target: str, mirror: int, tmp_path: Path) -> None:
    """What Connection names is for the next hop only, and ends there."""
    with before(mirror, target, tmp_path) as port:
        for naming in NAMING:
            headers = arrived(port, STRANGER, Connection=naming)
            assert headers.items() >= {**OURS, "x-forwarded-host": f"127.0.0.1:{port}"}.items(), naming


def test_apache_takes_long_headers_where_another_host_comes_first(mirror: int, tmp_path: Path) -> None:
    """Apache's limits of headers are those of the first host of an address, so the lines are put before it."""
    (port,) = ports(1)
    ((name, text),) = generate("apache", tmp_path, "dial.py", "--no-tls", "--domain", "ours.example", "--listen",
                               f"127.0.0.1:{port}", "--port", str(mirror)).items()
    first = f"<VirtualHost 127.0.0.1:{port}>\nServerName first.example\nRedirect 404 /\n</VirtualHost>\n"
    limits = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("LimitRequest"))
    assert 0 < text.index("\nLimitRequestLine") < text.index("<VirtualHost")
    (tmp_path / name).write_text(limits + first + text)
    with running("apache", tmp_path / name, port):
        assert asked(port, STRANGER, Host="first.example")[0] == 404
        headers = arrived(port, STRANGER, Host="ours.example", **{"Sec-WebSocket-Protocol": "t" * 20000})
        assert len(headers["sec-websocket-protocol"]) == 20000
        assert asked(port, STRANGER, f"/{'p' * 20000}", Host="ours.example")[0] == 200
        assert asked(port, STRANGER, Host="ours.example", X_Long="t" * 70000)[0] == 400


@pytest.mark.parametrize("target", ["nginx", "haproxy"])
def test_hotshoe_behind_it_knows_no_stranger(target: str, apps: Path, tmp_path: Path) -> None:
    (port,) = ports(1)
    files = generate(target, tmp_path / "command", "dial.py", "--port", str(port), "--program", HOTSHOE, *LOGIN)
    with (
        processes(serve_lines(next(iter(files.values()))), apps, lambda _: listens(port)),
        before(port, target, tmp_path, *LOGIN) as own,
    ):
        assert asked(own, STRANGER, "/dial", **{"X-Remote-User": "admin"})[0] == 401
        assert asked(own, KNOWN, "/dial")[0] == 401
        assert asked(own, KNOWN, "/dial", **{"X-Remote-User": "admin"})[0] == 200

"""Headers of proxies: what a client writes into them never counts, wherever it writes it.

An input is lines of headers as a client sends them. Three servers get them: one that the client reaches directly, and
two behind a trusted proxy, which adds its own headers behind those of the client.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from ipaddress import ip_address
from typing import Any

from tests.fuzz.driver import Parser

from hotshoe.http.requests import client_is_known, request_of
from hotshoe.web.gate.proxies import Proxies

CLIENT = "203.0.113.9"
_DIRECT = Proxies(is_active=True, networks=["10.0.0.0/8"])
_OFF = Proxies()
_HOST = re.compile(rb"[A-Za-z0-9_.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_ROOT = re.compile(r"(/[A-Za-z0-9._~@+=:!$-]+)*")
Headers = list[tuple[bytes, bytes]]


def run(data: bytes) -> Hashable:
    headers = _headers(data[:65536])  # larger heads are refused
    for proxies in (_DIRECT, _OFF):
        _check_direct(proxies, headers)
    lists = _check_behind(headers, [(b"x-forwarded-for", CLIENT.encode()), (b"x-forwarded-proto", b"https"),
                                    (b"x-forwarded-host", b"app.example.org")])
    forwarded = _check_behind(headers, [(b"forwarded", f"for={CLIENT};proto=https;host=app.example.org".encode())])
    return lists, forwarded, _check_alone(headers)


def _headers(data: bytes) -> Headers:
    """As the server's own parser would hand them on: names in lower case, no line breaks."""
    found = []
    for line in data.replace(b"\r", b"\n").replace(b"\0", b"").split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() != b"host":  # a second one is refused before
            found.append((name.strip().lower(), value.strip(b" \t")))
    return found


def _scope(peer: str, headers: Headers) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "scheme": "http", "path": "/app", "raw_path": b"/app", "root_path": "",
            "query_string": b"", "client": (peer, 1234), "server": ("127.0.0.1", 80),
            "headers": [(b"host", b"inner:5006"), *headers]}


def _check_direct(proxies: Proxies, headers: Headers) -> None:
    """No header of a client that is no trusted proxy changes anything."""
    scope = _scope("192.0.2.1", headers)
    seen = proxies.effective(scope.copy())
    assert {name: seen[name] for name in scope} == scope
    assert client_is_known(seen)
    request_of(seen)


def _check_behind(headers: Headers, added: Headers) -> tuple[bool, ...]:
    """The proxy's own values count, or none: never the client's."""
    seen = _DIRECT.effective(_scope("10.0.0.1", [*headers, *added]))
    known = client_is_known(seen)
    assert seen["client"][0] == (CLIENT if known else "10.0.0.1")
    hosts = [value for name, value in seen["headers"] if name == b"host"]
    assert hosts in ([b"app.example.org"], [b"inner:5006"])
    _check_sane(seen)
    return known, seen["scheme"] == "https"


def _check_alone(headers: Headers) -> tuple[bool, ...]:
    """Whatever a trusted proxy says, what comes of it has the form of an address, a scheme, a host and a path."""
    seen = _DIRECT.effective(_scope("10.0.0.1", headers))
    _check_sane(seen)
    return client_is_known(seen), seen["scheme"] == "https", bool(seen["root_path"])


def _check_sane(seen: Any) -> None:
    assert str(ip_address(seen["client"][0])) == seen["client"][0]
    assert seen["scheme"] in ("http", "https")
    assert all(_HOST.fullmatch(value) for name, value in seen["headers"] if name == b"host")
    assert _ROOT.fullmatch(seen["root_path"])
    assert ".." not in seen["root_path"].split("/")
    assert seen["path"] == seen["root_path"] + "/app"
    request_of(seen)


PARSER = Parser(
    "forwarded", run, inputs=6000,
    words=(b"\n", b",", b";", b"=", b'"', b"\\", b" ", b"\t", b"for=", b"proto=https", b"host=evil.example",
           b"by=_x", b"for=unknown", b'for="[2001:db8::1]:80"', b"10.0.0.2", b"127.0.0.1", b"::1",
           b"[::ffff:127.0.0.1]", b"1.2.3.4:5", b"X-Forwarded-For: ", b"X-Real-IP: ", b"X-Forwarded-Proto: ",
           b"X-Scheme: ", b"X-Forwarded-Host: ", b"X-Forwarded-Prefix: ", b"Forwarded: ", b"/prefix", b"/..", b"//",
           b"%2e%2e", b"https", b"wss", b"\xff", b"fe80::1%eth0", b"0x7f.1", b"127.1", b"1.2.3.4, 10.0.0.3"),
)

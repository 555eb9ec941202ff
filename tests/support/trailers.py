"""Requests with trailers that say what only a proxy or the head of a request may say."""

from __future__ import annotations

FIELDS = {
    "X-Forwarded-User": "root",
    "X-Forwarded-Groups": "admins",
    "X-Forwarded-For": "203.0.113.66",
    "X-Real-Ip": "203.0.113.66",
    "Forwarded": "for=203.0.113.66;host=evil.example;proto=https",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "Host": "evil.example",
    "Cookie": "evil=1",
    "Authorization": "Basic cm9vdDpldmls",
    "Origin": "http://evil.example",
    "Upgrade": "websocket",
    "Connection": "upgrade",
    "Content-Length": "5",
    "Transfer-Encoding": "chunked",
}
"""Each header that means anything to us."""


def chunked(*trailer: str, path: str = "/", head: tuple[str, ...] = ("Host: localhost",), method: str = "POST",
            chunks: bytes = b"1\r\na\r\n0\r\n") -> bytes:
    """A chunked request with these fields after its body."""
    lines = [f"{method} {path} HTTP/1.1", *head, "Transfer-Encoding: chunked", "", ""]
    return "\r\n".join(lines).encode() + chunks + "".join(f"{line}\r\n" for line in trailer).encode() + b"\r\n"


def lines(names: tuple[str, ...] = tuple(FIELDS)) -> tuple[str, ...]:
    """The lines of a trailer."""
    return tuple(f"{name}: {FIELDS[name]}" for name in names)

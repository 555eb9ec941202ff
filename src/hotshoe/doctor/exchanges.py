"""One HTTP request and its answer, each on a connection of its own: bounded, and data whatever happens."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse, LineTooLong
from typing import Any, cast

from .. import __version__
from .addresses import Address
from .certificates import trusting, unverified
from .channel import Channel, failure_of
from .cookies import Cookie, parse_cookie, sent
from .observations import Exchange, Failure, Reply, Trouble
from .options import MAX_BODY, MAX_HEAD, Options

_AGENT = f"Mozilla/5.0 (compatible; hotshoe-doctor/{__version__})"
_UNENDING = 65_536
_NOT_YET = range(102, 200)
"""Hints before the answer. ``http.client`` itself passes over 100; after 101 comes none."""


@dataclass(slots=True)
class Browser:
    """What asks: it knows the options, keeps cookies, and gives credentials to one host only."""

    options: Options
    home: Address
    """The address that was given."""
    unverified: frozenset[str] = frozenset()
    """Hosts whose certificate is known to be wrong, and has been told of."""
    jar: tuple[tuple[Cookie, Address], ...] = ()
    _trusted: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.home.is_secure or self.options.cafile is not None:
            self._trusted = trusting(self.options)

    @property
    def trusted(self) -> ssl.SSLContext:
        """What verifies: loading the system's authorities takes a while, so it is done once, where it is needed."""
        if self._trusted is None:
            self._trusted = trusting(self.options)
        return self._trusted

    def ask(self, address: Address, *, method: str = "GET", headers: Mapping[str, str] | None = None,
            most: int = MAX_BODY, timeout_s: float | None = None) -> Exchange:
        """Ask for an address; redirects are not followed."""
        timeout_s = timeout_s or self.options.timeout_s
        started = time.monotonic()
        try:
            with self.open(address, timeout_s=timeout_s, max_bytes=most + MAX_HEAD) as channel:
                channel.send(self.request(address, method, headers or {}))
                return _read(address, channel, method, most, started)
        except (OSError, HTTPException, ValueError) as error:
            return _failed(address, error)

    def send_raw(self, address: Address, data: bytes) -> Exchange:
        """Send bytes that are no request, to see who complains."""
        started = time.monotonic()
        try:
            with self.open(address, timeout_s=self.options.timeout_s, max_bytes=MAX_HEAD) as channel:
                channel.send(data)
                return _read(address, channel, "GET", 8192, started)
        except (OSError, HTTPException, ValueError) as error:
            return _failed(address, error)

    def open(self, address: Address, *, timeout_s: float, max_bytes: int) -> Channel:
        """A connection. Raises ``OSError``."""
        context = None
        if address.is_secure:
            context = unverified() if address.host in self.unverified else self.trusted
        return Channel(address, timeout_s=timeout_s, max_bytes=max_bytes, context=context)

    def request(self, address: Address, method: str, headers: Mapping[str, str]) -> bytes:
        """The bytes of a request without a body."""
        fields = {"Host": address.netloc, "User-Agent": _AGENT, "Accept": "*/*", "Connection": "close",
                  **self.credentials(address), **headers}
        fields = {name: value for name, value in fields.items() if value}
        head = (f"{name}: {_one_line(value)}" for name, value in fields.items())
        lines = [f"{method} {address.target} HTTP/1.1", *head]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def credentials(self, address: Address) -> dict[str, str]:
        """The cookies that have been kept; for the home's host also what the options give, but never from https to
        http."""
        cookies = sent(self.jar, address)
        if address.host != self.home.host or (self.home.is_secure and not address.is_secure):
            return {"Cookie": cookies}
        given = self.options.cookies
        return {**dict(self.options.headers), "Cookie": "; ".join(filter(None, (given, cookies)))}

    def keep_from(self, exchange: Exchange) -> None:
        """Put the cookies that an answer sets into the jar."""
        if isinstance(exchange, Reply):
            self.keep([(cookie, exchange.address) for header in exchange.all("set-cookie")
                       if (cookie := parse_cookie(header))])

    def keep(self, cookies: list[tuple[Cookie, Address]]) -> None:
        """Put cookies into the jar."""
        self.jar = (*self.jar, *cookies)[-100:]


def _one_line(value: str) -> str:
    """A cookie may come from a header that was folded."""
    return " ".join(value.splitlines())


def _read(address: Address, channel: Channel, method: str, most: int, started: float) -> Reply:
    response = HTTPResponse(cast(Any, channel), method=method)
    try:
        response.begin()
        while response.status in _NOT_YET:
            response = HTTPResponse(cast(Any, _After(response)), method=method)
            response.begin()
        reply = Reply(address, response.status, response.reason, tuple(response.getheaders()))
        body, is_cut = _body(response, most)
    finally:
        response.close()
    return replace(reply, body=_inflated(reply, body, most), is_cut=is_cut, elapsed_s=time.monotonic() - started)


class _After:
    """Lets ``http.client`` read the next answer of a connection."""

    def __init__(self, response: HTTPResponse) -> None:
        # It would close the file when it is forgotten.
        self._file, response.fp = response.fp, cast(Any, None)

    def makefile(self, mode: str) -> Any:
        return self._file


def _body(response: HTTPResponse, most: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    length = 0
    try:
        while length < most and (part := response.read(min(_UNENDING, most - length))):
            parts.append(part)
            length += len(part)
    except (OSError, HTTPException):
        return b"".join(parts), True
    short = response.length not in (None, 0) and length < most
    return b"".join(parts), short


def _inflated(reply: Reply, body: bytes, most: int) -> bytes:
    if reply.header("content-encoding").lower() not in ("gzip", "x-gzip"):
        return body
    try:
        return zlib.decompressobj(31).decompress(body, most)
    except zlib.error:
        return body


def _failed(address: Address, error: Exception) -> Failure:
    if isinstance(error, LineTooLong):
        return Failure(address, Trouble.TOO_LARGE, str(error))
    if isinstance(error, HTTPException) and not isinstance(error, OSError):
        return Failure(address, Trouble.MALFORMED, f"{error or type(error).__name__}")
    return failure_of(address, error)

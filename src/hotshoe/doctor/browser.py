"""HTTP requests as a browser sends them: one per connection, bounded, with a response or a failure as data.

An app that is starting is requested again until it is there. For a page, redirects are followed and cookies stored.

h11, which comes with uvicorn, speaks HTTP/1.1; the connection is ours. Clients like httpx and urllib3 have no deadline
for a whole response, only one for each read: a server that sends headers byte by byte, or hints without end, blocks
them for ever. They also send nothing malformed, and some proxies are recognised by their response to that.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property

import h11

from .. import __version__
from .bounds import MAX_BODY, MAX_HEAD, MAX_REDIRECTS, DoctorOptions
from .cookies import Cookie, cookie_header, parse_cookie
from .markup import NOTHING, Markup, read_markup
from .observations import Exchange, PageVisit
from .transport import BoundedSocket, failure_of, unverified_context
from .urls import Url

_AGENT = f"Mozilla/5.0 (compatible; hotshoe-doctor/{__version__})"
_RETRY_S = 1.0
"""hotshoe waits before it says "starting" again; we wait as long, in case a proxy repeats the response at once."""
_PAGE_HEADERS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip",
                 "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@dataclass
class Browser:
    """Sends requests. It stores cookies, and gives the user's credentials to one host only."""

    options: DoctorOptions
    home: Url
    """The given address."""
    unverified: frozenset[str] = frozenset()
    """Hosts with a faulty certificate, which is already reported."""
    jar: tuple[tuple[Cookie, Url], ...] = ()
    replies: list[Exchange] = field(default_factory=list)
    """All responses so far, also those of hosts that only serve files."""

    @cached_property
    def trusted(self) -> ssl.SSLContext:
        """The context that verifies certificates. Raises ``OSError`` if the options' ``cafile`` can't be read."""
        context = ssl.create_default_context()  # slow, so it is made when needed, and once
        if self.options.cafile is not None:
            context.load_verify_locations(self.options.cafile)
        return context

    def ask(self, address: Url, *, method: str = "GET", headers: Mapping[str, str] | None = None,
            most: int = MAX_BODY, timeout_s: float | None = None, raw: bytes = b"") -> Exchange:
        """Send a request, or ``raw`` in its place, and read ``most`` bytes of the body; redirects are not followed."""
        started = time.monotonic()
        try:
            with closing(self.open(address, timeout_s=timeout_s or self.options.timeout_s,
                                   max_bytes=most + MAX_HEAD)) as connection:
                request = self.request(address, method, headers or {})
                reply, _ = self.send(connection, address, request, most, raw)
            return replace(reply, elapsed_s=time.monotonic() - started)
        except (OSError, ValueError, h11.ProtocolError) as error:
            return failure_of(address, error)

    def open(self, address: Url, *, timeout_s: float, max_bytes: int) -> BoundedSocket:
        """Open a connection. Raises ``OSError``."""
        context = None
        if address.is_secure:
            context = unverified_context() if address.host in self.unverified else self.trusted
        return BoundedSocket(address, timeout_s=timeout_s, max_bytes=max_bytes, context=context)

    def request(self, address: Url, method: str, headers: Mapping[str, str]) -> h11.Request:
        """A request without a body. Of two headers with the same name, the later one counts."""
        fields = {"Host": address.netloc, "User-Agent": _AGENT, "Accept": "*/*", "Connection": "close",
                  **self.credentials(address), **headers}
        lines = {name.lower(): (name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items()}
        return h11.Request(method=method, target=address.target, headers=[line for line in lines.values() if line[1]])

    def credentials(self, address: Url) -> dict[str, str]:
        """The stored cookies; for the home's host also the headers and cookies of the options.

        What was given for https is never sent over http.
        """
        cookies = cookie_header(self.jar, address)
        if address.host != self.home.host or (self.home.is_secure and not address.is_secure):
            return {"Cookie": cookies}
        given = self.options.cookies
        return {**dict(self.options.headers), "Cookie": "; ".join(filter(None, (given, cookies)))}

    def send(self, connection: BoundedSocket, address: Url, request: h11.Request, most: int,
             raw: bytes = b"") -> tuple[Exchange, bytes]:
        """Send a request, or ``raw`` in its place; return the response, and after a 101 also the data that follows it.

        Raises ``OSError``, or ``h11.RemoteProtocolError``, if there is no response.
        """
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        data = (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
        connection.send(raw or data)
        answer = _next_event(connection, http)
        while isinstance(answer, h11.InformationalResponse) and answer.status_code != 101:  # an early hint
            answer = _next_event(connection, http)
        assert isinstance(answer, (h11.Response, h11.InformationalResponse))
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw_items())
        reply = Exchange(address, answer.status_code, answer.reason.decode("latin-1"), headers)
        body, is_cut = bytearray(), False
        try:
            while len(body) < most and isinstance(part := _next_event(connection, http), h11.Data):
                body += part.data
        except (OSError, h11.RemoteProtocolError):
            is_cut = True
        reply = replace(reply, body=_decompress(reply, bytes(body[:most]), most), is_cut=is_cut)
        self.replies.append(reply)
        return reply, http.trailing_data[0]

    def ask_until_started(self, address: Url, headers: Mapping[str, str], *, is_page: bool = False) -> Exchange:
        """Request an app's page or script, and again while it is starting, for the options' ``start_s`` at most.

        The response counts as that of ``address``. Cookies of a page are stored.
        """

        def ask(url: Url) -> Exchange:
            exchange = self.ask(url, headers=headers, timeout_s=self.options.page_timeout_s)
            exchange = replace(exchange, address=address)  # where a browser then shows the app
            if is_page:
                cookies = filter(None, map(parse_cookie, exchange.all("set-cookie")))
                self.jar = (*self.jar, *((cookie, address) for cookie in cookies))[-100:]
            return exchange

        started = time.monotonic()
        exchange, is_slow = ask(address), False
        while (url := retry_url(exchange)) is not None:
            is_slow = True
            if time.monotonic() - started > max(self.options.start_s, self.options.timeout_s):
                break
            if exchange.elapsed_s < _RETRY_S:
                time.sleep(_RETRY_S)
            exchange = ask(url)
        if is_slow and exchange.trouble is None:
            seconds = time.monotonic() - started
            exchange = replace(exchange, elapsed_s=seconds, starting_s=seconds)
        return exchange

    def visit(self, address: Url) -> PageVisit:
        """Request a page, and follow its redirects."""
        exchanges: list[Exchange] = []
        seen: set[str] = set()
        while True:
            exchange = self.ask_until_started(address, _PAGE_HEADERS, is_page=True)
            exchanges.append(exchange)
            if not exchange.is_redirect:
                return PageVisit(tuple(exchanges), _markup_of(exchange))
            seen.add(str(address))
            location = exchange.header("location")
            try:
                address = address.join(location)
            except ValueError:
                return PageVisit(tuple(exchanges), stray=location)
            if len(exchanges) > MAX_REDIRECTS or (str(address) in seen and not exchange.header("set-cookie")):
                return PageVisit(tuple(exchanges), loops=True)


def retry_url(exchange: Exchange) -> Url | None:
    """The address to request next, if hotshoe says that the app is starting: the same one, for the same session."""
    if exchange.status != 202:
        return None
    reference, here = read_markup(exchange.text).retry, exchange.address
    try:
        retry = here.join(reference)
    except ValueError:
        return None
    return retry if reference and (retry.origin, retry.path) == (here.origin, here.path) else None


def _next_event(connection: BoundedSocket, http: h11.Connection) -> object:
    while (event := http.next_event()) is h11.NEED_DATA:
        data = connection.receive()
        if not data and http.their_state is h11.SEND_RESPONSE and not http.trailing_data[0]:
            raise ConnectionResetError("closed without a response")
        http.receive_data(data)
    return event


def _decompress(reply: Exchange, body: bytes, most: int) -> bytes:
    if reply.header("content-encoding").lower() not in ("gzip", "x-gzip"):
        return body
    try:
        return zlib.decompressobj(31).decompress(body, most)
    except zlib.error:
        return body


def _markup_of(reply: Exchange) -> Markup:
    return read_markup(reply.text) if reply.media_type in ("", "text/html", "application/xhtml+xml", "text/plain") \
        else NOTHING

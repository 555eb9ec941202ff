"""Behind other ASGI servers, nothing in a trailer names a user, an address or a host.

`tests/real/test_trailers.py` asks the servers themselves as processes, and through proxies.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from bokeh.document import Document
from starlette.requests import HTTPConnection
from tests.support.cases import every_case
from tests.support.fed_protocol import feed, splits
from tests.support.trailers import FIELDS, chunked, lines
from tests.support.waiting import until
from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState

import hotshoe
from hotshoe.auth import User
from hotshoe.auth.header_login import HeaderLogin, Names
from hotshoe.config import Settings
from hotshoe.http.requests import came_by_proxy, client_address, header
from hotshoe.web.gate.foreign_servers import ForeignServers, of_client
from hotshoe.web.gate.proxies import Proxies

HEAD = ("Host: localhost", "X-Forwarded-User: eve", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Host: good.example")
BARE = ("Host: localhost",)


class Watching(HeaderLogin):
    """``--auth header``, and what it saw of each request: user, address, host, headers."""

    def __init__(self) -> None:
        super().__init__(Names("x-forwarded-user", groups="x-forwarded-groups"))
        self.seen: list[tuple[User | None, str | None, str | None, dict[str, str]]] = []

    async def user_of(self, connection: HTTPConnection) -> User | None:
        user = await super().user_of(connection)
        self.seen.append((user, client_address(connection), header(connection.scope, b"host"),
                          dict(connection.headers)))
        return user


class Site:
    """Apps on uvicorn's own protocol, without sockets."""

    def __init__(self, http: str, **options: Any) -> None:
        self.login = Watching()
        self.apps = hotshoe.asgi({"/app": build}, auth=self.login, use_xheaders=True)
        self.config = Config(self.apps, http=http, lifespan="off", log_config=None, **options)
        self.config.load()
        self.state = ServerState()

    def protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(self.config, self.state, {}, asyncio.get_running_loop())

    async def ask(self, *pieces: bytes) -> bytes:
        """The answer to one request."""
        self.login.seen.clear()
        transport = await feed(self.protocol, pieces)
        await until(lambda: transport.written or transport.closed, 60)
        transport.close()
        return transport.written


def build(document: Document) -> None:
    pass


@pytest.fixture
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("proxy_headers", [True, False])
async def test_uvicorn_with_httptools_at_every_split(proxy_headers: bool) -> None:
    site = Site("httptools", proxy_headers=proxy_headers)
    async with site.apps.lifespan():
        with every_case() as case:
            for name in FIELDS:
                for head in (HEAD, BARE):
                    request = chunked(*lines((name,)), path="/app/metadata", head=head, method="GET")
                    every = list(splits(request))
                    for pieces in every if name in ("X-Forwarded-User", "Host") else every[:2]:
                        answer = await site.ask(*pieces)
                        with case((name, head, pieces)):
                            assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))
                            for user, address, host, headers in site.login.seen:
                                assert (user, address, host) == (None, None, "localhost")
                                named = {each for each in headers if each.startswith(("x-", "forwarded", "auth"))}
                                assert named == set()


async def test_uvicorn_with_h11_at_every_split() -> None:
    """It keeps trailers apart, so the headers of a chunked request count."""
    site = Site("h11", proxy_headers=False)
    async with site.apps.lifespan():
        with every_case() as case:
            for name in FIELDS:
                request = chunked(*lines((name,)), path="/app/metadata", head=HEAD, method="GET")
                every = list(splits(request))
                for pieces in every if name in ("X-Forwarded-User", "Host") else every[:2]:
                    answer = await site.ask(*pieces)
                    with case((name, pieces)):
                        assert answer.startswith(b"HTTP/1.1 200 ")
                        user, address, host, headers = site.login.seen[-1]
                        assert user == User("eve")
                        assert (address, host) == ("198.51.100.7", "good.example")
                        assert "evil" not in str(headers)


@pytest.mark.usefixtures("_quiet")
async def test_a_host_in_the_trailer_is_none() -> None:
    site = Site("httptools")
    request = chunked("Host: evil.example", path="/app/metadata", head=("Accept: */*",))
    async with site.apps.lifespan():
        for pieces in splits(request):
            assert (await site.ask(*pieces)).startswith(b"HTTP/1.1 400 "), pieces
        assert site.login.seen == []


@pytest.mark.usefixtures("_quiet")
async def test_uvicorn_with_httptools_takes_no_body_for_a_request() -> None:
    """Its parser skips the body of a request that asks for another protocol."""
    site = Site("httptools")
    smuggled = b"GET /app/metadata HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: root\r\n\r\n"
    async with site.apps.lifespan():
        for asks in ("Connection: upgrade\r\nUpgrade: foo\r\n", "Connection: upgrade, x\r\nUpgrade: h2c\r\n"):
            for framing in (f"Content-Length: {len(smuggled)}\r\n", "Transfer-Encoding: chunked\r\n"):
                head = f"POST /app/metadata HTTP/1.1\r\nHost: localhost\r\n{asks}{framing}\r\n".encode()
                answer = await site.ask(head, smuggled)
                assert answer.startswith(b"HTTP/1.1 400 ")
                assert answer.count(b"HTTP/1.1 ") == 1
                assert site.login.seen == []
        answer = await site.ask(f"CONNECT /app HTTP/1.1\r\nHost: x\r\nContent-Length: {len(smuggled)}\r\n\r\n".encode(),
                                smuggled)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert site.login.seen == []


def scope_of(*headers: tuple[str, str], **more: Any) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": "GET", "scheme": "http", "path": "/", "headers": raw, "http_version": "1.1",
            "client": ("127.0.0.1", 4711), **more}


PROXY = (("Host", "inner"), ("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-User", "eve"))
CHUNKED = ("Transfer-Encoding", "chunked")


def checked(scope: dict[str, Any], receive: Any = None, send: Any = None) -> Any:
    found, fault = ForeignServers().check(scope, receive, send)
    return fault or Proxies(is_active=True).effective(found)


@pytest.mark.parametrize(("scope", "believed"), [
    (scope_of(*PROXY), True),
    (scope_of(*PROXY, ("Content-Length", "5")), True),
    (scope_of(*PROXY, http_version="1.0"), True),
    (scope_of(*PROXY, CHUNKED), False),
    (scope_of(*PROXY, ("Transfer-Encoding", "gzip, chunked")), False),
    (scope_of(*PROXY, http_version="2"), False),
    (scope_of(*PROXY, http_version="3"), False),
    (scope_of(*PROXY, CHUNKED, type="websocket"), False),
])
def test_a_server_that_is_not_known_is_believed_where_no_trailer_can_be(
        scope: dict[str, Any], believed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hypercorn.protocol.http_stream", "granian._granian"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    found = checked(scope)
    assert came_by_proxy(found) is believed
    assert found["client"] == (("198.51.100.7", 0) if believed else None)


def test_middleware_of_a_site_may_hide_one_of_the_two_functions() -> None:
    stream = type("HTTPStream", (), {"__module__": "hypercorn.protocol.http_stream", "send": lambda self: None})
    for receive, send in ((stream().send, None), (None, stream().send)):
        assert came_by_proxy(checked(scope_of(*PROXY, CHUNKED), receive, send))


@pytest.mark.parametrize("module", ["hypercorn.protocol.http_stream", "granian._granian"])
def test_or_both_of_a_server_with_http_2(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``@site.middleware("http")`` of FastAPI does."""
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert came_by_proxy(checked(scope_of(*PROXY, http_version="2")))
    assert not came_by_proxy(checked(scope_of(*PROXY, CHUNKED)))


def test_of_hosts_the_first_counts() -> None:
    found = checked(scope_of(("Host", "good"), CHUNKED, ("Host", "evil"), ("X-Forwarded-Host", "evil")))
    assert found["headers"] == [(b"host", b"good"), (b"transfer-encoding", b"chunked")]
    for headers in ((), (("Host", "evil"),)):
        assert "needs a Host header" in checked(scope_of(CHUNKED, *headers))


def test_two_hosts_are_refused_by_every_server() -> None:
    """One would be compared with ``--allowed-hosts``, and another one be in the links of apps."""
    known = type("ASGIHTTPProtocol", (), {"__module__": "granian._granian", "send": lambda self: None})().send
    for send in (None, known):
        assert "several Host" in checked(scope_of(("Host", "evil"), ("Host", "good")), None, send)
        assert "several Host" in checked(scope_of(("Host", "evil"), ("Host", "good"), CHUNKED), None, send)
        # HTTP/2 has the name twice, if a client sends a Host, too.
        assert came_by_proxy(checked(scope_of(("Host", "INNER"), *PROXY), None, send))


def test_the_headers_are_copied() -> None:
    scope = scope_of(*PROXY)
    found, _ = ForeignServers().check(scope, None, None)
    scope["headers"].append((b"x-forwarded-user", b"root"))
    assert len(found["headers"]) == len(PROXY)


def test_a_site_around_keeps_its_own_headers() -> None:
    """But none with which a proxy names the user."""
    scope, _ = ForeignServers().check(scope_of(
        *PROXY, CHUNKED, ("X-Api-Key", "1"), ("Authorization", "Bearer 1"), ("Cookie", "a=1"), ("X-User", "eve"),
        ("X-Forwarded-Email", "eve")), None, None)
    found = Proxies.of(Settings(use_xheaders=True, auth="header", auth_header_user="X-User")).effective(scope)
    own = [(b"host", b"inner"), (b"transfer-encoding", b"chunked")]
    assert found["headers"] == [*own, (b"x-api-key", b"1"), (b"authorization", b"Bearer 1"), (b"cookie", b"a=1")]
    assert of_client(found)["headers"] == [*own, (b"cookie", b"a=1")]


@pytest.mark.parametrize(("http", "told"), [("httptools", True), ("h11", False)])
async def test_the_start_names_the_option(http: Any, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(hotshoe.asgi({"/app": build}), http=http, log_config=None)
    lifespan = LifespanOn(config)
    with caplog.at_level(logging.WARNING, "hotshoe"):
        await lifespan.startup()
        await lifespan.shutdown()
    assert ("--http h11" in caplog.text) is told


@pytest.mark.parametrize(("http", "told"), [("httptools", 1), ("h11", 0)])
async def test_a_mount_names_it_with_its_first_request(http: str, told: int, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(http)
    with caplog.at_level(logging.WARNING, "hotshoe"):
        async with site.apps.lifespan():
            for _ in range(3):
                await site.ask(b"GET /app/metadata HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert sum("--http h11" in each.getMessage() for each in caplog.records) == told

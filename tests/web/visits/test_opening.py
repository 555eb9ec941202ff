"""From a request to its session: how often the host is called, and that the front's limits hold."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from starlette.requests import HTTPConnection
from tests.support.asgi_websocket import Peer, socket_scope
from tests.support.hosts import KINDS, host_of

from hotshoe.apps import App, Hooks
from hotshoe.auth import User
from hotshoe.config import Settings
from hotshoe.hosts.inline import InlineHost
from hotshoe.tokens import mint
from hotshoe.web.front import Front
from hotshoe.web.gate.auth_options import AuthOptions


class CountedHost:
    """A host that keeps the names of the methods that are awaited."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._host, name)
        if not inspect.iscoroutinefunction(value):
            return value

        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            return value(*arguments)

        return call

    def taken(self) -> list[str]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


def greet(document: Document) -> None:
    document.add_root(Div(text="hello"))


@pytest.fixture(params=KINDS)
async def host(request: pytest.FixtureRequest) -> CountedHost:
    app = App(build=greet, hooks=Hooks(process_request=lambda request: {"role": "guest"}))
    return CountedHost(host_of(request.param, InlineHost({"/a": app}, Settings(threads=4, dev=True), reloads=False)))


class Jo:
    """A login by which everybody is Jo."""

    logout_path = None
    endpoints: Mapping[str, Any] = {}

    async def user_of(self, connection: HTTPConnection) -> User:
        return User("jo", groups=frozenset({"staff"}))

    async def login_path(self, connection: HTTPConnection) -> str:
        return "/login"

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""


@pytest.fixture(params=["plain", "dev", "login", "limits"])
async def front(host: CountedHost, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "dev": {"dev": True},
        "login": {"allow": ["*=staff"]},
        "limits": {"max_sessions": 9, "max_sessions_per_user": 9, "max_sessions_per_address": 9},
    }
    auth = AuthOptions(Jo() if request.param == "login" else None)
    front = Front(host, settings=Settings(session_ids="unsigned", **kinds[request.param]), auth_options=auth)
    await front.start()
    assert host.taken() == ["start"]
    yield front
    await front.stop()


EMBED = "bokeh-autoload-element=e&bokeh-app-path=/a"


@pytest.mark.parametrize("path", ["/a", f"/a/autoload.js?{EMBED}", f"/a/autoload.js?{EMBED}&plan"])
async def test_a_get_is_one_call_to_the_host(front: Front, host: CountedHost, path: str) -> None:
    headers = {"Accept": "application/json" if path.endswith("plan") else "text/html"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://h") as client:
        for session in ("", "one", "one"):  # a new one, one by its id, and that again
            answer = await client.get(path, headers={**headers, **({"Bokeh-Session-Id": session} if session else {})})
            assert answer.status_code == 200
            assert host.taken() == ["open"]
        for session in ("one", "two"):  # one that is there, and one that is not
            token = mint(session, now_s=time.time(), lifetime_s=300, payload={"role": "host"})
            parameter = f"{'&' if '?' in path else '?'}bokeh-token={token}"
            answer = await client.get(path + parameter, headers=headers)
            assert (answer.status_code, token in answer.text) == (200, True)
            assert host.taken() == ["open"]
        assert (await client.head(path, headers=headers)).status_code == 200
        assert host.taken() == []


async def test_a_websocket_is_one_call_to_the_host(front: Front, host: CountedHost) -> None:
    for lifetime_s in (300, 300, -1):  # creates its session, joins it, and joins it by a token that has expired
        token = mint("s", now_s=time.time(), lifetime_s=lifetime_s, payload={})
        peer = Peer(front, socket_scope("/a/ws", protocols=["bokeh", token]))
        assert (await peer.hear())["type"] == "websocket.accept"
        assert '"ACK"' in (await peer.hear())["text"]
        peer.leave()
        await peer.ended()
        assert [name for name in host.taken() if name != "receive"] == ["attach"]

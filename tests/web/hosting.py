"""A host that is told what to do, and the client's side of an ASGI websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from hotshoe.errors import RequestError, SessionGone
from hotshoe.hosts.host import AppInfo, OpenRequest, SessionInfo, Statistics
from hotshoe.pages.page import Page
from hotshoe.web.front import Front
from hotshoe.wire import Close, Incoming, Outgoing, ack

BATCH = "hotshoe.websocket.batch"


class Pipe:
    """An attachment whose outgoing side is a queue; it keeps what comes in."""

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[Sequence[Outgoing] | Close] = asyncio.Queue()
        self.outgoing.put_nowait([ack()])
        self.handled: list[Incoming] = []
        self.detached = 0

    async def receive(self) -> Sequence[Outgoing] | Close:
        return await self.outgoing.get()

    async def ready(self) -> None:
        """There is always room."""

    def handle(self, message: Incoming) -> None:
        self.handled.append(message)
        self.outgoing.put_nowait([(b'{"reqid":"%s"}' % message.msgid.encode(), b"{}", message.content)])

    def detach(self) -> None:
        self.detached += 1


class ToldHost:
    """Keeps sessions that are nothing but their ids; fails or waits where a test wants it to."""

    def __init__(self, *apps: AppInfo) -> None:
        self.apps = {info.url: info for info in apps}
        self.started = self.stopped = 0
        self.live: set[tuple[str, str]] = set()
        self.wishes: list[OpenRequest] = []
        self.pipes: list[Pipe] = []
        self.failures: dict[str, Exception] = {}
        self.payload: Mapping[str, Any] = {}
        self.gate: asyncio.Event | None = None
        self.cancelled = 0
        self.owners: dict[tuple[str, str], str] = {}

    async def start(self) -> None:
        await asyncio.sleep(0)
        self.started += 1
        self._fail("start")

    async def stop(self) -> None:
        self.stopped += 1

    async def open(self, wish: OpenRequest) -> SessionInfo:
        self.wishes.append(wish)
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self._fail("open")
        self.live.add((wish.app, wish.session_id))
        return SessionInfo(wish.session_id, wish.app, self.payload if wish.payload is None else wish.payload)

    async def owner(self, app: str, session_id: str) -> str | None:
        return self.owners.get((app, session_id))

    async def page(self, app: str, session_id: str) -> Page:
        self._fail("page")
        self._check(app, session_id)
        return Page("<html>TOKEN</html>", "TOKEN", "NONCE")

    async def attach(self, app: str, session_id: str) -> Pipe:
        self._check(app, session_id)
        self.pipes.append(Pipe())
        return self.pipes[-1]

    async def autoload_script(self, app: str, session_id: str, *, element_id: str | None, app_path: str,
                              absolute_url: str | None, token: str, resources: bool) -> str:
        self._check(app, session_id)
        return f"/* {element_id} {app_path} {absolute_url} {resources} {token} */"

    async def until_changed(self, app: str, version: str) -> None:
        while self.apps[app].version == version:
            await asyncio.sleep(0.01)

    async def metadata(self, app: str) -> Any:
        return {"of": app}

    def statistics(self) -> Statistics:
        return Statistics({}, len(self.pipes), 0)

    def _check(self, app: str, session_id: str) -> None:
        if app not in self.apps:
            raise RequestError(f"no app at {app}", status=404)
        if (app, session_id) not in self.live:
            raise SessionGone(session_id)

    def _fail(self, where: str) -> None:
        if where in self.failures:
            raise self.failures[where]


class Peer:
    """The client's side of one ASGI websocket."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = False
        self.say(type="websocket.connect")
        self.task = asyncio.create_task(app(scope, self._to_app.get, self._take))

    async def _take(self, event: dict[str, Any]) -> None:
        if self.gone:
            raise OSError("gone")
        self._from_app.put_nowait(event)

    def say(self, **event: Any) -> None:
        self._to_app.put_nowait(event)

    def leave(self) -> None:
        self.gone = True
        self.say(type="websocket.disconnect", code=1006)

    async def hear(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._from_app.get(), 5)

    async def ended(self) -> list[dict[str, Any]]:
        """Wait for the app's end; what it had still sent."""
        await asyncio.wait_for(self.task, 5)
        return [self._from_app.get_nowait() for _ in range(self._from_app.qsize())]


def socket_scope(path: str, *, protocols: Sequence[str] = (), headers: Mapping[str, str] | None = None,
                 batch: bool = False, plain: bool = False, query: bytes = b"", root_path: str = "",
                 client: tuple[str, int] | None = ("127.0.0.1", 1)) -> dict[str, Any]:
    extensions: dict[str, Any] = {} if plain else {"websocket.http.response": {}}
    if batch:
        extensions[BATCH] = {}
    pairs = {"host": "testserver", **(headers or {})}
    return {
        "type": "websocket", "path": path, "query_string": query, "root_path": root_path, "scheme": "ws",
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
        "subprotocols": list(protocols), "extensions": extensions, "client": client, "server": ("h", 80),
    }


class Site:
    """A front, its host and clients for both."""

    def __init__(self, host: ToldHost, front: Front) -> None:
        self.host = host
        self.front = front

    def client(self, *, root_path: str = "", base_url: str = "http://testserver") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.front, root_path=root_path)
        return httpx.AsyncClient(transport=transport, base_url=base_url)

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.request(method, path, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.request("GET", path, **more)

    def connect(self, path: str, **more: Any) -> Peer:
        return Peer(self.front, socket_scope(path, **more))

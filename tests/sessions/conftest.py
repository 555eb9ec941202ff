"""Real sessions on real threads, without sockets: what a connection would send is read from its outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from bokeh.document import Document

from hotshoe.apps import App, Hooks, Request
from hotshoe.sessions import Connection, Pulse, Registry, Session, Surroundings, ThreadPool
from hotshoe.wire import Close, Incoming

WAIT_S = 10.0


class Client:
    """Reads and writes whole messages of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._count = 0
        self._waiting: list[tuple[dict[str, Any], dict[str, Any], Any, list[bytes]]] = []

    async def next(self) -> tuple[dict[str, Any], dict[str, Any], Any, list[bytes]]:
        """Header, metadata, content and buffers of the next message."""
        if not self._waiting:
            async with asyncio.timeout(WAIT_S):
                received = await self.connection.receive()
            assert not isinstance(received, Close), received
            for fragments in received:
                header, metadata, content = (json.loads(bytes(part)) for part in fragments[:3])
                self._waiting.append((header, metadata, content, [bytes(part) for part in fragments[4::2]]))
        return self._waiting.pop(0)

    async def closed(self) -> Close:
        """The order to close, after whatever messages come before it."""
        while True:
            async with asyncio.timeout(WAIT_S):
                received = await self.connection.receive()
            if isinstance(received, Close):
                return received

    async def until(self, msgtype: str) -> list[Any]:
        """The contents of all messages up to the next of ``msgtype``, that one included."""
        contents = []
        while True:
            header, _, content, _ = await self.next()
            contents.append(content)
            if header["msgtype"] == msgtype:
                return contents

    def send(self, msgtype: str, content: Any = None, buffers: tuple[tuple[str, bytes], ...] = ()) -> str:
        """Hand a message to the session; returns its id."""
        self._count += 1
        msgid = f"m{self._count}"
        data = json.dumps({} if content is None else content).encode()
        self.connection.handle(Incoming(msgid, msgtype, data, buffers))
        return msgid

    def set(self, model: Any, attr: str, new: Any) -> str:
        """Change a property as a browser does."""
        event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": new}
        return self.send("PATCH-DOC", {"events": [event]})

    async def pull(self) -> Any:
        """The document's JSON."""
        self.send("PULL-DOC-REQ")
        return (await self.until("PULL-DOC-REPLY"))[-1]["doc"]

    async def events(self) -> list[Any]:
        """The events of all patches before the next OK."""
        return [event for content in (await self.until("OK"))[:-1] for event in content["events"]]


Open = Callable[..., Awaitable[Session]]
Attach = Callable[[Session], Awaitable[Client]]


@pytest.fixture(params=[8, 0], ids=["threads", "loop"])
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[ThreadPool | None]:
    """Both ways to run app code: on threads, and everything on the loop."""
    pool = ThreadPool(request.param, asyncio.get_running_loop()) if request.param else None
    yield pool
    if pool is not None:
        pool.close()


@pytest.fixture
async def registries() -> AsyncIterator[list[Registry]]:
    """Registries to close at the end."""
    registries: list[Registry] = []
    yield registries
    for registry in registries:
        await registry.close(grace_s=1)


@pytest.fixture
async def pulse() -> AsyncIterator[Pulse]:
    """A pulse that beats."""
    pulse = Pulse()
    task = asyncio.create_task(pulse.run())
    yield pulse
    task.cancel()


@pytest.fixture
def make_registry(pool: ThreadPool | None, pulse: Pulse, registries: list[Registry]) -> Callable[..., Registry]:
    """Make the registry of an app, by the function that fills its document."""

    def make(build: Callable[[Document], Any], hooks: Hooks | None = None, dev: bool = False) -> Registry:
        app = App(build=build, hooks=hooks or Hooks())
        registry = Registry(app, "/app", Surroundings(asyncio.get_running_loop(), pool, pulse, dev=dev))
        registries.append(registry)
        return registry

    return make


@pytest.fixture
def open_session(make_registry: Callable[..., Registry]) -> Open:
    """Open a session of an app, by the function that fills its document."""

    async def open_session(build: Callable[[Document], Any], hooks: Hooks | None = None, dev: bool = False) -> Session:
        return await make_registry(build, hooks, dev).open("session-1", Request(), {})

    return open_session


@pytest.fixture
def attach() -> Attach:
    """Connect a client to a session; its ACK has been read."""

    async def attach(session: Session) -> Client:
        client = Client(session.attach())
        header, _, _, _ = await client.next()
        assert header["msgtype"] == "ACK"
        return client

    return attach

"""Real sessions on real threads, without sockets: what a connection would send is read from its outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from bokeh.document import Document
from tests.support.session_client import Attach, Client, Open

from hotshoe.apps import App, Hooks, Request
from hotshoe.base.tasks import Deadline
from hotshoe.base.threads import ThreadPool
from hotshoe.sessions import Pulse, Registry, Session, Surroundings
from hotshoe.sessions import attach as connect


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
        await registry.close(Deadline(1))


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
        client = Client(connect(session))
        header, _, _, _ = await client.next()
        assert header["msgtype"] == "ACK"
        return client

    return attach

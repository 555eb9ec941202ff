"""What tests ask of a host, whichever it is: the one of this process, or that behind bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bokeh.document import Document

from hotshoe.apps import Request
from hotshoe.config import Settings
from hotshoe.hosts.host import AsPage, Attachment, Host, Opened, OpenRequest
from hotshoe.hosts.inline import InlineHost
from hotshoe.hosts.loopback import LoopbackHost
from hotshoe.sessions import Session

KINDS = ("inline", "loopback")
MakeHost = Callable[..., Awaitable[Host]]
"""What the fixture ``make`` of tests/hosts is."""


class _Behind(LoopbackHost):
    def __init__(self, inline: InlineHost) -> None:
        super().__init__(inline)
        self.inline = inline


def host_of(kind: str, inline: InlineHost) -> Host:
    """``inline``, or what gives all calls to it as bytes."""
    return _Behind(inline) if kind == "loopback" else inline


def inline_of(host: Host) -> InlineHost:
    """Where the sessions are, for what no front may ask."""
    assert isinstance(host, InlineHost | _Behind)
    return host if isinstance(host, InlineHost) else host.inline


async def open_session(host: Host, app: str, session_id: str, request: Request | None = None, **more: Any) -> Opened:
    """Find or create a session."""
    return await host.open(OpenRequest(app, request or Request(), session_id, **more))


@asynccontextmanager
async def serve_session(build: Callable[[Document], None], settings: Settings) -> AsyncIterator[Session]:
    """A session of an app, in a host of its own."""
    host = InlineHost({"app": build}, settings)
    await host.start()
    try:
        await open_session(host, "/app", "one")
        session = host._registries["/app"].get("one")
        assert session is not None
        yield session
    finally:
        await host.stop()


async def page_of(host: Host, app: str, session_id: str, request: Request | None = None) -> str:
    """The page of a session that there is, for the token ``the-token``. Raises ``SessionGone``."""
    opened = await open_session(host, app, session_id, request, may_create=False, view=AsPage())
    assert opened.page is not None
    return opened.page.fill(token="the-token").decode()


async def join(host: Host, app: str, session_id: str) -> Attachment:
    """Subscribe to a session that there is. Raises ``SessionGone``."""
    return await host.attach(OpenRequest(app, Request(), session_id, may_create=False))


async def until_changed(host: Host, app: str, version: str) -> None:
    """Wait until the app has another version."""
    async with asyncio.timeout(10):
        while host.apps[app].version == version:
            await asyncio.sleep(0.005)


async def until_empty(host: Host, app: str) -> None:
    """Wait until all sessions of the app have ended."""
    async with asyncio.timeout(20):
        while (await host.statistics()).sessions[app]:
            await asyncio.sleep(0.01)

"""A front over a host that is told what to do, and the fixture that makes such sites."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from tests.support.asgi_websocket import Peer, socket_scope
from tests.support.fake_host import FileApp, ToldHost

from hotshoe.base.shared import Shared
from hotshoe.config import Settings
from hotshoe.hosts.host import AppInfo
from hotshoe.web.front import Front
from hotshoe.web.gate.auth_options import AuthOptions


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


MakeSite = Callable[..., Site]


@pytest.fixture
async def make_site() -> AsyncIterator[MakeSite]:
    """Makes a site: ``make_site("/a", "/b", prefix="p", …)``; it takes any session id unless it is told otherwise."""
    made: list[Site] = []

    def make(*apps: AppInfo | FileApp | str, only_local: bool = False,
             auth_options: AuthOptions = AuthOptions(), shared: Shared | None = None,  # noqa: B008
             address: str = "", **settings: Any) -> Site:
        infos = [AppInfo(app, app.strip("/").title()) if isinstance(app, str) else app for app in apps]
        host = ToldHost(*infos)
        chosen = Settings(**{"session_ids": "unsigned", **settings})
        front = Front(host, settings=chosen, only_local=only_local, auth_options=auth_options, shared=shared,
                      address=address)
        made.append(Site(host, front))
        return made[-1]

    yield make
    for site in made:
        await site.front.stop()

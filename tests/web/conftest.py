"""Fronts to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.web.hosting import Site, ToldHost

from hotshoe.config import Settings
from hotshoe.hosts.host import AppInfo
from hotshoe.web.front import Front
from hotshoe.web.guard import Guard

MakeSite = Callable[..., Site]


@pytest.fixture
async def make_site() -> AsyncIterator[MakeSite]:
    """Makes a site: ``make_site("/a", "/b", prefix="p", …)``; it takes any session id unless it is told otherwise."""
    made: list[Site] = []

    def make(*apps: AppInfo | str, only_local: bool = False, guard: Guard = Guard(), **settings: Any) -> Site:  # noqa: B008
        infos = [app if isinstance(app, AppInfo) else AppInfo(app, app.strip("/").title()) for app in apps]
        host = ToldHost(*infos)
        chosen = Settings(**{"session_ids": "unsigned", **settings})
        made.append(Site(host, Front(host, settings=chosen, only_local=only_local, guard=guard)))
        return made[-1]

    yield make
    for site in made:
        await site.front.stop()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Two apps, ``/a`` and ``/b``."""
    return make_site("/a", "/b")

"""The lifespan of an app inside of ours: told of start and end, asked whether it could, served if it knows none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hotshoe.base.errors import SiteError
from hotshoe.web.site.sites import Lifespan


async def test_start_and_end() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        for what in ("startup", "shutdown"):
            heard.append((await receive())["type"])
            scope["state"][what] = True
            await send({"type": f"lifespan.{what}.complete"})

    lifespan = Lifespan(app)
    assert lifespan.state is None
    await lifespan.start()
    assert heard == ["lifespan.startup"]
    assert lifespan.state == {"startup": True}
    await lifespan.stop()
    await lifespan.stop()
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_it_can_start_again() -> None:
    starts: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        starts.append((await receive())["type"])
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    lifespan = Lifespan(app)
    for _ in range(2):
        await lifespan.start()
        await lifespan.stop()
    assert starts == ["lifespan.startup"] * 2


async def test_a_start_that_fails_says_why() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(SiteError, match="failed in its startup: no database"):
        await Lifespan(app).start()


async def test_an_app_that_knows_none() -> None:
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    async def returns(scope: Any, receive: Any, send: Any) -> None:
        return

    for app in (raises, returns):
        lifespan = Lifespan(app)
        await lifespan.start()
        await asyncio.wait_for(lifespan.stop(), 5)


async def test_an_app_that_dies_between() -> None:
    died = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        died.set()
        raise ValueError("later")

    lifespan = Lifespan(app)
    await lifespan.start()
    await died.wait()
    await asyncio.sleep(0)
    await asyncio.wait_for(lifespan.stop(), 5)


async def test_a_lifespan_that_fails_later_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ValueError("the database is gone")

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()
    assert "the database is gone" in caplog.text

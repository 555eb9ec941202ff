"""The rules that a Tornado application gets, and real apps through them; test_frameworks.py has the example."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Slider
from tests.support.raw_websocket import WebSocket
from tests.support.tornado_site import site_of

import hotshoe
from hotshoe.base.errors import ConfigError
from hotshoe.integrations.tornado import routes


def slider(doc: Document) -> None:
    doc.add_root(Slider(start=0, end=10, value=1))


def client_of(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")


async def test_apps_given_as_they_are_and_as_an_app_object() -> None:
    apps = hotshoe.asgi({"/kept": slider})
    rules = [*routes({"/given": slider}, prefix="apps/", threads=2), *routes(apps)]
    async with apps.lifespan(), site_of(rules) as port, client_of(port) as client:
        for path in ("/apps/given", "/kept"):
            page = await client.get(path)
            token = re.search(r'"token":"([^"]+)"', page.text)
            assert token is not None
            socket = await asyncio.to_thread(WebSocket, port, f"{path}/ws", protocols=["bokeh", token[1]],
                                             origin=f"http://localhost:{port}")
            await asyncio.to_thread(socket.until, "ACK")
            assert "Slider" in str(await asyncio.to_thread(socket.pull))
            socket.cut()


async def test_files_with_conditions_ranges_and_compression() -> None:
    path = "/apps/static/js/bokeh.min.js"
    rules = routes({"/s": slider}, prefix="/apps")
    async with site_of(rules, compress_response=True) as port, client_of(port) as client:
        whole = await client.get(path, headers={"accept-encoding": "identity"})
        assert whole.headers["content-length"] == str(len(whole.content))
        part = await client.get(path, headers={"accept-encoding": "identity", "range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        packed = await client.get(path, headers={"accept-encoding": "gzip"})
        assert (packed.headers["content-encoding"], packed.content) == ("gzip", whole.content)
        again = await client.get(path, headers={"accept-encoding": "gzip", "if-none-match": packed.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await client.head(path, headers={"accept-encoding": "identity"})
        assert head.headers["content-length"] == whole.headers["content-length"]


async def test_an_app_object_has_its_settings_already() -> None:
    with pytest.raises(ConfigError, match="threads"):
        routes(hotshoe.asgi(slider), threads=2)


async def test_it_stops_with_the_apps() -> None:
    apps = hotshoe.asgi({"/s": slider})
    async with site_of(routes(apps, prefix="/apps")) as port, client_of(port) as client:
        await client.get("/apps/s")
        assert (await apps.front.host.statistics()).sessions == {"/s": 1}
        await apps.stop()
        assert (await apps.front.host.statistics()).sessions.get("/s", 0) == 0
        assert (await client.get("/apps/s")).status_code == 503
        assert (await client.get("/")).text == "home"

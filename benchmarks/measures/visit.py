"""What a visitor waits for before the app is there: page, socket, document, bytes of the first visit."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from urllib.parse import urljoin

import msgspec

from ..load import Http, LoadError, connect, new_session_id
from ..servers import Server, Settings
from .measure import Row, Scale, Weight, p50_ms

VISITS = {"sliders": 25, "grid9": 5, "big100k": 9}
PULLS, PULLING_S = 20, 1.0


class Visit:
    """Pages of new sessions, then sockets to new sessions until their document is there, then pulls again."""

    name = "visit"
    settings = Settings(apps=tuple(VISITS))
    rows = (
        Row("page load p50, sliders", "ms", target=1.3),
        Row("page load p50, grid9", "ms", target=1.3),
        Row("page load p50, big100k", "ms"),
        Row("socket open to document p50, sliders", "ms"),
        Row("socket open to document p50, grid9", "ms"),
        Row("socket open to document p50, big100k", "ms"),
        Row("second pull of an unchanged document, sliders", "ms CPU", target=50),
        Row("second pull of an unchanged document, grid9", "ms CPU", target=50),
        Row("second pull of an unchanged document, big100k", "ms CPU"),
    )
    limit_s = 60.0
    weight = Weight.LIGHT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        values: dict[str, float] = {}
        for app, visits in VISITS.items():
            count = scale.count(visits, least=3)
            values[f"page load p50, {app}"] = p50_ms(pages(server.port, app, count))
            values[f"socket open to document p50, {app}"] = p50_ms(
                [await socket_to_document(server.port, app) for _ in range(count)])
            values[f"second pull of an unchanged document, {app}"] = await _second_pull_cpu_ms(server, app)
        return values


def pages(port: int, app: str, count: int) -> list[float]:
    http = Http(port)
    try:
        return [http.page(app).elapsed_s for _ in range(count)]
    finally:
        http.close()


async def socket_to_document(port: int, app: str) -> float:
    """The session exists already, as after its page was loaded: the page's own work is not measured twice."""
    session_id = new_session_id()
    http = Http(port)
    http.page(f"{app}?bokeh-session-id={session_id}")
    http.close()
    started = time.perf_counter()
    connection = await connect(port, app, session_id)
    await connection.request("PULL-DOC-REQ")
    elapsed = time.perf_counter() - started
    connection.close()
    return elapsed


async def _second_pull_cpu_ms(server: Server, app: str) -> float:
    """CPU, as the time of a pull in ``bokeh serve`` is mostly Nagle's; many, as a clock tick is 10 ms."""
    connection = await connect(server.port, app)
    await connection.request("PULL-DOC-REQ")
    before, pulls, deadline = server.cpu_s(), 0, time.perf_counter() + PULLING_S
    while time.perf_counter() < deadline:
        for _ in range(PULLS):
            await connection.request("PULL-DOC-REQ")
        pulls += PULLS
    connection.close()
    return (server.cpu_s() - before) / pulls * 1000


class FirstVisit:
    """The scripts of a first visit to sliders, asked for as Chromium asks."""

    name = "bytes"
    settings = Settings(apps=("sliders",))
    rows = (
        Row("JavaScript bytes of a first visit", "MB", target=8),
    )
    limit_s = 60.0
    weight = Weight.EXACT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        http = Http(server.port)
        try:
            scripts = _scripts(http.page("sliders").body.decode())
            total = sum(_script_bytes(http, src) for src in scripts)
        finally:
            http.close()
        return {"JavaScript bytes of a first visit": total / 1e6}


def _scripts(page: str) -> list[str]:
    """The scripts that a page loads: those of its tags, and those whose tags hotshoe's page writes itself."""
    tagged = [src.replace("&amp;", "&") for src in re.findall(r'<script[^>]*\ssrc="([^"]+)"', page)]
    written = [src for names in re.findall(r'"js":(\[[^]]*])', page) for src in msgspec.json.decode(names)]
    if not tagged and not written:
        raise LoadError("the page loads no script")
    return tagged + written


def _script_bytes(http: Http, src: str) -> int:
    path = urljoin("http://127.0.0.1/sliders", src).removeprefix("http://127.0.0.1")
    response = http.get(path, Accept_Encoding="gzip, deflate, br, zstd")
    if response.status != 200:
        raise LoadError(f"GET {path} answered {response.status}")
    return len(response.body)

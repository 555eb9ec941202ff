"""How long one user waits for the answer to one event, and how many events one session takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from ..load import Connection, connect, models, patch
from ..servers import Server, Settings
from .measure import Row, Scale, Weight, p50_ms, p99_ms

IN_FLIGHT = 32
"""Events that a saturating client has sent and not yet seen answered."""


class RoundTrip:
    """A slider that is moved: at once when the last move is answered, ten, and thirty times a second."""

    name = "roundtrip"
    settings = Settings(apps=("sliders",))
    rows = (
        Row("round trip p50, next event at once", "ms", target=60),
        Row("round trip p99, next event at once", "ms"),
        Row("round trip p50, 10 Hz", "ms", target=1),
        Row("round trip p99, 10 Hz", "ms"),
        Row("round trip p50, 30 Hz", "ms"),
        Row("round trip p99, 30 Hz", "ms"),
    )
    limit_s = 60.0
    weight = Weight.LIGHT

    def __init__(self, at_once: int = 60) -> None:
        self._at_once = at_once

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        connection, move = await mover(server, "sliders")
        await times_of(connection, move, 30, period_s=0.0)  # Linux acknowledges a new socket's data at once
        values: dict[str, float] = {}
        for label, count, period_s in (
            ("next event at once", self._at_once, 0.0), ("10 Hz", 30, 0.1), ("30 Hz", 75, 1 / 30),
        ):
            times = await times_of(connection, move, scale.count(count), period_s)
            values |= {f"round trip p50, {label}": p50_ms(times), f"round trip p99, {label}": p99_ms(times)}
        connection.close()
        return values


class Saturation:
    """One session that always has events waiting; two sliders take turns, so that no event replaces another."""

    limit_s = 60.0
    weight = Weight.LIGHT

    def __init__(self, name: str, apps: Mapping[str, float | None], label: str, threads: int | None) -> None:
        self.name = name
        self.settings = Settings(apps=tuple(apps), threads=threads)
        self._label = label
        self.rows = tuple(row for app, target in apps.items() for row in (
            Row(f"round trips a second, {app}, {label}", "/s", "higher", target),
            Row(f"CPU of a round trip, {app}, {label}", "µs CPU")))

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        values: dict[str, float] = {}
        for app in self.settings.apps:
            rate, cpu_us = await _saturate(server, app, scale.seconds(2.0))
            values[f"round trips a second, {app}, {self._label}"] = rate
            values[f"CPU of a round trip, {app}, {self._label}"] = cpu_us
        return values


class TwentyProperties:
    """One event whose callback sets twenty properties."""

    name = "twenty"
    settings = Settings(apps=("twenty_properties",))
    rows = (
        Row("20 properties: CPU of an event", "ms CPU", target=2.5),
        Row("20 properties: frames before the OK", "frames", target=20),
        Row("20 properties: round trip p50", "ms"),
    )
    limit_s = 60.0
    weight = Weight.LIGHT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        connection, move = await mover(server, "twenty_properties")
        await times_of(connection, move, 30, period_s=0.0)
        before, frames, count = server.cpu_s(), connection.frames, scale.count(60)
        times = await times_of(connection, move, count, period_s=0.0)
        sent = connection.frames - frames
        many = scale.count(600)
        await asyncio.gather(*(connection.request("PATCH-DOC", move()) for _ in range(many)))
        used = server.cpu_s() - before
        connection.close()
        return {
            "20 properties: CPU of an event": used / (count + many) * 1000,
            "20 properties: frames before the OK": sent / count - 3,
            "20 properties: round trip p50": p50_ms(times),
        }


class Arrays:
    """One event whose callback sends an array of a million float64."""

    name = "array"
    settings = Settings(apps=("array8mb",))
    rows = (
        Row("8 MB array: CPU of a MB", "ms CPU", target=1.5),
        Row("8 MB array: round trip p50", "ms"),
    )
    limit_s = 60.0
    weight = Weight.LIGHT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        connection, move = await mover(server, "array8mb")
        await times_of(connection, move, 3, period_s=0.0)
        count = scale.count(40)
        before = server.cpu_s()
        times = await times_of(connection, move, count, period_s=0.0)
        used = server.cpu_s() - before
        connection.close()
        return {"8 MB array: CPU of a MB": used / (8 * count) * 1000, "8 MB array: round trip p50": p50_ms(times)}


async def mover(server: Server, app: str) -> tuple[Connection, Callable[[], bytes]]:
    """A connection, and what makes the next event: a new value for the first two sliders, in turn."""
    connection = await connect(server.port, app)
    sliders = models(await connection.document(), "Slider")[:2]
    moves = 0

    def move() -> bytes:
        nonlocal moves
        moves += 1
        return patch(sliders[moves % len(sliders)], moves % 9973 / 9973)

    return connection, move


async def times_of(
    connection: Connection, move: Callable[[], bytes], count: int, period_s: float
) -> list[float]:
    """The seconds that each of ``count`` events took, one sent every ``period_s`` or when the last is answered."""
    times, due = [], time.perf_counter()
    for _ in range(count):
        elapsed, _ = await connection.request("PATCH-DOC", move())
        times.append(elapsed)
        due = max(due + period_s, time.perf_counter())
        if period_s:
            await asyncio.sleep(due - time.perf_counter())
    return times


async def _saturate(server: Server, app: str, seconds: float) -> tuple[float, float]:
    """Round trips a second, and the µs of CPU of one."""
    connection, move = await mover(server, app)
    answered, deadline = 0, 0.0

    async def stream() -> None:
        nonlocal answered
        while time.perf_counter() < deadline:
            await connection.request("PATCH-DOC", move())
            answered += 1

    for duration_s in (0.3, seconds):  # the first does not count
        before, started, answered = server.cpu_s(), time.perf_counter(), 0
        deadline = started + duration_s
        await asyncio.gather(*(stream() for _ in range(IN_FLIGHT)))
    rate = answered / (time.perf_counter() - started)
    cpu_us = (server.cpu_s() - before) / answered * 1e6
    connection.close()
    return rate, cpu_us

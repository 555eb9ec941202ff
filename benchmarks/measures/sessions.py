"""Many sessions at once: what they cost each other, and what is left of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from ..load import Connection, connect, models, patch
from ..servers import Server, Settings
from .measure import Row, Scale, Weight, p50_ms, p99_ms

SESSIONS = 200
RATE_HZ = 5
OPENING = 8
"""Sessions opened at the same time: one alone would mostly wait for Nagle."""


class ManySessions:
    """Two hundred users, each of whom moves a slider five times a second."""

    name = "many"
    settings = Settings(apps=("sliders",))
    rows = (
        Row("200 sessions at 5 Hz: p50", "ms"),
        Row("200 sessions at 5 Hz: p99", "ms", target=8),
        Row("200 sessions at 5 Hz: CPU", "% of a core"),
    )
    limit_s = 120.0
    weight = Weight.LIGHT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        users = await _open(server, scale.count(SESSIONS))
        await _use(users, 1.0)
        before, started = server.cpu_s(), time.perf_counter()
        times = await _use(users, scale.seconds(4.0))
        cpu = (server.cpu_s() - before) / (time.perf_counter() - started)
        for connection, _ in users:
            connection.close()
        return {
            "200 sessions at 5 Hz: p50": p50_ms(times),
            "200 sessions at 5 Hz: p99": p99_ms(times),
            "200 sessions at 5 Hz: CPU": cpu * 100,
        }


class Expiry:
    """Two hundred sessions that lose their connections at once and expire, and one user who stays."""

    name = "expiry"
    settings = Settings(apps=("sliders",), unused_lifetime_ms=1000, check_unused_ms=500)
    rows = (
        Row("longest wait while 200 sessions expire", "ms", target=500),
        Row("memory of a session", "KB", target=1),
        Row("memory kept when 200 sessions have ended", "% of what they took"),
        Row("memory that 200 more sessions then add", "% of what the first took"),
    )
    limit_s = 150.0
    weight = Weight.HEAVY

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        count = scale.count(SESSIONS)
        stays = (await _open(server, 1))[0]
        await asyncio.sleep(2.0)  # the sessions of the warm-up are gone
        before = server.rss_bytes()
        users = await _open(server, count)
        taken = server.rss_bytes() - before
        for connection, _ in users:
            connection.close()
        users.clear()
        longest = await _longest_wait(*stays)
        kept = server.rss_bytes() - before
        users = await _open(server, count)
        added = server.rss_bytes() - before - taken
        for connection, _ in [*users, stays]:
            connection.close()
        return {
            "longest wait while 200 sessions expire": longest * 1000,
            "memory of a session": taken / count / 1000,
            "memory kept when 200 sessions have ended": 100 * kept / taken,
            "memory that 200 more sessions then add": 100 * max(added, 0) / taken,
        }


async def _longest_wait(connection: Connection, slider: str) -> float:
    """Ask without pause until the others have had the time to expire, and the server answers swiftly again."""
    longest, quiet_from = 0.0, time.perf_counter() + 2.5
    moves = 0
    while (now := time.perf_counter()) < quiet_from + 1.0:
        moves += 1
        elapsed = await connection.set(slider, moves % 1000 / 1000)
        longest = max(longest, elapsed)
        if elapsed > 0.1:
            quiet_from = max(quiet_from, now + elapsed)
        await asyncio.sleep(0.002)
    return longest


async def _open(server: Server, count: int) -> list[tuple[Connection, str]]:
    """So many sessions, each with its first slider's id."""
    gate = asyncio.Semaphore(OPENING)

    async def one() -> tuple[Connection, str]:
        async with gate:
            connection = await connect(server.port, "sliders")
            return connection, models(await connection.document(), "Slider")[0]

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _use(users: list[tuple[Connection, str]], seconds: float) -> list[float]:
    """The times of all users' round trips; users start spread over one period, and never wait for one another."""
    period_s, started = 1 / RATE_HZ, time.perf_counter()

    async def one(number: int, connection: Connection, slider: str) -> list[float]:
        due = started + period_s * number / len(users)
        answers: list[asyncio.Future[tuple[float, bytes]]] = []
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            answers.append(connection.post("PATCH-DOC", patch(slider, len(answers) % 97 / 97 + number % 3)))
            due += period_s
        return [(await answer)[0] for answer in answers]

    times = await asyncio.gather(*(one(number, *user) for number, user in enumerate(users)))
    return [elapsed for user in times for elapsed in user]

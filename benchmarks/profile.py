"""Where a server's time goes: ``python -m benchmarks.profile``.

py-spy samples the server while it is saturated with one kind of work; what a function and all that it calls take is
its share of the samples, times the CPU that one piece of work costs.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import uvloop

from .load import Http, connect, models, patch
from .servers import Server, Settings, peers

SECONDS = 6
SAMPLES_A_SECOND = 500
LEAST_SHARE = 0.004


def main() -> None:
    """Profile what was asked for and print a line for each function."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description="Where a server's time goes.")
    parser.add_argument("--peer", choices=list(peers()), default="hotshoe")
    parser.add_argument("--app", choices=["sliders", "grid9", "twenty_properties", "array8mb"], default="sliders")
    parser.add_argument("--work", choices=list(WORK), default="event")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with Server(peers()[options.peer], Settings((options.app,), threads=options.threads)) as server:
        stacks, pieces, cpu_s = _sample(server, WORK[options.work], options.app)
    print(_report(stacks, cpu_s / pieces * 1e6))


def _sample(server: Server, work: Callable[[int, str, float], int], app: str) -> tuple[Counter[str], int, float]:
    """Stacks with their counts; how many pieces of work were done meanwhile, and the CPU that they took."""
    work(server.port, app, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "stacks")
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(server.pid),
                   "--duration", str(SECONDS), "--rate", str(SAMPLES_A_SECOND), "--format", "raw", "--gil",
                   "--output", str(target)]
        spy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        before = server.cpu_s()
        pieces = work(server.port, app, SECONDS - 1.0)
        used = server.cpu_s() - before
        spy.wait(SECONDS + 20)
        return _parse(target.read_text()), pieces, used


def _parse(raw: str) -> Counter[str]:
    stacks: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[stack] += int(count)
    return stacks


def _report(stacks: Counter[str], cost_us: float) -> str:
    total = stacks.total()
    inclusive: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = [_function(frame) for frame in stack.split(";")]
        own[frames[-1]] += count
        for name in set(frames):
            inclusive[name] += count
    lines = [f"{cost_us:.0f} µs of CPU each; {total} samples\n",
             "| µs | of its own | function |", "| ---: | ---: | --- |"]
    lines += [f"| {cost_us * count / total:.1f} | {cost_us * own[name] / total:.1f} | {name} |"
              for name, count in inclusive.most_common() if count >= LEAST_SHARE * total]
    return "\n".join(lines)


def _function(frame: str) -> str:
    """``name (file:line)`` without the line, so that a function's samples fall together."""
    name, _, place = frame.partition(" (")
    return f"`{name}` {place.rstrip(')').rpartition(':')[0]}"


def _events(port: int, app: str, seconds: float) -> int:
    async def run() -> int:
        connection = await connect(port, app)
        sliders = models(await connection.document(), "Slider")[:2]
        deadline, answered = time.perf_counter() + seconds, 0

        async def stream() -> None:
            nonlocal answered
            while time.perf_counter() < deadline:
                answered += 1
                await connection.request("PATCH-DOC", patch(sliders[answered % len(sliders)], answered % 997 / 997))

        await asyncio.gather(*(stream() for _ in range(32)))
        connection.close()
        return answered

    return uvloop.run(run())


def _pages(port: int, app: str, seconds: float) -> int:
    http, deadline, loaded = Http(port), time.perf_counter() + seconds, 0
    while time.perf_counter() < deadline:
        http.page(app)
        loaded += 1
    http.close()
    return loaded


WORK: dict[str, Callable[[int, str, float], int]] = {"event": _events, "page": _pages}

if __name__ == "__main__":
    main()

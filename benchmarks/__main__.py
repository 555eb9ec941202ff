"""``python -m benchmarks``: run the servers in turn on the same apps and print how they compare.

This process is the load generator; every server is a process of its own, started anew for each measure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psutil
import uvloop

from . import servers
from .load import LoadError, connect, patch
from .measures import INSIDE, SCENARIOS, VERSIONS, Scale, Scenario
from .measures.measure import p50_ms
from .servers import ECHO, Peer, Server, Settings, peers
from .table import Results, compared_versions, machine, markdown
from .versions import VersionError, versions

ROUNDS_OF_VERSIONS = 9
"""Single rounds of one and the same server differ by up to 80 % on a shared machine."""


def main() -> int:
    """Run what was asked for; 1 if a measure failed on a server."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    _raise_file_limit()
    server_core = _split_cores()
    if options.ceiling:
        print(uvloop.run(_ceiling(server_core)))
        return 0
    if options.counters:
        from . import counters  # nothing else here needs hotshoe in this process

        print(f"{machine()}\n\n{counters.table()}")
        return 0
    if options.against:
        return _compare_versions(options, server_core)
    available = peers()
    rounds = options.rounds or (1 if options.quick else 2)
    scale = Scale(0.1 if options.quick else 1.0)
    started = time.monotonic()
    tables: list[str] = []
    failed = False
    for scenarios, compared in (
        (SCENARIOS, [available[name] for name in options.peers or available]),
        (INSIDE, servers.INSIDE),
    ):
        chosen = [s for s in scenarios if not options.only or s.name in options.only]
        if chosen:
            results = _compare(chosen, compared, rounds, scale, server_core)
            tables.append(markdown(results, chosen))
            failed = failed or bool(results.failures)
    print(machine())
    print(f"{rounds} rounds, {time.monotonic() - started:.0f} s, server and generator "
          f"{'each on a core of its own' if server_core is not None else 'share the cores'}\n")
    print("\n\n".join(tables))
    return 1 if failed else 0


def _compare_versions(options: argparse.Namespace, core: int | None) -> int:
    """This tree and a commit; 1 if a measure failed on one of them."""
    rounds = options.rounds or (1 if options.quick else ROUNDS_OF_VERSIONS)
    scale = Scale(0.1 if options.quick else 1.0)
    chosen = [s for s in VERSIONS if not options.only or s.name in options.only]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hotshoe-bench-") as folder:
        try:
            compared = versions(options.against, Path(folder))
        except VersionError as error:
            print(f"scripts/bench: {error}", file=sys.stderr)
            return 2
        results = _compare(chosen, compared, rounds, scale, core)
    print(machine())
    print(f"{rounds} rounds, {time.monotonic() - started:.0f} s, server and generator "
          f"{'each on a core of its own' if core is not None else 'share the cores'}\n")
    print(compared_versions(results, chosen))
    return 1 if results.failures else 0


def _compare(chosen: Sequence[Scenario], compared: Sequence[Peer], rounds: int, scale: Scale,
             core: int | None) -> Results:
    results = Results([peer.name for peer in compared])
    for peer in compared:
        _fill_caches(peer, chosen, core)
    for scenario in chosen:
        _measure(scenario, compared, rounds, scale, core, results)
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run the servers in turn on the same apps and print how they compare.")
    names = [s.name for s in (*SCENARIOS, *INSIDE)]
    parser.add_argument("--only", action="append", metavar="NAME", choices=names,
                        help=f"measure only this (repeatable): {', '.join(names)}")
    parser.add_argument("--peers", nargs="+", metavar="PEER", choices=list(peers()),
                        help=f"compare only these, the first is the base: {', '.join(peers())}")
    parser.add_argument("--against", metavar="COMMIT",
                        help="compare hotshoe of this tree with that of a git commit, instead of with other servers")
    parser.add_argument("--rounds", type=_positive, help="rounds of each measure (default: 2; with --against 9)")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--ceiling", action="store_true",
                        help="measure the load generator itself, against a server that does no work")
    parser.add_argument("--counters", action="store_true",
                        help="measure what one count of hotshoe's counters costs, and nothing else")
    options = parser.parse_args()
    if options.against and (options.peers or "inside" in (options.only or ())):
        parser.error("--against compares two versions of hotshoe serve: --peers and --only inside do not go with it")
    return options


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _fill_caches(peer: Peer, chosen: Sequence[Scenario], core: int | None) -> None:
    """Let a server fill the caches that it keeps on the disk, so that no measure has to pay for them."""
    with contextlib.suppress(LoadError), Server(peer, chosen[0].settings, core) as server:
        server.settle()


def _measure(scenario: Scenario, compared: Sequence[Peer], rounds: int, scale: Scale, core: int | None,
             results: Results) -> None:
    for number in range(scenario.weight.rounds(rounds)):
        for peer in compared if number % 2 == 0 else reversed(compared):  # neither is always the second
            started = time.monotonic()
            try:
                values = _once(scenario, Server(peer, scenario.settings, core), scale)
            except (LoadError, TimeoutError, OSError, psutil.Error, msgspec.MsgspecError) as error:
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                results.fail(peer.name, scenario.rows, reason)
                outcome = f"failed: {reason}"
            else:
                results.add(peer.name, scenario.rows, values)
                outcome = ", ".join(f"{value:.4g}" for value in values.values())
            print(f"{scenario.name} {number + 1} {peer.name}: {outcome} ({time.monotonic() - started:.0f} s)",
                  file=sys.stderr, flush=True)


def _once(scenario: Scenario, server: Server, scale: Scale) -> dict[str, float]:
    async def limited() -> dict[str, float]:
        async with asyncio.timeout(scenario.limit_s):
            return dict(await scenario.run(running, scale))

    with server as running, _no_collection():
        return uvloop.run(limited())


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """The generator's own garbage collector would show as the server's slowest answers."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _split_cores() -> int | None:
    """Move this process to one core and return another for the servers; ``None`` where that cannot be."""
    if sys.platform != "linux" or len(cores := sorted(os.sched_getaffinity(0))) < 2:
        return None
    os.sched_setaffinity(0, cores[1:2])
    return cores[0]


def _raise_file_limit() -> None:
    """Every connection is an open file, here and in the servers, which inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _ceiling(core: int | None) -> str:
    with Server(ECHO, Settings(apps=()), core) as server:
        connection = await connect(server.port, "echo")
        at_once = [await connection.set("p1", n / 1000) for n in range(2000)]
        count, started = 50_000, time.perf_counter()
        for _ in range(count // 50):
            await asyncio.gather(*(connection.post("PATCH-DOC", patch("p1", 0.5)) for _ in range(50)))
        rate = count / (time.perf_counter() - started)
        connection.close()
    return f"round trip p50 {p50_ms(at_once):.3f} ms; {rate:,.0f} round trips a second"


if __name__ == "__main__":
    sys.exit(main())

"""Ports of this machine."""

from __future__ import annotations

import itertools
import os
import random
import socket
import time
from collections.abc import Iterator

FIRST, LAST = 12_000, 32_000
"""Below what Linux takes for a port 0 and for clients (from 32768 on): nobody gets one by chance."""


def share(worker: int, workers: int) -> range:
    """The ports of one worker of pytest-xdist: no two workers share one."""
    size = (LAST - FIRST) // workers
    return range(FIRST + worker * size, FIRST + (worker + 1) * size)


def walk(ports: range) -> Iterator[int]:
    """Round and round, from anywhere: runs beside this one, and what it has just let go of, are unlikely to be met."""
    start = random.randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS = walk(share(_WORKER, _WORKERS))


def free_port() -> int:
    """One on which nobody listens, at any address; this run does not give it out again for a long time."""
    return next(port for port in itertools.islice(_PORTS, 1000) if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server can have it at every address."""
    try:
        if socket.has_dualstack_ipv6():
            socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True).close()
        else:
            socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def wait_until_closed(port: int) -> None:
    """Until nobody listens."""
    deadline = time.monotonic() + 60
    while is_open(port):
        assert time.monotonic() < deadline, f"port {port} is still open"
        time.sleep(0.1)

"""Hosts of both kinds, with threads and without."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.hosts import KINDS, MakeHost, host_of

from hotshoe.config import Settings
from hotshoe.hosts.host import Host
from hotshoe.hosts.inline import InlineHost

_COMBINATIONS = list(itertools.product(KINDS, (8, 0)))


@pytest.fixture(params=_COMBINATIONS, ids=[f"{kind}-{'threads' if count else 'loop'}" for kind, count in _COMBINATIONS])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[MakeHost]:
    """Makes and starts hosts: ``await make(targets, **settings)``; ``started`` and ``reloads`` may be ``False``."""
    kind, threads = request.param
    hosts: list[Host] = []

    async def make(targets: Any, *, started: bool = True, reloads: bool = True, **options: Any) -> Host:
        host = host_of(kind, InlineHost(targets, Settings(**{"threads": threads, **options}), reloads=reloads))
        hosts.append(host)
        if started:
            await host.start()
        return host

    yield make
    for host in hosts:
        await host.stop()

"""What ended sessions leave is given back when that disturbs nobody, in a process that is the server's own."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from hotshoe.hosts import tidying as tidying_module
from hotshoe.hosts.tidying import AT_ONCE_MOST, THRESHOLDS, Tidying, give_back, renew_free_lists, tidy_process, trim


class Registry:
    def __init__(self) -> None:
        self.ended_count = 0
        self.held_count = 0


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def tidying(registry: Registry) -> Tidying:
    return Tidying(registry)


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_the_collector_is_others_until_the_process_is_ours(tidying: Tidying) -> None:
    before = gc.get_threshold()
    tidying.freeze()
    assert gc.get_freeze_count() == 0
    with tidy_process():
        assert gc.get_threshold() == THRESHOLDS
        tidying.freeze()
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert not tidying_module._tidies


def test_what_dev_mode_loads_anew_is_not_frozen(registry: Registry) -> None:
    with tidy_process():
        Tidying(registry, freeze=False).freeze()
    assert gc.get_freeze_count() == 0


def test_it_waits_until_no_more_sessions_end_and_few_are_alive(tidying: Tidying, registry: Registry) -> None:
    registry.held_count = 100
    assert not tidying._is_time()
    registry.ended_count = 10
    assert not tidying._is_time(), "more may end right now"
    assert not tidying._is_time(), "a collection would have to look at all that are alive"
    registry.held_count = 9
    assert tidying._is_time()


def test_it_waits_no_longer_when_more_have_ended_than_are_alive(tidying: Tidying, registry: Registry) -> None:
    registry.held_count = 9
    registry.ended_count = 10
    assert not tidying._is_time()
    assert tidying._is_time()


def test_it_waits_until_nobody_is_there_if_a_collection_would_be_long(tidying: Tidying, registry: Registry) -> None:
    registry.held_count = 1
    registry.ended_count = AT_ONCE_MOST
    assert not tidying._is_time()
    assert not tidying._is_time()
    registry.held_count = 0
    assert tidying._is_time()


async def test_free_lists_get_new_objects_and_nothing_runs() -> None:
    before = asyncio.all_tasks()
    await renew_free_lists()
    gc.collect()
    assert asyncio.all_tasks() == before


def test_names_that_lookups_remember_are_let_go() -> None:
    dtype = np.dtype("float64")
    for _ in range(20_000):
        assert dtype.name == "float64"  # each time with a name for the lookup that is made anew
    before = sys.getallocatedblocks()
    give_back()
    assert sys.getallocatedblocks() < before - 100


def test_trimming_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    trim()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    trim()

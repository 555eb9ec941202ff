"""Which tests run where, and the ports that workers of one run have."""

from __future__ import annotations

import inspect
import itertools
import socket
from pathlib import Path

import pytest
from tests.support.ports import FIRST, LAST, free_port, is_free, share, walk
from tests.support.tiers import BOKEH, is_below, order, unknown_places


def test_a_place_that_has_moved_is_named(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "test_here.py").touch()
    places = ["web", "web/test_here.py", "web/test_gone.py", "wire"]
    assert unknown_places(places, tmp_path) == ["web/test_gone.py", "wire"]
    assert unknown_places(BOKEH) == []


def test_a_folder_stands_for_what_is_in_it_and_not_for_its_namesakes(tmp_path: Path) -> None:
    assert is_below(tmp_path / "apps" / "deep" / "test_a.py", ["apps"], tmp_path)
    assert is_below(tmp_path / "web" / "test_a.py", ["apps", "web/test_a.py"], tmp_path)
    assert not is_below(tmp_path / "apps_too" / "test_a.py", ["apps"], tmp_path)
    assert not is_below(tmp_path / "web" / "test_b.py", ["web/test_a.py"], tmp_path)


def test_the_tests_of_this_run(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    assert [order(item) for item in items] == sorted(order(item) for item in items)
    for item in items:
        assert ("bokeh" in item.keywords) == is_below(item.path, BOKEH), item.nodeid
        if "chromium" in getattr(item, "fixturenames", ()):
            assert {"browser", "real"} <= set(item.keywords), item.nodeid
        if "browser" in item.keywords:
            function = getattr(item, "function", None)
            assert not inspect.iscoroutinefunction(function), f"{item.nodeid}: see tests/support/browser/chromium.py"


@pytest.mark.parametrize("workers", [1, 2, 3, 64])
def test_workers_share_no_port(workers: int) -> None:
    shares = [set(share(worker, workers)) for worker in range(workers)]
    assert all(len(ports) >= 300 for ports in shares)
    assert sum(map(len, shares)) == len(set.union(*shares))
    assert set.union(*shares) <= set(range(FIRST, LAST))


def test_ports_are_walked_from_anywhere_and_all_of_them() -> None:
    ports = range(100, 200)
    walks = [list(itertools.islice(walk(ports), 100)) for _ in range(5)]
    assert all(set(taken) == set(ports) for taken in walks)
    assert len({taken[0] for taken in walks}) > 1


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_port_that_is_listened_on_is_not_free(address: str) -> None:
    port = free_port()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family):
        assert not is_free(port)
    assert is_free(port)
    assert free_port() != port

"""Which servers end when: decided without a kernel, with servers that only note what is asked of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hotshoe.notebook.kernel import CellRun, Cells, KernelPlace, KernelServer


class FakeServer:
    def __init__(self, place: KernelPlace) -> None:
        self.place = place
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


def add(cells: Cells, run: CellRun, place: KernelPlace) -> FakeServer:
    server = FakeServer(place)
    cells.add(run, cast(KernelServer, server))
    return server


def test_another_run_of_a_cell_ends_what_it_showed() -> None:
    cells = Cells()
    first = add(cells, CellRun("m1", "a"), KernelPlace("s1", 1))
    other = add(cells, CellRun("m2", "b"), KernelPlace("s2", 2))
    cells.begin(CellRun("m3", "a"))
    assert (first.stops, other.stops) == (1, 0)
    assert [server.place for server in cells.servers] == [other.place]


def test_the_same_run_ends_nothing() -> None:
    cells, run = Cells(), CellRun("m1", "a")
    servers = [add(cells, run, KernelPlace("s1", 1)), add(cells, run, KernelPlace("s2", 2))]
    cells.begin(run)  # a cell that runs code by `get_ipython().run_cell`
    assert [server.stops for server in servers] == [0, 0]


def test_a_cell_gets_its_places_again_in_their_order() -> None:
    cells, places = Cells(), [KernelPlace("s1", 1), KernelPlace("s2", 2)]
    for place in places:
        add(cells, CellRun("m1", "a"), place)
    run = CellRun("m2", "a")
    cells.begin(run)
    got = []
    for _ in range(3):
        got.append(cells.next_place(run))
        add(cells, run, got[-1])
    assert got[:2] == places
    assert got[2].port == 0
    assert got[2].secret not in ("s1", "s2")


def test_a_run_that_shows_nothing_does_not_lose_the_place() -> None:
    cells, place = Cells(), KernelPlace("s1", 1)
    add(cells, CellRun("m1", "a"), place)
    cells.begin(CellRun("m2", "a"))
    cells.begin(CellRun("m3", "a"))
    assert cells.next_place(CellRun("m3", "a")) == place


def test_deleted_cells_end_what_they_showed() -> None:
    cells = Cells()
    gone = add(cells, CellRun("m1", "a"), KernelPlace("s1", 1))
    kept = add(cells, CellRun("m2", "b"), KernelPlace("s2", 2))
    cells.begin(CellRun("m3", "c", deleted=("a", "never seen")))
    assert (gone.stops, kept.stops) == (1, 0)


def test_without_a_cell_all_stay_until_the_end() -> None:
    cells = Cells()
    servers = [add(cells, CellRun("m1"), KernelPlace("s1", 1)), add(cells, CellRun("m2"), KernelPlace("s2", 2))]
    cells.begin(CellRun("m3"))
    assert [server.stops for server in servers] == [0, 0]
    assert cells.next_place(CellRun("m3")).port == 0
    cells.close()
    cells.close()
    assert [server.stops for server in servers] == [1, 1]
    assert cells.servers == []


@pytest.mark.parametrize(("request_", "expected"), [
    ({"header": {"msg_id": "m"}, "metadata": {"cellId": "a", "deletedCells": ["b", "c"]}},
     CellRun("m", "a", ("b", "c"))),
    ({"header": {"msg_id": "m"}, "metadata": {}}, CellRun("m")),
    ({"header": {"msg_id": "m"}, "metadata": {"cellId": 3, "deletedCells": "abc"}}, CellRun("m")),
    ({"header": {"msg_id": "m"}, "metadata": {"deletedCells": [None, "b", {}]}}, CellRun("m", None, ("b",))),
    ({"header": None, "metadata": None}, CellRun("None")),
    ({}, CellRun("None")),
])
def test_requests_of_all_kinds_are_read(request_: dict[str, Any], expected: CellRun) -> None:
    assert CellRun.of(request_) == expected

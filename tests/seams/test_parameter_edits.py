"""Sessions on many threads edit parameters that they share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from hotshoe.seams.panel.parameter_edits import share_edits

pytest.importorskip("panel")

import param
from panel.util.parameters import edit_readonly

share_edits()
THREADS = 8
Edit = Callable[[Any], AbstractContextManager[None]]


class Sign(param.Parameterized):
    fixed = param.Integer(default=0, constant=True)
    shown = param.Integer(default=0, readonly=True)
    free = param.Integer(default=0)


def make() -> Any:
    return Sign()  # type: ignore[no-untyped-call]


def flags(parameter: Any) -> tuple[bool, bool]:
    return parameter.constant, parameter.readonly


@pytest.mark.parametrize(("edit", "name"), [(param.edit_constant, "fixed"), (edit_readonly, "shown"),
                                            (edit_readonly, "fixed")])
def test_one_that_ends_leaves_the_parameter_writable_for_another(edit: Edit, name: str) -> None:
    first, second = make(), make()
    one, two = edit(first), edit(second)
    before = flags(Sign.param[name])
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    setattr(second, name, 5)
    two.__exit__(None, None, None)
    assert flags(Sign.param[name]) == before
    assert getattr(second, name) == 5
    with pytest.raises(TypeError):
        setattr(make(), name, 6)


@pytest.mark.parametrize("edit", [param.edit_constant, edit_readonly])
def test_storm(edit: Edit) -> None:
    barrier = threading.Barrier(THREADS)
    name = "fixed" if edit is param.edit_constant else "shown"
    shared = make()  # as Panel's state is

    def work(number: int) -> None:
        barrier.wait()
        for count in range(200):
            sign = shared if number % 2 else make()
            with edit(sign):
                setattr(sign, name, count)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert flags(Sign.param.fixed) == (True, False)
    assert flags(Sign.param.shown) == (True, True)
    with pytest.raises(TypeError):
        setattr(shared, name, 7)


def test_edits_inside_of_edits_and_errors() -> None:
    sign = make()

    def edit() -> None:
        with param.edit_constant(sign):
            with edit_readonly(sign):
                sign.shown = 1
            sign.fixed = 2
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        edit()
    for name in ("fixed", "shown"):
        with pytest.raises(TypeError):
            setattr(sign, name, 3)
    sign.free = 4


def test_one_who_watches_a_flag_and_fails_leaves_no_flag_off() -> None:
    class Watched(param.Parameterized):
        fixed = param.Integer(default=0, constant=True)

    def fail(event: Any) -> None:
        raise ValueError("on purpose")

    sign: Any = Watched()  # type: ignore[no-untyped-call]
    watcher = sign.param.watch(fail, "fixed", what="constant")
    with pytest.raises(ValueError, match="on purpose"), param.edit_constant(sign):
        raise AssertionError("it has not begun")
    sign.param.unwatch(watcher)
    with param.edit_constant(sign):
        sign.fixed = 1
    with pytest.raises(TypeError):
        sign.fixed = 2

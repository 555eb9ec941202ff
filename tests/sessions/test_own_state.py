"""Each session has its own of what Python and its libraries have once per process."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import gc
import importlib
import io
import locale
import logging
import os
import pickle
import random
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import matplotlib as mpl
import numpy as np
import pytest
from bokeh.document import Document

from hotshoe.apps import Request
from hotshoe.seams.current import document_context
from hotshoe.seams.process import own_state
from hotshoe.sessions import Registry, Session

mpl.use("Agg")

import matplotlib.pyplot as plt

pytestmark = pytest.mark.parametrize("pool", [8], indirect=True, ids=["threads"])

Together = Callable[[Callable[[str, Callable[[], Any]], Any]], Awaitable[list[Any]]]


@pytest.fixture
async def two(make_registry: Callable[..., Registry]) -> list[Session]:
    registry = make_registry(lambda document: None)
    return [await registry.open(name, Request(), {}) for name in ("ann", "bob")]


@pytest.fixture
def together(two: list[Session]) -> Together:
    """Call ``function(name, meet)`` in both sessions at once; ``meet()`` waits for the other."""
    barrier = threading.Barrier(2)

    async def call(function: Callable[[str, Callable[[], Any]], Any]) -> list[Any]:
        def meet() -> None:
            barrier.wait(20)

        return await asyncio.gather(*(session.run(partial(function, session.id, meet)) for session in two))

    return call


async def test_two_users_draw_each_into_the_own_figure(together: Together) -> None:
    def draw(name: str, meet: Callable[[], Any]) -> tuple[str, int, list[int]]:
        plt.figure()
        plt.title(name)
        meet()
        plt.plot([1, 2, 3])
        meet()
        return plt.gca().get_title(), len(plt.gca().lines), plt.get_fignums()

    assert await together(draw) == [("ann", 1, [1]), ("bob", 1, [1])]
    assert plt.get_fignums() == []


async def test_close_all_closes_the_figures_of_one_session(together: Together) -> None:
    outside = plt.figure("outside")

    def close(name: str, meet: Callable[[], Any]) -> list[str]:
        plt.figure(f"of {name}")
        meet()
        if name == "ann":
            plt.close("all")
        meet()
        return plt.get_figlabels()

    assert await together(close) == [[], ["of bob"]]
    assert plt.get_figlabels() == ["outside"]
    plt.close(outside)


async def test_figures_of_an_ended_session_are_freed(make_registry: Callable[..., Registry]) -> None:
    figures: list[weakref.ref[Any]] = []
    registry = make_registry(lambda document: figures.append(weakref.ref(plt.figure())))
    await registry.open("a", Request(), {})
    gc.collect()
    assert figures[0]() is not None
    await registry.end("a")
    gc.collect()
    assert figures[0]() is None


async def test_a_thread_of_the_app_has_the_figures_of_its_document(two: list[Session]) -> None:
    def draw(document: Document) -> None:
        with document_context(document):
            plt.figure("of a thread")

    def use() -> list[str]:
        for call in (lambda: draw(two[0].document), lambda: None):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        return plt.get_figlabels()

    assert await two[0].run(use) == ["of a thread"]
    assert await two[1].run(plt.get_figlabels) == []


@pytest.mark.parametrize("way", ["redirect_stdout", "assignment", "redirect_stderr"])
async def test_what_one_prints_no_other_captures(together: Together, way: str) -> None:
    def capture(name: str, meet: Callable[[], Any]) -> str:
        text = io.StringIO()
        if way == "assignment":
            before, sys.stdout = sys.stdout, text
            meet()
            print(name)
            meet()
            sys.stdout = before
        else:
            with getattr(contextlib, way)(text):
                meet()
                print(name, file=sys.stderr if "stderr" in way else None)
                meet()
        return text.getvalue()

    before = sys.stdout, sys.stderr
    assert await together(capture) == ["ann\n", "bob\n"]
    assert (sys.stdout, sys.stderr) == before


async def test_a_redirection_holds_across_await(two: list[Session], capsys: pytest.CaptureFixture[str]) -> None:
    async def capture(name: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            await asyncio.sleep(0.01)
            print(name)
            await asyncio.sleep(0.01)
        return text.getvalue()

    captured = await asyncio.gather(*(session.run(partial(capture, session.id)) for session in two))
    print("outside")
    assert (captured, capsys.readouterr().out) == (["ann\n", "bob\n"], "outside\n")


async def test_warnings_of_one_are_not_recorded_or_left_out_by_another(together: Together) -> None:
    def record(name: str, meet: Callable[[], Any]) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always" if name == "ann" else "ignore")
            meet()
            warnings.warn(f"of {name}", UserWarning, stacklevel=1)
            meet()
            if name == "ann":  # whose block ends first
                return [str(warning.message) for warning in caught]
        return [str(warning.message) for warning in caught]

    before = list(warnings.filters)
    assert await together(record) == [["of ann"], []]
    assert warnings.filters == before


async def test_nested_blocks_and_filters_of_the_process(two: list[Session]) -> None:
    def nest() -> list[Any]:
        seen: list[Any] = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warnings.warn("inner", UserWarning, stacklevel=1)
            seen += [len(caught)]
            with pytest.raises(UserWarning):
                warnings.warn("outer", UserWarning, stacklevel=1)
        warnings.filterwarnings("ignore", "of the process")
        return [*seen, str(warnings.filters[0][1])]

    assert await two[0].run(nest) == [1, "re.compile('of the process', re.IGNORECASE)"]
    assert "of the process" in str(warnings.filters[0][1])  # as in stock: only a block is the session's


async def test_who_seeds_draws_what_the_seed_says(together: Together) -> None:
    def draw_all() -> list[Any]:
        return [random.random(), random.randint(0, 10**6), random.gauss(), np.random.rand(), np.random.randint(10**6),
                np.random.mtrand._rand.normal()]

    def draw(name: str, meet: Callable[[], Any]) -> list[Any]:
        random.seed(7)
        np.random.seed(7)
        drawn = []
        for _ in range(3):
            meet()
            drawn += draw_all()
        return drawn

    state, of_numpy = random.getstate(), np.random.get_state()
    try:
        first, second = await together(draw)
        assert random.getstate() == state
        random.seed(7)
        np.random.seed(7)
        assert first == second == [value for _ in range(3) for value in draw_all()]
    finally:
        random.setstate(state)
        np.random.set_state(of_numpy)


async def test_decimal_contexts_and_numpys_error_states_are_the_sessions(together: Together) -> None:
    def choose(name: str, meet: Callable[[], Any]) -> None:
        decimal.getcontext().prec = 3 if name == "ann" else 50
        np.seterr(divide="ignore" if name == "ann" else "raise")

    before = decimal.getcontext().prec, np.geterr()["divide"]
    await together(choose)
    seen = await together(lambda name, meet: (decimal.getcontext().prec, np.geterr()["divide"]))
    assert seen == [(3, "ignore"), (50, "raise")]
    assert (decimal.getcontext().prec, np.geterr()["divide"]) == before


async def test_what_all_share_is_warned_of_once(two: list[Session], caplog: pytest.LogCaptureFixture,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_state, "_warned", set())
    monkeypatch.setenv("HOTSHOE_TEST_WHO", "nobody")
    caplog.set_level(logging.WARNING)
    before = locale.setlocale(locale.LC_ALL)

    def change(name: str) -> None:
        os.environ["HOTSHOE_TEST_SAME"] = "same"
        os.environ["HOTSHOE_TEST_WHO"] = name
        locale.setlocale(locale.LC_ALL, before)
        if name == "bob":
            locale.setlocale(locale.LC_NUMERIC, "C" if locale.setlocale(locale.LC_NUMERIC) != "C" else "C.UTF-8")

    try:
        for session in [*two, *two]:
            await session.run(partial(change, session.id))
    finally:
        locale.setlocale(locale.LC_ALL, before)
        del os.environ["HOTSHOE_TEST_SAME"]
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines] == ["/app", "/app"]
    assert ["HOTSHOE_TEST_WHO" in line or "setlocale" in line for line in lines] == [True, True]




async def test_functions_of_apps_and_patched_modules_pickle_for_other_processes(two: list[Session]) -> None:
    module = type(sys)("bokeh_app_0123")
    exec("import sys, warnings\ndef job(n): return n + 1, sys.platform, warnings.warn", module.__dict__)
    sys.modules[module.__name__] = module
    try:
        sent = await two[0].run(lambda: cloudpickle.dumps(module.job))
    finally:
        del sys.modules[module.__name__]
    assert pickle.loads(sent)(1) == (2, sys.platform, warnings.warn)
    assert pickle.loads(cloudpickle.dumps(sys)) is sys


async def test_modules_that_are_imported_are_plain_ones(two: list[Session], tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    class Kind(type(sys)):  # type: ignore[misc]  # as some libraries do
        pass

    (tmp_path / "imported_late.py").write_text("stdout = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    imported: list[ModuleType] = []
    await two[0].run(lambda: imported.append(importlib.import_module("imported_late")))
    module = imported[0]
    monkeypatch.delitem(sys.modules, "imported_late")
    assert type(module) is ModuleType  # importlib makes modules of the type of ``sys``
    assert (isinstance(module, type(sys)), isinstance(two, type(sys)), issubclass(ModuleType, type(sys))) == (
        True, False, True)
    assert (type(Kind("kind")), isinstance(module, Kind)) == (Kind, False)

"""Threads that import modules for the first time at the same time: none of them ever gets a half-made one."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hotshoe.base import first_imports
from hotshoe.base.first_imports import IDLE_S, is_half_made, order, order_first_imports

PATIENCE_S = 20
BEGUN = "import meeting\nmeeting.begun.set()\n"
COMPUTE = "import meeting\nmeeting.compute()\n"


@pytest.fixture
def meeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module ``meeting``, by which modules in ``folder`` meet the test: they set ``begun``, and ``compute`` until
    ``may_end``, which happens a moment after ``other`` is set.
    """
    order_first_imports()
    monkeypatch.syspath_prepend(str(tmp_path))
    module: Any = ModuleType("meeting")
    module.folder, module.begun, module.other = tmp_path, threading.Event(), threading.Event()

    def compute() -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not module.other.is_set() and time.monotonic() < end_s:
            sum(range(1000))
        end_s = time.monotonic() + 0.1  # the other one is about to wait
        while time.monotonic() < end_s:
            sum(range(1000))

    module.compute = compute
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "meeting", module)
    yield module
    for name in set(sys.modules) - before:
        if name.startswith("first_"):
            del sys.modules[name]


class Running(threading.Thread):
    """A thread whose result, or error, is asked for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._work()
        except BaseException as error:
            self._outcome = error

    def result(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive(), "it does not end"
        return self._outcome


def load(name: str) -> Callable[[], ModuleType]:
    return lambda: importlib.import_module(name)


def write_package(folder: Path) -> None:
    """A package whose parts need each other, and that takes a while."""
    package = folder / "first_package"
    package.mkdir()
    (package / "__init__.py").write_text(f"{BEGUN}{COMPUTE}from .part import Thing\nlast = Thing\n")
    (package / "part.py").write_text("import first_package\nclass Thing: pass\n")


def test_a_package_is_imported_from_two_ends(meeting: Any) -> None:
    write_package(meeting.folder)
    before = order.passed_count
    first = Running(load("first_package"))
    assert meeting.begun.wait(PATIENCE_S)

    def from_the_other_end() -> Any:
        meeting.other.set()
        from first_package.part import Thing  # type: ignore[import-not-found]

        return Thing

    second = Running(from_the_other_end)
    assert first.result().last is second.result()
    assert order.passed_count == before


def test_a_library_that_looks_into_sys_modules_waits_too(meeting: Any) -> None:
    write_package(meeting.folder)
    first = Running(load("first_package"))
    assert meeting.begun.wait(PATIENCE_S)

    def look() -> Any:
        meeting.other.set()
        return sys.modules["first_package"].last

    assert Running(look).result() is first.result().last
    assert "__getattr__" not in vars(first.result())


def test_the_module_itself_gets_pythons_own_errors(meeting: Any) -> None:
    (meeting.folder / "first_circle.py").write_text("import first_back\nlate = 1\n")
    (meeting.folder / "first_back.py").write_text("from first_circle import late\n")
    (meeting.folder / "first_attribute.py").write_text("import sys\nsys.modules[__name__].late\n")
    error = Running(load("first_circle")).result()
    assert "cannot import name 'late' from partially initialized module 'first_circle'" in str(error)
    assert is_half_made(error)
    frames = traceback.extract_tb(error.__traceback__)
    assert not any(frame.filename == first_imports.__file__ for frame in frames)
    error = Running(load("first_attribute")).result()
    assert isinstance(error, AttributeError)
    assert "has no attribute 'late'" in str(error)


def test_a_lazy_module_stays_lazy(meeting: Any) -> None:
    (meeting.folder / "first_lazy.py").write_text(BEGUN + "value = 1\n")
    finder: Any
    [finder] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") == "PathFinder"]

    class Lazily:
        def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
            spec = finder.find_spec(name, path, target) if name == "first_lazy" else None
            if spec is not None:
                spec.loader = importlib.util.LazyLoader(spec.loader)
            return spec

    sys.meta_path.insert(0, Lazily())
    try:
        module = Running(load("first_lazy")).result()
    finally:
        del sys.meta_path[0]
    assert not meeting.begun.is_set()
    assert module.value == 1
    assert "__getattr__" not in vars(module)


def test_a_module_may_wait_for_a_thread_that_imports(meeting: Any) -> None:
    (meeting.folder / "first_starter.py").write_text(
        "import threading\nthread = threading.Thread(target=lambda: __import__('first_of_thread'))\n"
        "thread.start()\nthread.join()\n")
    (meeting.folder / "first_of_thread.py").write_text("")
    before, began_s = order.passed_count, time.monotonic()
    assert Running(load("first_starter")).result().thread is not None
    assert "first_of_thread" in sys.modules
    assert order.passed_count == before + 1
    assert time.monotonic() - began_s < IDLE_S + 5


def test_a_thread_that_ended_in_the_middle_of_an_import_leaves_nothing(meeting: Any) -> None:
    (meeting.folder / "first_next.py").write_text("")
    Running(lambda: order.begin("first_left")).result()
    assert Running(load("first_next")).result().__name__ == "first_next"  # the thread may have the ident of the other
    assert not order._loads


def test_what_nothing_is_loaded_for_does_not_wait(meeting: Any) -> None:
    (meeting.folder / "first_slow.py").write_text(BEGUN + COMPUTE)
    slow = Running(load("first_slow"))
    assert meeting.begun.wait(PATIENCE_S)
    for name in ("first_missing", "first_missing.part"):
        assert isinstance(Running(load(name)).result(), ModuleNotFoundError)
    assert Running(load("json")).result().dumps({}) == "{}"
    assert slow.is_alive()
    meeting.other.set()
    assert slow.result().__name__ == "first_slow"


def test_an_event_loop_waits_for_its_own_package_only(meeting: Any) -> None:
    write_package(meeting.folder)
    (meeting.folder / "first_small.py").write_text("")
    slow = Running(load("first_package"))
    assert meeting.begun.wait(PATIENCE_S)

    def loop() -> Any:
        order_first_imports()
        small = importlib.import_module("first_small")
        assert slow.is_alive()
        meeting.other.set()
        return small, importlib.import_module("first_package.part")

    small, part = Running(loop).result()
    assert (small.__name__, part.Thing) == ("first_small", slow.result().last)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_waits_for_no_thread_that_it_does_not_have(meeting: Any) -> None:
    (meeting.folder / "first_slow.py").write_text(BEGUN + COMPUTE)
    (meeting.folder / "first_of_child.py").write_text("")
    slow = Running(load("first_slow"))
    assert meeting.begun.wait(PATIENCE_S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of threads
        child = os.fork()
    if not child:
        importlib.import_module("first_of_child")
        os._exit(7)
    end_s = time.monotonic() + PATIENCE_S
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end_s:
        time.sleep(0.005)
    meeting.other.set()
    assert os.waitstatus_to_exitcode(ended[1]) == 7
    assert slow.is_alive() or slow.result()


def test_which_errors_say_that_a_module_is_half_made() -> None:
    half = ImportError("cannot import name 'a' from partially initialized module 'b'")
    outer = RuntimeError("can't draw")
    outer.__cause__ = half
    assert is_half_made(outer)
    assert not is_half_made(ImportError("No module named b"))
    assert not is_half_made(None)


def test_a_python_that_imports_in_another_way_is_left_alone() -> None:
    names = dict(vars(first_imports._bootstrap))
    assert first_imports._are_known(names)
    for name in ("_ModuleLockManager", "module_from_spec"):
        assert not first_imports._are_known({key: value for key, value in names.items() if key != name})
    assert not first_imports._are_known({**names, "_ModuleLockManager": print})

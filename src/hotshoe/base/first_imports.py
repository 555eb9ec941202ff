"""First imports of modules: one thread at a time, so that no thread gets a half-made module.

Python locks each module by itself. When two threads import modules that need each other, it ends the deadlock by giving
one of them a module whose code still runs: "cannot import name 'X' from partially initialized module". Here a thread
waits before it takes its first lock, so there is no deadlock. Imports of modules that are complete pay nothing.

No wait is for ever. A thread that loads modules may itself wait for another thread that imports something, so nobody
waits for a thread that uses no processor. It then is as in Python, and ``order.passed_count`` counts it.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType, ModuleType
from typing import Any

from .workers import frame_of, processor_clock

LOOK_EVERY_S = 0.05
"""How often a thread that waits looks at those that load."""
IDLE_S = 0.5
"""A thread that uses next to no processor for so long is not waited for."""
IDLE_PART = 0.002
"""Of a processor. A thread among many that compute gets more than that."""
MOST_S = 20.0
"""The longest wait for a first import, in an app that computes while it is imported."""

_bootstrap: Any = importlib.import_module("_frozen_importlib")
_Manager: Any = getattr(_bootstrap, "_ModuleLockManager", object)
_DeadlockError: Any = getattr(_bootstrap, "_DeadlockError", ())


class _Load:
    """A thread that loads modules."""

    __slots__ = ("_clock", "_since_s", "_used_s", "is_idle", "is_loop", "names")

    def __init__(self, name: str, *, is_loop: bool) -> None:
        self.names = [name]
        """The modules it loads now, the outermost first."""
        self.is_loop = is_loop
        """Whether it is the thread of an event loop."""
        self.is_idle = False
        """Whether it only waits, as far as is known."""
        self._clock: int | None = None
        self._since_s = self._used_s = 0.0

    def look(self, ident: int, now_s: float) -> bool:
        """Whether the thread only waits, or has ended."""
        if (frame := frame_of(ident)) is None:
            return True
        if not self._since_s:
            self._clock, self._since_s = processor_clock(ident), now_s
            self._used_s = self._used(frame)
        elif (length_s := now_s - self._since_s) >= IDLE_S:
            used_s = self._used(frame)
            self.is_idle = abs(used_s - self._used_s) < IDLE_PART * length_s
            self._since_s, self._used_s = now_s, used_s
        return self.is_idle

    def _used(self, frame: FrameType) -> float:
        """The processor time of the thread; where the system does not tell it, a number for the place in its code."""
        if self._clock is None:
            return float(hash((id(frame), frame.f_lasti)))
        return time.clock_gettime(self._clock)


class _Order:
    """Which thread may load modules."""

    def __init__(self) -> None:
        self.here = threading.local()
        """Of this thread: ``load``, if it loads modules; ``is_loop``, in the threads of event loops.

        An ident does not tell whose a load is: the next thread gets that of one which has ended.
        """
        self.passed_count = 0
        """How often a thread has not waited for another one that loads modules, and may have got a half-made one."""
        self._placeholders: dict[str, _Placeholder] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the threads that a forked child does not have."""
        own: _Load | None = getattr(self.here, "load", None)
        # It can be taken again by the thread that has it: a finalizer that runs meanwhile may import something.
        self._changed = threading.Condition(threading.RLock())
        self._loads: dict[int, _Load] = {} if own is None else {threading.get_ident(): own}
        self._waiting = 0

    def begin(self, name: str) -> None:
        """Wait until this thread may load ``name``."""
        here = self.here
        if (load := getattr(here, "load", None)) is not None:
            load.names.append(name)
            return
        ident = threading.get_ident()
        new = _Load(name, is_loop=getattr(here, "is_loop", False))
        with self._changed:
            if not self._others(ident, new):
                self._loads[ident] = here.load = new
                return
        is_missing = _is_missing(name)  # not asked with the lock held: finders may import, too
        with self._changed:
            if not is_missing:
                self._wait(ident, new)
            self._loads[ident] = here.load = new

    def end(self) -> None:
        """The opposite of ``begin``."""
        load = self.here.load
        if (placeholder := self._placeholders.pop(load.names.pop(), None)) is not None:
            placeholder.remove()
        if load.names and not self._waiting:
            return
        with self._changed:
            if not load.names:
                self.here.load = None
                self._loads.pop(threading.get_ident(), None)
            self._changed.notify_all()

    def _others(self, ident: int, new: _Load) -> list[tuple[int, _Load]]:
        """The threads for which this one must wait."""
        package = _package(new.names[0])

        def is_in_the_way(load: _Load) -> bool:
            # While an event loop waits, it stands still for everybody: it does so for its own package only.
            return not (new.is_loop or load.is_loop) or any(_package(name) == package for name in load.names)

        return [(other, load) for other, load in list(self._loads.items()) if other != ident and is_in_the_way(load)]

    def _wait(self, ident: int, new: _Load) -> None:
        end_s = time.monotonic() + MOST_S
        self._waiting += 1
        try:
            while others := self._others(ident, new):
                now_s = time.monotonic()
                idle = [load.look(other, now_s) for other, load in others]
                for other, _ in others:
                    if frame_of(other) is None:  # it has ended in the middle
                        self._loads.pop(other, None)
                if now_s >= end_s or all(idle):
                    self.passed_count += 1
                    return
                self._changed.wait(LOOK_EVERY_S)
        finally:
            self._waiting -= 1

    def place(self, module: ModuleType) -> None:
        """Let other threads that ask for an attribute which ``module`` has not got yet wait until its code has run."""
        if getattr(self.here, "load", None) is not None and "__getattr__" not in vars(module):
            placeholder = _Placeholder(module, threading.get_ident())
            self._placeholders[module.__name__] = vars(module)["__getattr__"] = placeholder

    def wait_for_code(self, placeholder: _Placeholder) -> None:
        """Wait until the code of a module has run."""
        end_s = time.monotonic() + MOST_S
        with self._changed:
            self._waiting += 1
            try:
                while not placeholder.is_removed and (load := self._loads.get(placeholder.ident)) is not None:
                    now_s = time.monotonic()
                    if now_s >= end_s or load.look(placeholder.ident, now_s):
                        return
                    self._changed.wait(LOOK_EVERY_S)
            finally:
                self._waiting -= 1


def _package(name: str) -> str:
    return name.partition(".")[0]


def _is_missing(name: str) -> bool:
    """Whether there is no such package, so that nothing is going to be loaded: many libraries try optional ones."""
    package = _package(name)
    try:
        return package not in sys.modules and _bootstrap._find_spec(package, None) is None  # noqa: SLF001
    except Exception:  # of a finder: the import itself raises it again
        return True


class _Placeholder:
    """``__getattr__`` of a module while its code runs.

    Libraries look for other libraries in ``sys.modules``, without an import: ``sys.modules["pandas"].DataFrame``.
    """

    __slots__ = ("_module", "_names", "ident", "is_removed")

    def __init__(self, module: ModuleType, ident: int) -> None:
        self._module = module
        self._names = vars(module)  # to ask a lazy module for it later would load it
        self.ident = ident
        """The thread that runs the module's code."""
        self.is_removed = False

    def remove(self) -> None:
        """The code has run, or has failed."""
        self.is_removed = True
        if self._names.get("__getattr__") is self:
            del self._names["__getattr__"]

    def __call__(self, name: str) -> Any:
        if threading.get_ident() != self.ident and not name.startswith("__"):
            order.wait_for_code(self)
        if name in self._names:
            return self._names[name]
        if self._names.get("__getattr__") is not self:
            return getattr(self._module, name)
        raise AttributeError(f"partially initialized module {self._names['__name__']!r} has no attribute {name!r} "
                             "(most likely due to a circular import)", name=name, obj=self._module)


order = _Order()


class _ModuleLock(_Manager):  # type: ignore[misc]
    """Python's ``with`` for the lock of one module, in the order of ours."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._module = name

    def __enter__(self) -> None:
        order.begin(self._module)
        try:
            super().__enter__()
        except BaseException:
            order.end()
            raise

    def __exit__(self, *error: object, **options: object) -> None:
        try:
            super().__exit__(*error, **options)
        finally:
            order.end()


def order_first_imports() -> None:
    """Keep the order in this process from now on, unless its Python imports in an unknown way. May be called again.

    Call it in the thread of an event loop, which then waits as little as can be.
    """
    order.here.is_loop = True
    names = vars(_bootstrap)
    if names.get("_ModuleLockManager") is _ModuleLock or not _are_known(names):
        return
    make = names["module_from_spec"]

    def make_module(spec: Any) -> Any:
        module = make(spec)
        if type(module) is ModuleType:
            order.place(module)
        return module

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=order.reset)
    names.update(_ModuleLockManager=_ModuleLock, module_from_spec=make_module)


def _are_known(names: Mapping[str, Any]) -> bool:
    """Whether importlib has the parts that are replaced here: they are private."""
    manager = names.get("_ModuleLockManager")
    is_manager = isinstance(manager, type) and {"__init__", "__enter__", "__exit__"} <= vars(manager).keys()
    return is_manager and callable(names.get("module_from_spec"))


def is_half_made(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that a module was half-made."""
    for _ in range(20):
        if error is None:
            break
        if isinstance(error, ImportError | AttributeError) and "partially initialized module" in str(error):
            return True
        if isinstance(error, _DeadlockError):
            return True
        error = error.__cause__ or error.__context__
    return False

"""State that Python has once per process and each app uses as its own: sys.argv, the folder, bokeh.io's state.

Scripts of different sessions run at the same time, so nothing is replaced and restored: each run reads its own values,
by its context (``contextvars``). ``sys.path`` only grows.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

from .. import seams
from ..base.children import AppCode
from ..seams.process import current_own, warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = logging.getLogger(__name__)

_ADVICE = {
    "show": "add the model with curdoc().add_root() instead",
    "save": "add the model with curdoc().add_root() instead",
}
_NO_NEED = "remove the call; a served app needs no output"


class Shows(Protocol):
    """Collects the outputs of a notebook; ``cell`` is the number of the code cell that runs."""

    cell: int

    def add(self, value: Any) -> None: ...
    def add_figure(self) -> None: ...


class Run:
    """One run of an app's code. ``argv`` is its own ``sys.argv``; None means the process's."""

    __slots__ = ("argv", "ended", "io_state", "moved", "origin", "outputs", "warned")

    def __init__(self, origin: str, argv: Sequence[str] | None, warned: set[str], outputs: Shows | None) -> None:
        self.origin = origin
        self.argv = None if argv is None else list(argv)
        self.warned = warned
        self.outputs = outputs
        """Collects what a notebook shows."""
        self.io_state: Any = None
        self.moved = False
        self.ended = False

    def refuse(self, name: str, arguments: Sequence[Any]) -> None:
        """Warn once per app that this function of bokeh.io does nothing here; in a notebook, ``show`` shows."""
        if self.outputs is not None and name == "show":
            for shown in arguments[:1]:
                self.outputs.add(shown)
            return
        self.warn_once(name, f"{name}() does nothing in an app: {_ADVICE.get(name, _NO_NEED)}")

    def warn_once(self, key: str, message: str) -> None:
        """Log ``message`` unless an earlier run of the same app did."""
        if key not in self.warned:
            self.warned.add(key)
            log.warning("%s: %s", self.origin, message)


_run: ContextVar[Run | None] = ContextVar("hotshoe_run", default=None)
_lock = threading.Lock()


def current_run() -> Run | None:
    """The run of an app's code that this context is in."""
    return _run.get()


@contextlib.contextmanager
def running(origin: str, *, argv: Sequence[str] | None, folder: str | None = None, warned: set[str],
            outputs: Shows | None = None) -> Iterator[None]:
    """Give an app's code its ``sys.argv`` (None: the process's), and put ``folder`` on ``sys.path``.

    ``warned`` belongs to the app: the keys of its warnings so far. ``outputs`` collects what a notebook shows.
    """
    with _lock:
        _argv.install()
        _cwd.install()
        seams.isolate_output(_run.get)
        if folder is not None and folder not in sys.path:
            sys.path.insert(0, folder)
    run = Run(origin, argv, warned, outputs)
    token = _run.set(run)
    try:
        with AppCode():
            yield
    finally:
        _run.reset(token)
        with _lock:
            run.ended, run.outputs = True, None
            _argv.leave()
            if run.moved:
                _cwd.leave()


class _Cwd:
    """The working folder, which all threads share.

    When the last run that changed it has ended, the original folder is restored. So a script that changes to a
    relative folder finds it again in its next session, and no other running script loses the folder it changed to.
    """

    def __init__(self) -> None:
        self.change: Callable[..., None] = os.chdir
        self._installed = False
        self._before = Path()
        self._away = 0

    def install(self) -> None:
        if not self._installed:
            self._installed = True
            self.change, os.chdir = os.chdir, _chdir

    def move(self, run: Run, path: Any) -> None:
        before = Path.cwd()
        self.change(path)
        if not run.moved and Path.cwd() != before:
            self._before = self._before if self._away else before
            self._away += 1
            run.moved = True

    def leave(self) -> None:
        self._away -= 1
        if not self._away:
            with contextlib.suppress(OSError):
                self.change(self._before)


_cwd = _Cwd()


_SHARED_FOLDER = "os.chdir() changes the folder of every session of the process; use paths from __file__"


def _chdir(path: Any) -> None:
    run = _run.get()
    if run is None or run.ended:
        _cwd.change(path)
        if (own := current_own()) is not None:  # a callback
            warn_once(own, "chdir", _SHARED_FOLDER)
        return
    with _lock:
        _cwd.move(run, path)
    if run.moved:
        run.warn_once("chdir", _SHARED_FOLDER)


class _Argv(list[str]):
    """``sys.argv``: the app's list inside an app, the process's list outside. Pickles as a plain list."""

    def __init__(self, own: Sequence[str]) -> None:
        super().__init__()
        self.own = list(own)
        self._runs = 0

    def install(self) -> None:
        """Start a run. If no app runs, another list in place was set outside of apps, and is kept as the process's."""
        if sys.argv is not self and not self._runs:
            self.own = list(sys.argv)
        self._runs += 1
        sys.argv = self

    def leave(self) -> None:
        """End a run. A list that it assigned to ``sys.argv`` must not stay for others."""
        self._runs -= 1
        sys.argv = self

    def current(self) -> list[str]:
        run = _run.get()
        return self.own if run is None or run.argv is None else run.argv

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self.current()),)

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]  # __add__ returns a plain list
        self.current().extend(other)
        return self

    def __imul__(self, count: SupportsIndex) -> Any:
        self.current()[:] = self.current() * count
        return self


def _forward(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    def call(self: _Argv, *arguments: Any, **options: Any) -> Any:
        plain = (other.current() if isinstance(other, _Argv) else other for other in arguments)
        return method(self.current(), *plain, **options)

    call.__name__ = name
    return call


for _name in (
    *("__getitem__", "__setitem__", "__delitem__", "__len__", "__iter__", "__reversed__", "__contains__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__mul__", "__rmul__"),
    *("__repr__", "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove"),
    *("reverse", "sort"),
):
    setattr(_Argv, _name, _forward(_name))

_argv = _Argv(sys.argv)

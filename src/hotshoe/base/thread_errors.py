"""Errors that are typical of code on another thread than its author expected, and the setting that each needs.

Types are named, since nothing here imports the libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

AppThread = Literal["pool", "own", "loop"]
"""Where the code of an app runs: the values of ``--app-thread``."""

_CAUSES_MOST = 8

_ADVICE: dict[AppThread, str] = {
    "own": "objects that only the thread may use that made them need --app-thread own (or app-thread in hotshoe.toml): "
           "then one thread runs all functions of the app",
    "loop": "what works only on the main thread, or only on the event loop's, needs --app-thread loop (or app-thread "
            "in hotshoe.toml): then the app runs on the event loop, as with bokeh serve",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An error, by a class among its bases (``""``: any) and a part of its text."""

    type: str
    text: str
    helps: tuple[AppThread, ...]
    """The values that help; a later one may help where an earlier one does not."""
    otherwise: str = ""
    """Another way out."""


_OWN: tuple[AppThread, ...] = ("own", "loop")
_LOOP: tuple[AppThread, ...] = ("loop",)

TABLE = (
    Row("sqlite3.ProgrammingError", "SQLite objects created in a thread", _OWN,
        "sqlite3.connect(…, check_same_thread=False) and a lock help, too"),
    Row("ValueError", "only works in main thread", _LOOP),  # signal.signal, signal.set_wakeup_fd
    Row("", "main thread is not in main loop|Calling Tcl from different apartment", _OWN),  # tkinter
    Row("RuntimeError", "There is no current event loop|no running event loop", _LOOP),
    Row("RuntimeError", "attached to a different loop|bound to a different event loop", _LOOP),
    Row("", "(running|existing|async|asyncio) (event )?loop|loop is (already )?running|async context", (),
        "a library that refuses to work inside of a running event loop needs plain functions on threads (--app-thread "
        "own or pool) and --running-loop no (or running-loop in hotshoe.toml)"),
    Row("", "cannot switch to a different thread", _OWN),  # greenlet: Playwright's sync API, gevent
    Row("", "CoInitialize has not been called|marshalled for a different thread", _OWN),  # COM
    Row("", "(?i:no valid context|no current (opengl )?context|context is not current|without a current context)",
        _OWN),  # PyOpenGL, moderngl, GLFW
    Row("", "(?i:(in|from|of) (a|another) different thread|wrong thread|non-main thread)", _OWN),  # Qt, wx, gtk
    Row("", "(?i:(in|on|from) the main thread)", _LOOP),  # GUI toolkits on macOS
)


def hint_for(error: BaseException, thread: AppThread = "pool") -> str | None:
    """The setting that helps against ``error`` in an app whose code runs on ``thread``."""
    for one in _chain(error):
        names = {f"{base.__module__}.{base.__qualname__}".removeprefix("builtins.") for base in type(one).__mro__}
        text = _text(one)
        for row in TABLE:
            if (not row.type or row.type in names) and re.search(row.text, text):
                return _hint(row, thread)
    return None


def add_hint(error: BaseException, thread: AppThread = "pool") -> None:
    """Add the hint to the notes of ``error``: it then stands below the traceback, in the log and in dev mode."""
    hint = hint_for(error, thread)
    if hint is not None and hint not in getattr(error, "__notes__", ()):
        error.add_note(hint)


def _hint(row: Row, thread: AppThread) -> str | None:
    rest = row.helps[row.helps.index(thread) + 1:] if thread in row.helps else row.helps
    advice = "; ".join(filter(None, (_ADVICE[rest[0]] if rest else "", row.otherwise)))
    return f"hotshoe: {advice}" if advice else None


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and len(found) < _CAUSES_MOST:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # it runs code of the app
        return ""

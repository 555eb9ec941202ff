"""Exceptions for the author of an app: as text from the author's first frame on, and as plain data for dev mode's page,
with the source around each frame, and local variables.

``describe`` runs code of the app (``repr``): call it where the app's code runs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import importlib.util
import inspect
import linecache
import logging
import os
import queue
import re
import reprlib
import site
import sysconfig
import threading
import traceback
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

from .errors import AppError, Failure, Frame, Report

_BEFORE, _AFTER = 5, 3
_MOST_FAILURES = 6
_MOST_FRAMES = 60
_MOST_VARIABLES = 40
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})
_LIBRARIES = ("bokeh", "panel")
_PLACE = re.compile(r"(?s)(?P<file>.+?):(?P<line>\d+): (?P<reason>.*)")


def _files_of(module: ModuleType) -> str:
    path = Path(module.__file__ or "")
    return f"{path.parent}/" if path.name == "__init__.py" else str(path)


def _folder_of(package: str) -> str:
    """The folder of a package that is not imported: settings for bokeh are read before it is."""
    found = importlib.util.find_spec(package)
    places = [] if found is None else found.submodule_search_locations or []
    return f"{next(iter(places), package)}/"


_OURS = (f"{Path(__file__).parent.parent}/",)
_ASYNCIO = _files_of(asyncio)
_LOOPS = tuple(map(_files_of, (asyncio.base_events, asyncio.events, asyncio.runners)))
# Libraries whose frames may stand between our frames and the user's.
_BETWEEN = (
    *_OURS,
    _folder_of("bokeh"),
    *map(_files_of, (asyncio, concurrent.futures, contextlib, functools, threading)),
    "<frozen runpy>",
    "<frozen importlib",
)
# Code that takes locks of the whole process. An exception raised there from outside might leave one locked for ever.
_LOCKING = (*_OURS, *map(_files_of, (asyncio, concurrent.futures, logging, queue, threading)), "<frozen importlib")
# Code that is called when a callback has ended: functions given to on_exception, and housekeepers of integrations.
_AFTER_CALLBACK = tuple(f"{_OURS[0]}{name}" for name in ("sessions/failures.py", "base/housekeeping.py"))


def user_traceback(error: BaseException) -> str:
    """The formatted exception and its causes, without hotshoe's and bokeh's frames above the user's first frame.

    If no frame is the user's (a browser sent a value that bokeh refuses), only our leading frames are left out.
    """
    report = traceback.TracebackException.from_exception(error)
    _trim(report, error)
    return "".join(report.format())


def comes_from_app(error: BaseException) -> bool:
    """Whether an app's code was involved. If not, a browser or client sent something that bokeh refuses."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(not frame.filename.startswith(_BETWEEN) for frame in frames)


def error_line(error: BaseException, folder: Path) -> tuple[str, int]:
    """File and line of the last frame in ``folder``; of the last frame at all if ``folder`` has none."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    last = (inside or frames)[-1]
    return last.filename, last.lineno or 1


def in_one_line(error: BaseException) -> str:
    """The exception's type and message, without line breaks."""
    message = " ".join(text_of(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def text_of(error: BaseException) -> str:
    """``str(error)``, also if that raises."""
    try:
        return str(error)
    except BaseException as failure:
        return f"(no text: its str() raises {type(failure).__name__})"


def may_be_interrupted(frame: FrameType) -> bool:
    """Whether a thread is in an app's callback, and neither in our code nor in a library's that takes locks for all."""
    files = [each.f_code.co_filename for each in _outermost_first(frame)]
    if any(name in _AFTER_CALLBACK for name in files):
        return False
    start = next((at for at, name in enumerate(files) if not name.startswith(_BETWEEN)), None)
    return start is not None and not any(name.startswith(_LOCKING) for name in files[start:])


def is_called_by_app(frame: FrameType | None) -> bool:
    """Whether an app's own code called this frame, directly or through asyncio's functions, but not through a loop."""
    while frame is not None and (name := frame.f_code.co_filename).startswith(_ASYNCIO) and name not in _LOOPS:
        frame = frame.f_back
    return frame is not None and is_own(frame.f_code.co_filename)


def place_of(frame: FrameType | None) -> str:
    """File and line of an app's code that a thread runs, or of any code if there is none of an app."""
    frames = [] if frame is None else _outermost_first(frame)
    own = [each for each in frames if is_own(each.f_code.co_filename)]
    if not frames:
        return "?"
    found = (own or frames)[-1]
    return f"{found.f_code.co_filename}:{found.f_lineno}"


def _outermost_first(frame: FrameType) -> list[FrameType]:
    return [each for each, _ in traceback.walk_stack(frame)][::-1]


def _trim(report: traceback.TracebackException, error: BaseException) -> None:
    pending: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(report, error)]
    while pending:
        one, raised = pending.pop()
        if one is None or raised is None:
            continue
        names = [frame.filename for frame in one.stack]
        # An AppError names the file with the mistake; our frames that found it do not help.
        is_ours = isinstance(raised, AppError) or _tells_all(raised, names)
        del one.stack[: len(names) if is_ours else leading(names)]
        pending += [(one.__cause__, raised.__cause__), (one.__context__, raised.__context__)]
        pending += zip(one.exceptions or (), getattr(raised, "exceptions", ()), strict=False)


def _tells_all(error: BaseException, names: Sequence[str]) -> bool:
    """Whether the text of an error names the place of the mistake (``names_place``), and no frame does."""
    return getattr(error, "names_place", False) and all(name.startswith(_BETWEEN) for name in names)


def leading(names: Sequence[str]) -> int:
    """The number of frames before the user's first, by their files; without one, the number of our leading frames."""
    for files in (_BETWEEN, _OURS):
        for count, name in enumerate(names):
            if not name.startswith(files):
                return count
    return 0


class _Printer(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = 400
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 20

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = repr(x)
        except BaseException as error:
            return f"<{type(x).__name__}, whose repr() raises {type(error).__name__}>"
        return text if len(text) <= self.maxother else f"{text[:self.maxother]}…"


def describe(error: BaseException) -> Report:
    """The exception and its causes as plain data."""
    return Report(tuple(_failures(error)), user_traceback(error))


def _failures(error: BaseException) -> Iterator[Failure]:
    seen: set[int] = set()
    following: tuple[BaseException | None, str] = (_without_wrapper(error), "")
    while (one := following[0]) is not None and id(one) not in seen and len(seen) < _MOST_FAILURES:
        seen.add(id(one))
        yield _failure(one, following[1])
        if one.__cause__ is not None:
            following = one.__cause__, "It was raised from"
        else:
            context = None if one.__suppress_context__ else one.__context__
            following = context, "It was raised while this was handled"


def _without_wrapper(error: BaseException) -> BaseException:
    # An AppError is one line about an exception or syntax error of an app's code; the original has more details.
    cause = error.__cause__
    if not isinstance(error, AppError) or cause is None:
        return error
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(cause.__traceback__))
    return cause if isinstance(cause, SyntaxError) or any(map(is_own, files)) else error


def _failure(error: BaseException, relation: str) -> Failure:
    if isinstance(error, SyntaxError) and error.filename:
        frames = _frames(error)
        calls = frames if any(frame.is_own for frame in frames) else ()
        place = _place(error.filename, error.lineno or 1)
        return Failure(type(error).__name__, str(error.msg), (*calls, place), relation)
    if isinstance(error, AppError) and (match := _PLACE.fullmatch(str(error))):
        return Failure("", match["reason"], (_place(match["file"], int(match["line"])),), relation)
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    kind = "" if isinstance(error, AppError) else type(error).__qualname__
    return Failure(kind, "\n".join([text_of(error), *notes]).strip(), _frames(error), relation)


def _place(filename: str, line: int) -> Frame:
    return Frame(filename, line, "", True, _source(filename, line))


def _frames(error: BaseException) -> tuple[Frame, ...]:
    calls = list(traceback.walk_tb(error.__traceback__))
    names = [frame.f_code.co_filename for frame, _ in calls]
    calls = [] if _tells_all(error, names) else calls[leading(names):]
    if len(calls) > _MOST_FRAMES:  # an endless recursion
        calls = [*calls[: _MOST_FRAMES // 2], *calls[-_MOST_FRAMES // 2:]]
    return tuple(_frame(frame, line) for frame, line in calls)


def _frame(frame: FrameType, line: int) -> Frame:
    code = frame.f_code
    if not is_own(code.co_filename):
        return Frame(code.co_filename, line, code.co_qualname, False)
    source = _source(code.co_filename, line, frame.f_globals)
    return Frame(code.co_filename, line, code.co_qualname, True, source, _variables(frame))


def is_own(filename: str) -> bool:
    """Whether a file of code is an app's."""
    return not filename.startswith("<") and not is_library(real(filename))


def _source(filename: str, line: int, names: dict[str, Any] | None = None) -> tuple[tuple[int, str], ...]:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, names)
    if not lines and Path(filename).suffix not in (".py", ""):
        with contextlib.suppress(OSError):
            lines = Path(filename).read_text(encoding="utf-8", errors="replace").splitlines()
    first = max(line - _BEFORE, 1)
    return tuple((first + at, text.rstrip("\r\n")) for at, text in enumerate(lines[first - 1 : line + _AFTER]))


def _variables(frame: FrameType) -> tuple[tuple[str, str], ...]:
    printer = _Printer()
    data = [(name, value) for name, value in list(frame.f_locals.items())
            if not name.startswith("__")
            and not (isinstance(value, ModuleType | FunctionType) or inspect.isclass(value))]
    return tuple((name, printer.repr(value)) for name, value in data[:_MOST_VARIABLES])


@lru_cache(maxsize=65536)
def real(path: str | Path) -> Path:
    """The absolute path without symbolic links."""
    return Path(os.path.realpath(path))


@lru_cache(maxsize=65536)
def is_library(path: Path) -> bool:
    """Whether the file belongs to Python, an installed package, bokeh, Panel or hotshoe."""
    return not _PACKAGE_FOLDERS.isdisjoint(path.parts) or any(path.is_relative_to(home) for home in _homes())


@lru_cache(maxsize=1)
def _homes() -> tuple[Path, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parent.parent)}
    for name in _LIBRARIES:  # their developers may have them in any folder
        if (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None:
            folders.add(str(Path(spec.origin).parent))
    return tuple({Path(os.path.realpath(folder)) for folder in folders if folder})

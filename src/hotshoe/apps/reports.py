"""An exception as plain data, for the page that dev mode shows to the author: code around each frame, and locals.

It runs code of the app (``repr``); call it where the app's code runs.
"""

from __future__ import annotations

import inspect
import linecache
import re
import reprlib
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

from ..errors import AppError, Failure, Frame, Report
from .imports import is_library, real
from .tracebacks import leading, text_of, user_traceback

_BEFORE, _AFTER = 5, 3
_MOST_FAILURES = 6
_MOST_FRAMES = 60
_MOST_VARIABLES = 40
_PLACE = re.compile(r"(?s)(?P<file>.+?):(?P<line>\d+): (?P<reason>.*)")


class _Printer(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = 400
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 20

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = repr(x)
        except Exception as error:
            return f"<{type(x).__name__}, whose repr() raises {type(error).__name__}>"
        return text if len(text) <= self.maxother else f"{text[:self.maxother]}…"


def describe(error: BaseException) -> Report:
    """What was raised, and what that came from."""
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
    # An AppError is one line about what an app's code raised or does not compile for; that itself says more.
    cause = error.__cause__
    if not isinstance(error, AppError) or cause is None:
        return error
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(cause.__traceback__))
    return cause if isinstance(cause, SyntaxError) or any(map(_is_own, files)) else error


def _failure(error: BaseException, relation: str) -> Failure:
    if isinstance(error, SyntaxError) and error.filename:
        frames = _frames(error)
        way = frames if any(frame.is_own for frame in frames) else ()
        place = _place(error.filename, error.lineno or 1)
        return Failure(type(error).__name__, str(error.msg), (*way, place), relation)
    if isinstance(error, AppError) and (match := _PLACE.fullmatch(str(error))):
        return Failure("", match["reason"], (_place(match["file"], int(match["line"])),), relation)
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    kind = "" if isinstance(error, AppError) else type(error).__qualname__
    return Failure(kind, "\n".join([text_of(error), *notes]).strip(), _frames(error), relation)


def _place(filename: str, line: int) -> Frame:
    return Frame(filename, line, "", True, _source(filename, line))


def _frames(error: BaseException) -> tuple[Frame, ...]:
    calls = list(traceback.walk_tb(error.__traceback__))
    calls = calls[leading([frame.f_code.co_filename for frame, _ in calls]):]
    if len(calls) > _MOST_FRAMES:  # too deep a recursion
        calls = [*calls[: _MOST_FRAMES // 2], *calls[-_MOST_FRAMES // 2:]]
    return tuple(_frame(frame, line) for frame, line in calls)


def _frame(frame: FrameType, line: int) -> Frame:
    code = frame.f_code
    if not _is_own(code.co_filename):
        return Frame(code.co_filename, line, code.co_qualname, False)
    source = _source(code.co_filename, line, frame.f_globals)
    return Frame(code.co_filename, line, code.co_qualname, True, source, _variables(frame))


def _is_own(filename: str) -> bool:
    return not filename.startswith("<") and not is_library(real(filename))


def _source(filename: str, line: int, names: dict[str, Any] | None = None) -> tuple[tuple[int, str], ...]:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, names)
    if not lines and Path(filename).suffix not in (".py", ""):
        lines = _read_lines(filename)
    first = max(line - _BEFORE, 1)
    return tuple((first + at, text.rstrip("\r\n")) for at, text in enumerate(lines[first - 1 : line + _AFTER]))


def _read_lines(filename: str) -> list[str]:
    try:
        return Path(filename).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _variables(frame: FrameType) -> tuple[tuple[str, str], ...]:
    printer = _Printer()
    found = [(name, printer.repr(value)) for name, value in _interesting(frame.f_locals)]
    return tuple(found[:_MOST_VARIABLES])


def _interesting(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in list(names.items()):
        is_code = isinstance(value, ModuleType | FunctionType) or inspect.isclass(value)
        if not is_code and not name.startswith("__"):
            yield name, value

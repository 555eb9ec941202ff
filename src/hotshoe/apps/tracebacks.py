"""An exception as the author of an app wants to read it: from their own first frame on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import bokeh

from ..errors import AppError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def _home(module: ModuleType) -> str:
    path = Path(module.__file__ or "")
    return f"{path.parent}/" if path.name == "__init__.py" else str(path)


_OURS = (f"{Path(__file__).parent.parent}/",)
# What may stand between our frames and the user's: whoever carries the call there.
_CARRIERS = (
    *_OURS,
    *map(_home, (asyncio, bokeh, concurrent.futures, contextlib, functools, threading)),
    "<frozen runpy>",
    "<frozen importlib",
)


def user_traceback(error: BaseException) -> str:
    """The formatted exception and its causes, without hotshoe's and bokeh's frames above the user's first.

    If no frame is the user's (a browser sent a value that bokeh refuses), only our own leading frames go.
    """
    report = traceback.TracebackException.from_exception(error)
    _trim(report, error)
    return "".join(report.format())


def comes_from_app(error: BaseException) -> bool:
    """Whether an app's code had a part in it. If not, a browser or client sent what bokeh refuses."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(not frame.filename.startswith(_CARRIERS) for frame in frames)


def error_line(error: BaseException, folder: Path) -> tuple[str, int]:
    """The file in ``folder``, and the line, at which ``error`` came up; the last frame if none is there."""
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
    except Exception as failure:
        return f"(its text can't be had: {type(failure).__name__})"


def _trim(report: traceback.TracebackException, error: BaseException) -> None:
    pending: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(report, error)]
    while pending:
        one, raised = pending.pop()
        if one is None or raised is None:
            continue
        # An AppError is a mistake in a file that it names; where we found it does not matter.
        is_ours = isinstance(raised, AppError)
        del one.stack[: len(one.stack) if is_ours else leading([frame.filename for frame in one.stack])]
        pending += [(one.__cause__, raised.__cause__), (one.__context__, raised.__context__)]
        pending += zip(one.exceptions or (), getattr(raised, "exceptions", ()), strict=False)


def leading(names: Sequence[str]) -> int:
    """How many frames, of which these are the files, come before the user's first; if none is, how many are ours."""
    for homes in (_CARRIERS, _OURS):
        for count, name in enumerate(names):
            if not name.startswith(homes):
                return count
    return 0

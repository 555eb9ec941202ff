"""What no session can have of its own: the locale and the environment. A session that changes it for others is warned.

``apps/process.py`` warns of the working folder.
"""

from __future__ import annotations

import functools
import locale
import os
import weakref
from collections.abc import Callable
from typing import Any

from .own_state import Own, current_own, warn_once

NAMES_MOST = 1000
"""How many variables are remembered, with the session that has set each."""

_setters: dict[str, weakref.ref[Own]] = {}


class _Environ(os._Environ[str]):
    """``os.environ``: warns if sessions set one variable to different values."""

    def __setitem__(self, name: str, value: str) -> None:
        own = current_own()
        if own is not None:
            _note(own, name, self.get(name) != value)
        super().__setitem__(name, value)


def _note(own: Own, name: str, differs: bool) -> None:
    before = _setters.get(name)
    if before is not None and before() is not own and differs:
        warn_once(own, "environ", f"sessions set os.environ[{name!r}] to different values, but they all share it: pass "
                                  "the value to functions, or as env= to subprocesses")
    if before is not None or len(_setters) < NAMES_MOST:
        _setters[name] = weakref.ref(own)


def _watching(setlocale: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(setlocale)
    def set_and_warn(category: int, locale: Any = None) -> str:
        own = current_own()
        if own is None or locale is None:
            return setlocale(category, locale)
        before = setlocale(category)
        after = setlocale(category, locale)
        if after != before:
            warn_once(own, "locale", "locale.setlocale() changes the locale of every session of the process: set it "
                                     "once, in a module, or format with babel, which takes the locale as an argument")
        return after

    return set_and_warn


def watch_process() -> None:
    """Begin to warn. Further calls change nothing."""
    if not isinstance(os.environ, _Environ):
        os.environ.__class__ = _Environ
        module: Any = locale
        module.setlocale = _watching(locale.setlocale)

"""Lets sessions on several threads edit parameters that are constant or read-only.

Panel and param make such a parameter writable for a moment, and then as it was. The ``Parameter`` object often belongs
to the class, so that all sessions share it: what one session restores, another still needs, and its slider, its
``busy`` sign or its location ends in "Read-only parameter cannot be modified". Here it is restored when the last ends.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

Flag = Literal["constant", "readonly"]


class _Edit:
    """A flag of a parameter that is off while somebody edits."""

    def __init__(self) -> None:
        self.editors = 0
        self.own: dict[int, dict[str, Any]] = {}
        """The parameters of each instance that is edited: it may get a copy of this one, with the flag off."""


class _Edits:
    """All flags that are off now."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # setting a flag calls those who watch it
        self._edits: dict[tuple[int, Flag], _Edit] = {}

    @contextmanager
    def edit(self, parameterized: Any, *flags: Flag) -> Iterator[None]:
        """Let the parameters of an object be written, until nobody edits them any more."""
        own: dict[str, Any] = parameterized._param__private.params
        begun: list[tuple[Any, Flag]] = []
        try:
            with self._lock:
                for parameter in {**parameterized.param.objects(instance=False), **own}.values():
                    for flag in flags:
                        if getattr(parameter, flag) or (id(parameter), flag) in self._edits:
                            begun.append((parameter, flag))
                            self._begin(parameter, flag, own)
            yield
        finally:
            with self._lock:
                for parameter, flag in begun:
                    self._end(parameter, flag)

    def _begin(self, parameter: Any, flag: Flag, own: dict[str, Any]) -> None:
        edit = self._edits.setdefault((id(parameter), flag), _Edit())
        edit.editors += 1
        edit.own[id(own)] = own
        setattr(parameter, flag, False)

    def _end(self, parameter: Any, flag: Flag) -> None:
        edit = self._edits[id(parameter), flag]
        edit.editors -= 1
        if edit.editors:
            return
        del self._edits[id(parameter), flag]
        setattr(parameter, flag, True)
        for own in edit.own.values():
            copy = own.get(parameter.name)
            if copy is not None and (id(copy), flag) not in self._edits:
                setattr(copy, flag, True)


_edits = _Edits()


def _edit_constant(parameterized: Any) -> Iterator[None]:
    """What ``param.edit_constant`` does."""
    with _edits.edit(parameterized, "constant"):
        yield


def _edit_readonly(parameterized: Any) -> Iterator[None]:
    """What ``panel.util.edit_readonly`` does."""
    with _edits.edit(parameterized, "readonly", "constant"):
        yield


def share_edits() -> None:
    """Replace Panel's and param's functions, also in modules that have imported them. Panel must be imported."""
    _replace(sys.modules["param.parameterized"].edit_constant, _edit_constant)
    _replace(sys.modules["panel.util.parameters"].edit_readonly, _edit_readonly)


def _replace(manager: Any, function: Callable[[Any], Iterator[None]]) -> None:
    """Let a function that ``contextmanager`` has made call ``function``."""
    cells = dict(zip(manager.__code__.co_freevars, manager.__closure__, strict=True))
    cells["func"].cell_contents = function

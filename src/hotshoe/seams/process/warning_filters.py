"""``warnings.catch_warnings``: what it changes counts in its own session only, and nobody's filters get lost.

Many libraries use it. When two blocks of different threads overlap, Python before 3.14 restores the filters of one for
all. Here the filters of an open block belong to its context. (Python 3.14 can do this: ``-X context_aware_warnings``.)
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .own_state import current_own, forwarding
from .streams import OwnModule

_OF_BLOCK = ("showwarning", "_showwarnmsg_impl")
"""What else ``catch_warnings`` replaces."""


class _Block:
    """The filters inside of ``catch_warnings``, the functions that it has replaced, and the filters before."""

    __slots__ = ("before", "filters", "functions")

    def __init__(self, filters: list[Any], functions: dict[str, Any], before: list[Any]) -> None:
        self.filters = filters
        self.functions = functions
        self.before = before


_block: ContextVar[_Block | None] = ContextVar("hotshoe_warnings", default=None)
_of_process: list[list[Any]] = []
"""The filters of the process: one item, since it can be replaced."""


def _filters() -> list[Any]:
    block = _block.get()
    return _of_process[0] if block is None else block.filters


class _Warnings(OwnModule):
    @property
    def filters(self) -> list[Any]:
        return _filters()

    @filters.setter
    def filters(self, filters: list[Any]) -> None:
        block = _block.get()
        if current_own() is None and block is None:
            _of_process[0] = filters
        elif block is None:
            _block.set(_Block(filters, {}, before=_of_process[0]))
        elif filters is block.before:
            _block.set(None)  # the end of the outermost block
        else:
            _block.set(_Block(filters, dict(block.functions), block.before))


def _function_property(name: str) -> property:
    def get(module: Any) -> Any:
        block = _block.get()
        return module.__dict__[name] if block is None else block.functions.get(name, module.__dict__[name])

    def replace(module: Any, function: Any) -> None:
        block = _block.get()
        if block is not None:
            block.functions[name] = function
        elif module.__dict__[name] is not function:
            module.__dict__[name] = function

    return property(get, replace)


for _name in _OF_BLOCK:
    setattr(_Warnings, _name, _function_property(_name))


def _shower(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Python calls this with each warning that no filter leaves out."""

    def show(message: Any) -> None:
        block = _block.get()
        if block is None or not block.functions:
            original(message)
            return
        module: Any = warnings
        if module.showwarning is not module._showwarning_orig:
            module.showwarning(message.message, message.category, message.filename, message.lineno, message.file,
                               message.line)
        else:
            module._showwarnmsg_impl(message)

    return show


def isolate_warnings() -> None:
    """Begin to tell the blocks of sessions apart. Further calls change nothing, nor does it on Python 3.14."""
    module: Any = warnings
    if sys.version_info >= (3, 14) or isinstance(warnings, _Warnings):
        return
    _of_process.append(module.filters)
    # warnings' own functions change what stands in its dictionary.
    module.filters = forwarding(_filters, "append", "clear", "copy", "index", "insert", "remove")
    module._showwarnmsg = _shower(module._showwarnmsg)
    module.__class__ = _Warnings

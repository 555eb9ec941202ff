"""``sys.stdout`` and ``sys.stderr``: what a session puts in their places takes only what that session prints.

``print`` looks into the dictionary of ``sys``, so a forwarding stream stands there. Python code reads and sets an
attribute, which is a property of the module's class: so ``redirect_stdout`` and ``sys.stdout = x`` work alike.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from .own_state import current_own


class OwnModule(ModuleType):
    """A module whose class has properties. It pickles like a module, for those who pickle functions by value."""

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return importlib.import_module, (self.__name__,)


_UNSET: Any = object()


class _Stream:
    """Forwards to the stream of this context, else to that of the process."""

    def __init__(self, name: str, stream: Any) -> None:
        self._of_process = stream
        self._of_context: ContextVar[Any] = ContextVar(f"hotshoe_{name}", default=_UNSET)

    def current(self) -> Any:
        stream = self._of_context.get()
        return self._of_process if stream is _UNSET else stream

    def replace(self, stream: Any) -> None:
        if current_own() is not None:
            self._of_context.set(_UNSET if stream is self or stream is self._of_process else stream)
        elif stream is not self:
            self._of_process = stream

    def write(self, text: str) -> Any:
        stream = self.current()
        return len(text) if stream is None else stream.write(text)

    def flush(self) -> None:
        if (stream := self.current()) is not None:
            stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current(), name)


def _property(name: str) -> property:
    def get(module: ModuleType) -> Any:
        stream = module.__dict__[name]
        return stream.current() if isinstance(stream, _Stream) else stream

    def replace(module: ModuleType, stream: Any) -> None:
        before = module.__dict__.get(name)
        if isinstance(before, _Stream):
            before.replace(stream)
        else:
            module.__dict__[name] = stream

    return property(get, replace)


class _LikeModuleType(type):
    """Has ``type(sys)`` make and recognise plain modules: importlib and others take it for ``ModuleType``."""

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        return (ModuleType if cls is _Sys else super().__call__)(*arguments, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, ModuleType) if cls is _Sys else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, ModuleType) if cls is _Sys else super().__subclasscheck__(subclass)


class _Sys(OwnModule, metaclass=_LikeModuleType):
    stdout = _property("stdout")
    stderr = _property("stderr")


def isolate_streams() -> None:
    """Begin to tell the streams of sessions apart. Further calls change nothing."""
    if type(sys) is _Sys:
        return
    for name in ("stdout", "stderr"):
        sys.__dict__[name] = _Stream(name, sys.__dict__[name])
    sys.__class__ = _Sys

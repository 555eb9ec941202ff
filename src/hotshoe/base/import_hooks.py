"""Calls a function as soon as a module has been imported, whoever imports it, and before anybody else gets it.

Python holds the module's own lock meanwhile, so other threads that import the module wait for the function.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import GetSetDescriptorType, ModuleType
from typing import Any, cast

_log = logging.getLogger(__name__)

Callback = Callable[[ModuleType], object]


def when_imported(name: str, callback: Callback) -> None:
    """Call ``callback`` with the module ``name`` once all of its code has run; at once if that is so already.

    It is called again if the module is reloaded, or imported again after it was dropped from ``sys.modules``. It runs
    on the thread that imports the module. If it fails, that is logged, and the import goes on.
    Register it before other threads may begin to import the module.
    """
    _finder.add(name, callback)
    if name in sys.modules:
        _call(callback, importlib.import_module(name))  # which waits if another thread is about to import it


def names_of(module: object) -> dict[str, Any] | None:
    """``vars`` of a module, but a lazy module stays lazy. ``None`` for what only says that it is a module."""
    return cast("dict[str, Any]", _NAMES.__get__(module)) if issubclass(type(module), ModuleType) else None


_NAMES: GetSetDescriptorType = vars(ModuleType)["__dict__"]


class _Finder(MetaPathFinder):
    """Finds the modules that somebody waits for as the other finders do, with a loader that calls back."""

    def __init__(self) -> None:
        self._callbacks: dict[str, tuple[Callback, ...]] = {}
        self._lock = threading.Lock()
        self._here = threading.local()

    def add(self, name: str, callback: Callback) -> None:
        with self._lock:
            self._callbacks[name] = (*self._callbacks.get(name, ()), callback)
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: Sequence[str] | None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        # Another hook may ask all finders, so also this one.
        if fullname not in self._callbacks or getattr(self._here, "searching", None) == fullname:
            return None
        self._here.searching = fullname
        try:
            spec = self._found(fullname, path, target)
        finally:
            self._here.searching = None
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _CallingLoader(spec.loader, self)
        return spec

    def _found(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            if find is not None and (spec := find(name, path, target)) is not None:
                return spec  # type: ignore[no-any-return]
        return None

    def call(self, module: ModuleType) -> None:
        for callback in self._callbacks[module.__name__]:
            _call(callback, module)


class _CallingLoader(Loader):
    """Loads a module with its own loader, then calls those who wait for it."""

    def __init__(self, own: Any, finder: _Finder) -> None:
        self._own = own
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)  # such as the source, for who looks for a module without importing it

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._own, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        self._own.exec_module(module)
        self._finder.call(module)


def _call(callback: Callback, module: ModuleType) -> None:
    try:
        callback(module)
    except Exception:
        _log.exception("what hotshoe does after the import of %s failed", module.__name__)


_finder = _Finder()

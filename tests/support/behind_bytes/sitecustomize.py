"""Puts each host of this process behind bytes. It is on the path of the processes that tests start: Python runs it.

`HOTSHOE_TEST_HOST=loopback` in the environment of the tests has `tests/conftest.py` see to that.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

FACTORY = "hotshoe.hosts.factory"


class _BehindBytes(Loader):
    """Loads the factory as ever, and has it make another host."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        from hotshoe.hosts.inline import InlineHost
        from hotshoe.hosts.loopback import LoopbackHost

        def make(*arguments: Any, **options: Any) -> LoopbackHost:
            return LoopbackHost(InlineHost(*arguments, **options))

        vars(module)["InlineHost"] = make


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == FACTORY else None
        if spec is not None and spec.loader is not None:
            spec.loader = _BehindBytes(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())

"""``random.seed`` and ``numpy.random.seed``: a session that seeds gets its own generator, so it draws what it expects.

Other sessions draw at the same time. Until a session seeds, nothing but ``seed`` is replaced, so nothing is slower.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ...base.import_hooks import when_imported
from .own_state import current_own
from .streams import OwnModule

_lock = threading.Lock()


class _Generators:
    """The generator that a library shares, and those of sessions in its place.

    ``modules`` have its methods as functions.
    """

    def __init__(self, library: str, shared: Any, modules: Sequence[ModuleType]) -> None:
        self._library = library
        self._shared = shared
        self._modules = modules
        self._forwards = False
        for module in modules:
            if hasattr(module, "seed"):
                module.__dict__["seed"] = self._seeding(module.seed)

    def current(self) -> Any:
        own = current_own()
        return None if own is None else own.generators.get(self._library)

    def _make(self) -> Any:
        own = current_own()
        if own is None:
            return None
        with _lock:
            if not self._forwards:
                self._forwards = True
                for module in self._modules:
                    self._forward_all(module)
        generator = own.generators[self._library] = type(self._shared)()
        return generator

    def _seeding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def seed(*arguments: Any, **options: Any) -> Any:
            generator = self._make()
            return (original if generator is None else generator.seed)(*arguments, **options)

        return seed

    def _forward_all(self, module: ModuleType) -> None:
        for name, value in list(vars(module).items()):
            if getattr(value, "__self__", None) is self._shared and name != "seed":
                setattr(module, name, self._forwarding(value))
        if "_rand" in vars(module):  # scipy and scikit-learn take the generator itself
            module.__class__ = _with_generator(self)

    def _forwarding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        name = original.__name__

        @functools.wraps(original)
        def draw(*arguments: Any, **options: Any) -> Any:
            generator = self.current()
            return (original if generator is None else getattr(generator, name))(*arguments, **options)

        return draw


def _with_generator(generators: _Generators) -> type[ModuleType]:
    class SeededModule(OwnModule):
        @property
        def _rand(self) -> Any:
            return generators.current() or self.__dict__["_rand"]

    return SeededModule


_isolated: dict[str, _Generators] = {}


def _isolate_numpy(numpy_random: Any) -> None:
    module = numpy_random.mtrand
    if "numpy" not in _isolated and hasattr(module, "_rand"):
        _isolated["numpy"] = _Generators("numpy", module._rand, (numpy_random, module))


def isolate_seeds() -> None:
    """Begin to tell the seeds of sessions apart. Further calls change nothing."""
    if not _isolated:
        _isolated["random"] = _Generators("random", random._inst, (random,))
        when_imported("numpy.random", _isolate_numpy)

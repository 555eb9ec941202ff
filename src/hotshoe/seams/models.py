"""Custom models, bokeh's registry of model classes, and the Python callbacks of models."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

from bokeh.core.has_props import _default_resolver
from bokeh.document import Document
from bokeh.model import Model
from bokeh.util import compiler

from ..base.errors import CompileError
from .needs import CustomSource, is_custom, source_of

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def custom_models_of(document: Document) -> frozenset[str]:
    """``model:DIGEST`` of each custom model in the modules of this document's app, used or not."""
    # Not from bokeh's registry: it has only the classes of the session that was built last.
    values = [value for module in document.modules._modules for value in vars(module).values()]
    classes = [cls for cls in values if isinstance(cls, type) and issubclass(cls, Model) and is_custom(cls)]
    return frozenset(f"model:{source_of(cls).digest}" for cls in classes)


def bundle_custom_model(source: CustomSource) -> str:
    """Compile a custom model with node. Blocks for seconds. Raises ``CompileError``."""
    bundled = {item.full_name: item for item in (source, *source.imports)}
    try:
        script = compiler._bundle_models(cast("dict[str, compiler.CustomModel]", bundled))
    except (RuntimeError, OSError, ValueError) as error:
        reason = _TERMINAL_COLOURS.sub("", str(error)).strip()
        raise CompileError(f"custom model {source.name} does not compile: {reason}") from error
    # BokehJS runs each module once by name; with stock's name, a page would run only one bundle.
    return script.replace('"custom/main"', f'"custom/main_{source.digest}"')


def forget_models(modules: Collection[str]) -> None:
    """Forget the model classes of modules that are imported again: bokeh warns of duplicate classes."""
    for model in _default_resolver.known_models.values():  # type: ignore[attr-defined]  # its stub lacks both
        if model.__module__ in modules:
            _default_resolver.remove(model)  # type: ignore[attr-defined]


def python_callbacks(document: Document) -> Iterator[str]:
    """The Python callbacks of a document, each as text: the model, its event, the function and its line.

    Functions of Panel itself are called Panel.
    """
    for model in document.models:
        tables: list[tuple[str, Sequence[Any]]] = [*model._callbacks.items(), *model._event_callbacks.items()]
        for cause, callbacks in tables:
            yield from (f"{_named(model)}: {cause} -> {_place_of(callback)}" for callback in callbacks)
    for cause, on_events in document.callbacks._event_callbacks.items():
        yield from (f"document: {cause} -> {_place_of(callback)}" for callback in on_events)
    for entry in document.session_callbacks:
        yield f"{type(entry).__name__} -> {_place_of(entry.callback)}"


def _named(model: Model) -> str:
    return f"{type(model).__name__} {model.name!r}" if model.name else type(model).__name__


def _place_of(callback: Any) -> str:
    function = inspect.unwrap(callback)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if (getattr(function, "__module__", None) or "").partition(".")[0] == "panel":
        return "Panel"
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"

"""Names the value that can't be sent to a browser: its model, property and column, and its type.

Only after encoding has failed: then the properties are encoded one by one, until one fails.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from bokeh.core.serialization import SerializationError
from bokeh.document import Document
from bokeh.model import Model
from bokeh.model.util import collect_models

from .. import seams, wire
from ..base.tracebacks import comes_from_app

SEARCH_S = 2.0
"""The most time that the search for one value may take."""
_NESTING_MOST = 8
_FIELDS = ("new", "data", "patches", "model", "msg_data", "title")
"""The attributes of bokeh's events that have values for the browser."""


class UnsendableError(SerializationError):
    """A value of the document can't be sent to a browser. The text names its place and type."""

    names_place = True


def of_document(error: Exception, document: Document) -> Exception:
    """What to raise when encoding the document has failed: the error with the place, or one of the app's own code.

    It is never an error for which the client seems to be responsible.
    """
    found = _Search(error).among(document.models, document.roots)
    if found is error and not comes_from_app(error):
        return UnsendableError(f"the document can't be sent to a browser: {type(error).__name__}: {_text(error)}")
    return found


def of_event(error: Exception, event: Any) -> Exception:
    """The same for a change of the document."""
    search = _Search(error)
    if (changed := seams.changed_property(event)) is not None:
        found = search.within(*changed, getattr(event, "new", getattr(event, "data", None)))
        if found is not None:
            return found
    values = [getattr(event, name, None) for name in _FIELDS]
    return search.among(collect_models(*values), [each for each in values if isinstance(each, Model)])


class _Search:
    def __init__(self, error: Exception) -> None:
        self._error = error
        self._end_s = time.monotonic() + SEARCH_S

    def among(self, models: Iterable[Model], roots: Iterable[Model]) -> Exception:
        """The error for the first property of these models that can't be sent."""
        for model in models:
            try:
                values = model.properties_with_values(include_defaults=False)
            except Exception as error:  # a property has no value, or computing it fails
                if type(error) is not type(self._error):
                    continue
                return UnsendableError(f"{_name(model)} can't be sent to a browser: {_text(error)}")
            for name, value in values.items():
                if (found := self.within(model, name, value)) is not None:
                    return found
                if self._is_late():
                    return self._error
        if isinstance(self._error, RecursionError):
            deep = next((root for root in roots if isinstance(_failure(root, inside=True), RecursionError)), None)
            if deep is not None:
                return UnsendableError(f"{_name(deep)} can't be sent to a browser: models are nested too deeply in it")
        return self._error

    def within(self, model: Model, name: str, value: Any) -> UnsendableError | None:
        """The error for a value of this property, unless it can be sent."""
        error = _failure(value)
        if error is None:
            return None
        place = ""
        for _ in range(_NESTING_MOST):
            if isinstance(error, RecursionError) and isinstance(value, list | tuple):
                break
            deeper = _failing_part(value)
            if deeper is None or self._is_late():
                break
            step, value, error = deeper
            place += step
        kind = type(value)
        label = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        why = "nested too deeply" if isinstance(error, RecursionError) else _text(error)
        return UnsendableError(f"{_name(model, name + place)} has a value of type {label}, which can't be sent to a "
                               f"browser ({why}): convert it to numbers, texts, dates or lists of them")

    def _is_late(self) -> bool:
        return time.monotonic() > self._end_s


def _failing_part(value: Any) -> tuple[str, Any, Exception] | None:
    """The first part of a value that can't be sent, with its place in it; ``None`` if the value itself can't be."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if (error := _failure(key)) is not None:
                return f", in the key {key!r:.60}", key, error
            if (error := _failure(part)) is not None:
                return f"[{key!r:.60}]", part, error
        return None
    if isinstance(value, np.ndarray) or hasattr(value, "to_numpy"):
        value = np.asarray(value, dtype=object)
        value = list(value) if value.ndim else []
    if isinstance(value, set | frozenset):
        value = list(value)
    if not isinstance(value, list | tuple):
        return None
    first, end = 0, len(value)
    while end - first > 1:
        middle = (first + end) // 2
        first, end = (first, middle) if _failure(list(value[first:middle])) is not None else (middle, end)
    error = _failure(value[first]) if value else None
    return None if error is None else (f"[{first}]", value[first], error)


def _failure(value: Any, *, inside: bool = False) -> Exception | None:
    """Why this value can't be sent; models are only named, except ``inside`` of them."""
    try:
        wire.to_json(seams.PatchSerializer(lambda model: not inside).encode(value))
    except Exception as error:
        return error
    return None


def _name(model: Model, place: str = "") -> str:
    name = f", name {model.name!r:.60}" if isinstance(model.name, str) else ""
    return f"{type(model).__name__}{'.' if place else ''}{place} (id {model.id}{name})"


def _text(error: Exception) -> str:
    try:
        return " ".join(str(error).split())[:300]
    except Exception:
        return type(error).__name__

"""Whether a document may have values that can't be sent to a browser: a quick look, much cheaper than encoding it.

bokeh checks the values of most properties when they are set. Only some take anything, such as the columns of a data
source. A doubt may be wrong: then encoding the document tells.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import bokeh.core.properties as props
import numpy as np
from bokeh.core.property.singletons import Undefined
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import LayoutDOM

_PLAIN = frozenset({str, int, float, bool, type(None), datetime.date, datetime.datetime, datetime.time,
                    datetime.timedelta, np.float64, np.float32, np.int64, np.int32, np.bool_, np.datetime64})
_DTYPE_KINDS = frozenset("biufUMm")
_NESTING_MOST = 6
_LAYOUTS_MOST = 80
"""With fewer layouts and widgets, none is nested so deeply that bokeh can't encode it (some 110 levels)."""


def is_doubtful(document: Document) -> bool:
    """Whether encoding the document may fail. Call it with the document locked."""
    layouts = 0
    for model in document.models:
        layouts += isinstance(model, LayoutDOM)
        values = model._property_values
        open_ones, needed = _suspects(type(model))
        for name in open_ones:
            if name in values and not _is_plain(values[name], _NESTING_MOST):
                return True
        for name in needed:
            if name not in values:
                return True
    return layouts > _LAYOUTS_MOST


@lru_cache(maxsize=4096)
def _suspects(cls: type[Model]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The properties of a class that take any value, and those that must be set."""
    found = [(name, cls.lookup(name)) for name in cls.properties()]
    return (tuple(name for name, descriptor in found if _is_open(descriptor.property)),
            tuple(name for name, descriptor in found if descriptor.serialized and _has_no_default(cls, descriptor)))


def _has_no_default(cls: type[Model], descriptor: Any) -> bool:
    try:
        return descriptor.class_default(cls, no_eval=True) is Undefined
    except Exception:  # a default that depends on something; then encoding tells
        return False


def _is_open(kind: Any) -> bool:
    return isinstance(kind, props.Any | props.AnyRef) or any(map(_is_open, _parts(kind)))


def _parts(kind: Any) -> Iterator[Any]:
    for each in getattr(kind, "type_params", None) or ():
        yield each() if isinstance(each, type) else each


def _is_plain(value: Any, nesting: int) -> bool:
    kind = type(value)
    if kind in _PLAIN or isinstance(value, Model):
        return True
    if getattr(getattr(value, "dtype", None), "kind", "O") in _DTYPE_KINDS:  # an array, or a series of pandas
        return True
    if kind is np.ndarray:
        return _are_plain(value.ravel().tolist(), nesting)
    if isinstance(value, dict):
        return _are_plain(value.keys(), nesting) and _are_plain(value.values(), nesting)
    return isinstance(value, list | tuple) and _are_plain(value, nesting)


def _are_plain(values: Iterable[Any], nesting: int) -> bool:
    if set(map(type, values)) <= _PLAIN:
        return True
    return nesting > 0 and all(_is_plain(each, nesting - 1) for each in values)

"""What the handlers of bokeh's ``Application`` objects are made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def source_of_handler(handler: Any) -> Callable[..., Any] | str | None:
    """The function or the file of a handler; ``None`` for a handler of an unknown kind."""
    runner = getattr(getattr(handler, "_main_handler", handler), "_runner", None)
    found = getattr(handler, "_func", None) or getattr(runner, "path", None)
    return found if callable(found) or isinstance(found, str) else None

"""Apps that are objects of a program: functions, and Application objects (of bokeh, Panel or similar)."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import AppError
from ..seams import source_of_handler
from ..seams.panel import finish_panel, is_panel_application
from .app import HOOKS, App, Hooks, from_docstring
from .process import running

if TYPE_CHECKING:
    from bokeh.document import Document

# bokeh's handlers for files replace sys.argv, the folder and bokeh.io's functions for the whole process.
_file_handlers = threading.RLock()


def load_function(function: Callable[[Document], Any]) -> App:
    """The app of a function that fills its document. Raises AppError for a wrong signature."""
    name = getattr(function, "__qualname__", repr(function))
    check_signature(function, "doc", name)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AppError(f"{name}: is async; use a plain function to fill a document")
    warned: set[str] = set()

    def build(document: Document) -> None:
        with running(name, argv=None, warned=warned):
            function(document)
        finish_panel(document)

    about = from_docstring(function.__doc__ if inspect.isroutine(function) else type(function).__doc__)
    return App(build, about.title, about.text)


def is_application(target: object) -> bool:
    """Whether ``target`` is an Application object, judged by its methods."""
    return callable(getattr(target, "initialize_document", None)) and not isinstance(target, type)


def load_application(application: Any) -> App:
    """The app of an Application object of bokeh, Panel or any other library."""
    handlers = tuple(getattr(application, "handlers", ()))
    warned: set[str] = set()

    def build(document: Document) -> None:
        alone = _file_handlers if any(map(_file_url, handlers)) else nullcontext()
        with alone, running(type(application).__name__, argv=None, warned=warned):
            application.initialize_document(document)
            _raise_failure(handlers)

    static = getattr(application, "static_path", None)
    return App(
        build,
        hooks=Hooks(**{name.removeprefix("on_"): getattr(application, name, None) for name in HOOKS}),
        static_dir=None if static is None else Path(static),
        metadata=lambda: _metadata(application),
        application=application,
        begins_panel=is_panel_application(application),
        fills=bool(handlers),
    )


def application_url(application: Any) -> str:
    """The URL that the application's first handler proposes, else ``/``."""
    handlers = tuple(getattr(application, "handlers", ()))
    return (_file_url(handlers[0]) if handlers else None) or "/"


def application_origin(application: Any) -> str:
    """The files and functions of an application's handlers."""
    return "\n".join(_handler_origin(handler) for handler in getattr(application, "handlers", ()))


def _handler_origin(handler: Any) -> str:
    source = source_of_handler(handler)
    return function_origin(source) if callable(source) else str(Path(source).absolute()) if source else ""


def function_origin(function: Any) -> str:
    """The file of a function, or of a callable object's class, and its name there."""
    while isinstance(function := inspect.unwrap(function), partial):
        function = function.func
    named = function if hasattr(function, "__code__") else type(function)
    module = sys.modules.get(named.__module__)
    file = named.__code__.co_filename if hasattr(named, "__code__") else getattr(module, "__file__", None)
    # Not the module's name, which may be __main__ in one process and another in its workers.
    return f"{Path(file).absolute() if file else named.__module__}:{getattr(named, '__qualname__', '')}"


def check_signature(function: Any, argument: str, what: str) -> None:
    """Raise AppError if ``function`` cannot be called with one positional argument."""
    if not callable(function):
        raise AppError(f"{what}: must be a function of ({argument}), not {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some functions written in C have no signature
    try:
        signature.bind(None)
    except TypeError as error:
        raise AppError(f"{what}: must have signature func({argument}), got func{signature}") from error


def _file_url(handler: Any) -> str | None:
    """The URL that a handler for a file proposes; handlers for functions propose none."""
    url_path = getattr(handler, "url_path", None)
    return url_path() if callable(url_path) else None


def _raise_failure(handlers: tuple[Any, ...]) -> None:
    for handler in handlers:
        if getattr(handler, "failed", False):
            error = RuntimeError(handler.error or "the application's handler failed")
            if handler.error_detail:
                error.add_note(handler.error_detail)
            raise error


def _metadata(application: Any) -> Any:
    metadata = getattr(application, "metadata", None)
    value = metadata() if callable(metadata) else metadata
    return dict(value) if isinstance(value, Mapping) else value if value is not None else {}

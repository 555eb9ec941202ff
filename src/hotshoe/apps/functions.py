"""Apps that a program has made: a function, or an Application object (bokeh's, Panel's, or alike)."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AppError
from ..panel_seams import is_panel_application
from .app import App, Hooks
from .description import from_docstring
from .process import running
from .script import finish

if TYPE_CHECKING:
    from bokeh.document import Document

# bokeh's own handlers for files swap sys.argv, the folder and bokeh.io's functions for the whole process.
_swapping = threading.RLock()


def load_function(function: Callable[[Document], Any]) -> App:
    """An app of a function that fills the document it gets. Raises AppError if it can't be called so."""
    name = getattr(function, "__qualname__", repr(function))
    check_signature(function, "doc", name)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AppError(f"{name}: is async; a document is filled by a plain function")
    told: set[str] = set()

    def build(document: Document) -> None:
        with running(name, argv=None, told=told):
            function(document)
        finish(document)

    about = from_docstring(function.__doc__ if inspect.isroutine(function) else type(function).__doc__)
    return App(build, about.title, about.text)


def is_application(target: object) -> bool:
    """Whether ``target`` is an Application object, by what it can do."""
    return callable(getattr(target, "initialize_document", None)) and not isinstance(target, type)


def load_application(application: Any) -> App:
    """An app of an Application object, whose class may be bokeh's, Panel's or anyone's."""
    handlers = tuple(getattr(application, "handlers", ()))
    told: set[str] = set()

    def build(document: Document) -> None:
        with _turn(handlers), running(type(application).__name__, argv=None, told=told):
            application.initialize_document(document)
            _raise_failure(handlers)

    static = getattr(application, "static_path", None)
    return App(
        build,
        hooks=Hooks(
            server_loaded=getattr(application, "on_server_loaded", None),
            server_unloaded=getattr(application, "on_server_unloaded", None),
            session_created=getattr(application, "on_session_created", None),
            session_destroyed=getattr(application, "on_session_destroyed", None),
            process_request=getattr(application, "process_request", None),
        ),
        static_dir=None if static is None else Path(static),
        metadata=lambda: _metadata(application),
        begins_panel=is_panel_application(application),
    )


def application_url(application: Any) -> str:
    """Where the application's first handler wants to be; ``/`` if it does not say."""
    handlers = tuple(getattr(application, "handlers", ()))
    return (_file_url(handlers[0]) if handlers else None) or "/"


def check_signature(function: Any, argument: str, what: str) -> None:
    """Whether ``function`` can be called with one positional argument; AppError if not."""
    if not callable(function):
        raise AppError(f"{what}: must be a function of ({argument}), not {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some functions written in C do not tell
    try:
        signature.bind(None)
    except TypeError as error:
        raise AppError(f"{what}: must have signature func({argument}), got func{signature}") from error


def _turn(handlers: tuple[Any, ...]) -> AbstractContextManager[Any]:
    return _swapping if any(map(_file_url, handlers)) else nullcontext()


def _file_url(handler: Any) -> str | None:
    """The URL that a handler of a file proposes; one of a function proposes none."""
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

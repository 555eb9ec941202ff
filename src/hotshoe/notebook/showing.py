"""``show``: a server for the app, and a frame for it in the cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from hotshoe.errors import UserError

from . import kernel
from .cells import Run
from .output import output
from .server import started

if TYPE_CHECKING:
    from bokeh.document import Document


def show(app: Any, *, height: int | None = None, **settings: Any) -> None:
    """Run an app in this kernel and show it in the cell.

    ``app`` is a function ``f(doc)`` that fills the document, a function without arguments that returns what is to be
    shown (a Panel object, or a model of Bokeh), a Panel object, or all else that ``hotshoe.Server`` takes. The frame
    is as tall as the app, or ``height`` pixels. ``settings`` are those of ``hotshoe.Server``, by name.

    The app ends when its cell runs again or is deleted, and with the kernel.

    Raises ``UserError`` outside of notebooks, and what ``hotshoe.Server`` raises.
    """
    if height is not None and (not isinstance(height, int) or isinstance(height, bool) or height < 1):
        raise UserError(f"show: height must be a number of pixels from 1 on, not {height!r}")
    shell, cells = kernel.shell(), kernel.cells()
    message = shell.get_parent()
    run = Run.of(message)
    cells.begin(run)
    server = started(_for_cell(app, shell, message), cells.next_place(run), name=_name(app), **settings)
    cells.add(run, server)
    kernel.publish(output(server.port, server.path, server.new_session_id(), height=height))


def _name(app: Any) -> str:
    name = getattr(app, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() and name.isascii() else "app"


def _for_cell(app: Any, shell: kernel.Shell, message: Mapping[str, Any]) -> Any:
    """The app as a server takes it. A function prints where it is shown, and so do the callbacks that it makes."""
    fill = filling(app)
    if not _fills(fill):
        return fill

    @wraps(fill)  # which leaves it to the server to say what is wrong with the function
    def build(document: Document) -> None:
        kernel.write_to(shell, message)
        fill(document)

    if not inspect.isroutine(fill):
        build.__doc__ = None  # it describes the class
    return build


def _fills(app: Any) -> bool:
    is_application = hasattr(app, "initialize_document")
    return callable(app) and not is_application and not inspect.isclass(app) and not inspect.iscoroutinefunction(app)


def filling(app: Any) -> Any:
    """The function that fills a document with ``app``; ``app`` itself if it is another kind of app."""
    if hasattr(app, "server_doc"):
        return _filling_with(lambda: app)
    if inspect.isroutine(app) and not inspect.iscoroutinefunction(app) and _takes_nothing(app):
        return _filling_with(app)
    return app


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        return not inspect.signature(function).parameters
    except ValueError:  # some functions written in C do not tell
        return False


def _filling_with(make: Callable[[], Any]) -> Callable[[Document], None]:
    def fill(document: Document) -> None:
        made = make()
        if hasattr(made, "server_doc"):  # Panel's word for "put it into this document"
            made.server_doc(document)
        elif made is not None:
            document.add_root(made)

    fill.__name__ = fill.__qualname__ = getattr(make, "__name__", "app")
    fill.__doc__ = make.__doc__
    return fill

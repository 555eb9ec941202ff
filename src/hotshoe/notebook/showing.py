"""``show``: a server for the app, and a frame for it in the cell; also as bokeh's own ``show``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bokeh.io.notebook import install_notebook_hook, load_notebook, show_app, show_doc

from ..base.errors import UserError
from ..embed.tags import script_code
from ..pages.assets import script_json
from . import kernel

if TYPE_CHECKING:
    from bokeh.document import Document

_SHOW = Path(__file__).parent / "show.js"
_NOTE = "An app appears here while its kernel runs. If there is none, run the cell again."

KIND: Final = "jupyter"
"""The kind of notebook of ``output_notebook()``."""


def output(port: int, path: str, session: str, *, height: int | None = None) -> Mapping[str, str]:
    """The cell's output by MIME type, for the app at a port of the kernel's machine.

    It contains the session's id, so that a notebook finds the session again when it is reloaded.
    """
    plan = script_json({"port": port, "path": path, "session": session, "height": height})
    script = f"<script>{script_code(_SHOW)}({plan});</script>"
    html = f'<div class="hotshoe-app" data-session="{escape(session)}"><p>{_NOTE}</p>{script}</div>'
    return {"text/html": html, "text/plain": "<an app of hotshoe>"}


def show(app: Any, *, height: int | None = None, **settings: Any) -> None:
    """Run an app in this kernel and show it in the cell.

    ``app`` is a function ``f(doc)`` that fills the document, a function without arguments that returns a Panel object
    or a Bokeh model, a Panel object, or another app that ``hotshoe.Server`` accepts. The frame is as tall as the app,
    or ``height`` pixels. ``settings`` are those of ``hotshoe.Server``, by name.

    The app ends when its cell runs again or is deleted, and with the kernel.

    Raises ``UserError`` outside of notebooks, and the errors of ``hotshoe.Server``.
    """
    if height is not None and (not isinstance(height, int) or isinstance(height, bool) or height < 1):
        raise UserError(f"show: height must be a whole number of pixels, 1 or more, not {height!r}")
    shell, cells = kernel.shell(), kernel.cells()
    message = shell.get_parent()
    run = kernel.CellRun.of(message)
    cells.begin(run)
    server = kernel.start_server(_for_cell(app, shell, message), cells.next_place(run), name=_name(app), **settings)
    cells.add(run, server)
    kernel.publish(output(server.port, server.path, server.new_session_id(), height=height))


def _name(app: Any) -> str:
    name = getattr(app, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() and name.isascii() else "app"


def _for_cell(app: Any, shell: kernel.Shell, message: Mapping[str, Any]) -> Any:
    """The app for a server. A function prints in the cell that shows it, and so do its callbacks."""
    fill = filling(app)
    if not _fills(fill):
        return fill

    @wraps(fill)  # so that the server's errors name the function
    def build(document: Document) -> None:
        kernel.write_to(shell, message)
        fill(document)

    if not inspect.isroutine(fill):
        build.__doc__ = None  # it is about the class
    return build


def _fills(app: Any) -> bool:
    is_application = hasattr(app, "initialize_document")
    return callable(app) and not is_application and not inspect.isclass(app) and not inspect.iscoroutinefunction(app)


def filling(app: Any) -> Any:
    """A function that fills a document with ``app``; ``app`` itself if it is another kind of app."""
    if hasattr(app, "server_doc"):
        return _filling_with(lambda: app)
    if inspect.isroutine(app) and not inspect.iscoroutinefunction(app) and _takes_nothing(app):
        return _filling_with(app)
    return app


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        return not inspect.signature(function).parameters
    except ValueError:  # some functions in C have no signature
        return False


def _filling_with(make: Callable[[], Any]) -> Callable[[Document], None]:
    def fill(document: Document) -> None:
        made = make()
        if hasattr(made, "server_doc"):  # Panel's name for "put it into this document"
            made.server_doc(document)
        elif made is not None:
            document.add_root(made)

    fill.__name__ = fill.__qualname__ = getattr(make, "__name__", "app")
    fill.__doc__ = make.__doc__
    return fill


def install() -> None:
    """Have ``bokeh.io.show(f)`` call ``hotshoe.notebook.show(f)``. It shows plots as before."""
    install_notebook_hook(KIND, load_notebook, show_doc, _show_app, overwrite=True)


def uninstall() -> None:
    """Undo ``install``: ``bokeh.io.show(f)`` uses bokeh's own server."""
    install_notebook_hook(KIND, load_notebook, show_doc, show_app, overwrite=True)


def _show_app(app: Any, state: object, notebook_url: object = None, **settings: Any) -> None:
    # `notebook_url` is not needed: the browser finds out where the notebook is.
    show(app, **settings)

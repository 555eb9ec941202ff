"""An app as a value: what fills a document, the hooks around it, what the index says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from bokeh.document import Document

    from .request import Request

ServerHook = Callable[[Any], Any]
"""Gets the server context: ``sessions``, ``application_context``."""
SessionHook = Callable[[Any], Any]
"""Gets the session context: ``id``, ``request``, ``destroyed``, …"""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What an app wants to be told. Each may be missing, plain or async: its caller awaits what it can."""

    server_loaded: ServerHook | None = None
    server_unloaded: ServerHook | None = None
    session_created: SessionHook | None = None
    """Runs before the app's own code does."""
    session_destroyed: SessionHook | None = None
    process_request: Callable[[Request], Any] | None = None
    """Gives a dictionary of JSON data, which becomes part of the session token's payload."""


def no_metadata() -> Any:
    """The metadata of an app that brings none."""
    return {}


@dataclass(frozen=True, slots=True)
class App:
    """Something that can fill a document.

    ``build`` is called with an empty document in a context in which ``curdoc()`` is that document, maybe in
    several threads at once for different documents. What the app raises, ``SystemExit`` too, comes out of it.
    """

    build: Callable[[Document], None]
    title: str = ""
    description: str = ""
    hooks: Hooks = Hooks()
    static_dir: Path | None = None
    metadata: Callable[[], Any] = no_metadata
    """What ``/app/metadata`` gives as ``data``: JSON data."""
    thumbnail: Path | None = None
    """A picture of the app for the index."""
    source: Path | None = None
    """The script, notebook or main file."""
    package: ModuleType | None = None
    """What the relative imports of its main program start from."""
    begins_panel: bool = False
    """Whether it does for Panel itself what else is done before ``build``: it is an Application of Panel's."""

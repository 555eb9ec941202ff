"""The life of a document that has a part of Panel's: what Panel's own server does at its turns."""

from __future__ import annotations

import functools
import sys
import weakref
from typing import Any

from bokeh.document import Document

from .state import panel_state


def is_panel_application(application: object) -> bool:
    """Whether an Application object is of Panel's class, which does itself what is done here for other apps."""
    cls = getattr(sys.modules.get("panel.io.application"), "Application", None)
    return cls is not None and isinstance(application, cls)


def begin_panel(document: Document, *, by_app: bool = False) -> None:
    """What Panel's own server does before an app's code runs: where the app is, ``on_session_created``.

    ``by_app``: the app does it, so Panel is only made ready.
    """
    if (state := panel_state()) is None or document.session_context is None or by_app:
        return
    _locate(state, document)
    for callback in (*state._on_session_created_internal, *state._on_session_created):
        callback(document.session_context)


def finish_panel(document: Document) -> None:
    """What it adds when the code has run: the page template's layout, ``onload`` callbacks."""
    if (state := panel_state()) is None:
        return
    _locate(state, document)
    template = state._templates.get(document)
    if template is not None and document not in template._documents:
        with sys.modules["panel.io.state"].set_curdoc(document):
            template.server_doc(title=template.title, location=True, doc=document)
    document.on_event("document_ready", functools.partial(state._schedule_on_load, document))


def _locate(state: Any, document: Document) -> None:
    context = document.session_context
    if (server_context := getattr(context, "server_context", None)) is None:
        return
    url = server_context.application_context.url
    path: str = context.request.path  # type: ignore[union-attr]
    prefix = path.rstrip("/").removesuffix(url.rstrip("/")) if path.rstrip("/").endswith(url.rstrip("/")) else ""
    state._base_urls[document] = f"{prefix}/"
    state._rel_paths[document] = "/".join([".."] * url.strip("/").count("/"))


class _Forgiving(dict[Any, Any]):
    """Roots by document. Some of Panel's components remove a document twice when its session ends."""

    def __delitem__(self, key: Any) -> None:
        self.pop(key, None)


def end_panel(document: Document) -> None:
    """Before the destroyed callbacks run: those of Panel's location, say, would fail half-way."""
    if panel_state() is None:
        return
    for callback in document.session_destroyed_callbacks:
        owner = getattr(callback, "__self__", None)
        if type(getattr(owner, "_documents", None)) is dict:
            owner._documents = _Forgiving(owner._documents)  # type: ignore[union-attr]


def forget_panel(document: Document) -> None:
    """Drop what Panel keeps about a document that has ended; much of it refers to the document again."""
    if (state := panel_state()) is None:
        return
    for name, table in list(vars(type(state)).items()) + list(vars(sys.modules["panel.io.document"]).items()):
        if name.startswith("_") and isinstance(table, weakref.WeakKeyDictionary):
            table.pop(document, None)

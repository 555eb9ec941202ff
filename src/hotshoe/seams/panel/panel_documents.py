"""Patches Panel's state for hotshoe's threads, writes and users.

For documents with parts of Panel, it does what Panel's own server does, and gives their pages Panel's files, from this
server or, for a page without a server, from a CDN or inline.
"""

from __future__ import annotations

import base64
import functools
import importlib
import io
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, cast

from bokeh.document import Document
from bokeh.models import ImportedStyleSheet
from bokeh.resources import Resources
from jinja2 import Template

from ...base.import_hooks import when_imported
from ..documents import Awaited
from .panel_settings import warn_of_unused
from .parameter_edits import share_edits
from .stock_session import StockConnection, session_of
from .watchers import await_watchers

_COMPONENTS = "components/"
"""Files beside the modules of components, below the server."""
_whole = threading.Event()
"""Set once all of Panel has been imported."""


def panel_state() -> Any:
    """Panel's state, patched for hotshoe; None if no app has imported the whole of Panel yet."""
    if not _whole.is_set():
        return None
    state = sys.modules["panel.io.state"].state
    _install(state)  # again, if it failed: without it apps are not guarded
    return state


class _ThreadIds(weakref.WeakKeyDictionary[Any, int]):
    """The thread that may change a document, for Panel before 1.10: the thread that has it locked."""

    def get(self, document: Any, default: Any = None) -> Any:
        session = session_of(document)
        if session is None:
            return super().get(document, default)
        return threading.get_ident() if session._lock.locked() else -1


class _Connected(weakref.WeakKeyDictionary[Any, bool]):
    """The documents that have a page, for Panel before 1.10, which knows of it only when the page is drawn.

    It drops changes for documents that no page has. A page that is being drawn has its document, and needs them.
    """

    def get(self, document: Any, default: Any = None) -> Any:
        session = session_of(document)
        return super().get(document, default) or (session is not None and session.connection_count > 0)


def _on_loop_thread(original: property) -> property:
    """The same since Panel 1.10, which asks whether the code runs on the event loop."""

    def get(state: Any) -> Any:
        session = session_of(state.curdoc)
        return original.__get__(state) if session is None else session._lock.locked()

    return property(get)


def _writer(original: Callable[..., Any]) -> Callable[..., Any]:
    """Panel's function that writes events to sockets, but for our documents through the session, in order."""

    @functools.wraps(original)
    def write(doc: Any, connections: Iterable[Any], events: list[Any], *args: Any, **options: Any) -> Any:
        first = next(iter(connections), None)
        if not isinstance(first, StockConnection):
            return original(doc, connections, events, *args, **options)
        first.write(events)
        return []

    return write


def _starter(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """``start`` of Panel's periodic callbacks before 1.10, which tries again on each tick until the page is there.

    A visitor whose page never comes would keep a core busy. Here it starts when the page is there.
    """

    @functools.wraps(original)
    def start(callback: Any) -> None:
        state = sys.modules["panel.io.state"].state
        document = state.curdoc
        waits = callback.session_scoped and callback._cb is None and session_of(document) is not None
        if not waits or state._connected.get(document):
            original(callback)
            return
        callback._updating = True
        try:
            callback.running = True
        finally:
            callback._updating = False
        callback._doc = document
        state.onload(lambda: original(callback) if callback.running and callback._cb is None else None)

    return start


def _no_false_alarm(record: logging.LogRecord) -> bool:
    """Drop a warning of Panel before 1.10 about ``unlocked()`` on other threads; for our documents that is safe."""
    is_warning = str(record.msg).startswith("Using the unlocked decorator")
    return not (is_warning and session_of(sys.modules["panel.io.state"].state.curdoc))


def _of_user(original: property, read: Callable[[Any], Any]) -> property:
    """A property that Panel's own logins read from cookies; for our sessions it comes from the logged-in user."""

    def get(state: Any) -> Any:
        document = state.curdoc
        user = None if session_of(document) is None else document.session_context.user
        return original.__get__(state) if getattr(user, "claims", None) is None else read(user)

    return property(get)


def _user_info(user: Any) -> dict[str, Any]:
    known = {"email": user.email, "groups": sorted(user.groups), **user.claims}
    return {**known, "user": user.name, "username": user.name}


def _install(state: Any) -> None:
    """Patch Panel for hotshoe's documents; documents of other servers are not affected."""
    cls = type(state)
    if isinstance(cls._thread_id_, _ThreadIds):
        return
    # Not by param's metaclass, which takes a value set on a class for a parameter's default.
    if hasattr(cls, "_on_loop_thread"):
        type.__setattr__(cls, "_on_loop_thread", _on_loop_thread(cls._on_loop_thread))
    else:
        periodic = sys.modules["panel.io.callbacks"].PeriodicCallback
        periodic.start = _starter(periodic.start)
        type.__setattr__(cls, "_connected", _Connected(cls._connected))
    type.__setattr__(cls, "user", _of_user(cls.user, lambda user: user.name))
    type.__setattr__(cls, "user_info", _of_user(cls.user_info, _user_info))
    share_edits()
    await_watchers()
    module: Any = sys.modules["panel.io.document"]
    logging.getLogger(module.__name__).addFilter(_no_false_alarm)
    module.write_events = _writer(module.write_events)
    module.schedule_write_events = _writer(module.schedule_write_events)
    type.__setattr__(cls, "_thread_id_", _ThreadIds(cls._thread_id_))


@functools.partial(when_imported, "panel")
def _install_first(panel: ModuleType) -> None:
    """Patch Panel before any session uses it: also the one whose script imports it, and those beside it."""
    _whole.set()
    panel_state()


def is_panel_application(application: object) -> bool:
    """Whether an Application object is of Panel's class, which does the work of ``begin_panel`` itself."""
    cls = getattr(sys.modules.get("panel.io.application"), "Application", None)
    return cls is not None and isinstance(application, cls)


def begin_panel(document: Document, *, by_app: bool = False) -> None:
    """Do what Panel's own server does before an app's code runs: set the app's URL, call ``on_session_created``.

    With ``by_app`` the app does that itself, so this only patches Panel. For a session without a visitor,
    ``adopt_panel`` does later what needs one.
    """
    if (state := panel_state()) is None or document.session_context is None or by_app:
        return
    _locate(state, document)
    if _has_visitor(document):
        _call_created(state, document)


def adopt_panel(document: Document) -> None:
    """Do the rest of ``begin_panel``, now that the session has a visitor."""
    if (state := panel_state()) is None or document not in state._rel_paths:
        return
    _locate(state, document)
    _call_created(state, document)


def _call_created(state: Any, document: Document) -> None:
    for callback in map(Awaited, (*state._on_session_created_internal, *state._on_session_created)):
        callback(document.session_context)


def _has_visitor(document: Document) -> bool:
    return getattr(document.session_context, "is_adopted", True)


def finish_panel(document: Document) -> None:
    """Add what Panel's server adds after the app's code has run: the template's layout, ``onload`` callbacks."""
    if (state := panel_state()) is None:
        return
    _locate(state, document)
    template = state._templates.get(document)
    if template is not None and document not in template._documents:
        with sys.modules["panel.io.state"].set_curdoc(document):
            template.server_doc(title=template.title, location=True, doc=document)
    document.on_event("document_ready", functools.partial(state._schedule_on_load, document))
    _localize(state, document)  # now, too: a session that a websocket makes again has no page
    if document in state._thread_id_:
        # Panel has notifications of its own.
        document.config.update(notifications=None, notify_connection_status=False)
        with sys.modules["panel.io.state"].set_curdoc(document):
            warn_of_unused(sys.modules["panel.config"].config, state._rest_endpoints)


def _locate(state: Any, document: Document) -> None:
    context = document.session_context
    if (server_context := getattr(context, "server_context", None)) is None:
        return
    url = server_context.application_context.url
    state._rel_paths[document] = "/".join([".."] * url.strip("/").count("/"))
    if not _has_visitor(document):
        return
    path: str = context.request.path  # type: ignore[union-attr]
    prefix = path.rstrip("/").removesuffix(url.rstrip("/")) if path.rstrip("/").endswith(url.rstrip("/")) else ""
    state._base_urls[document] = f"{prefix}/"


class _Forgiving(dict[Any, Any]):
    """Roots by document, without errors when a document is removed twice, as some of Panel's components do."""

    def __delitem__(self, key: Any) -> None:
        self.pop(key, None)


def end_panel(document: Document) -> None:
    """Prevent errors of Panel's callbacks at the end of a session, such as its location's; call it before them."""
    if panel_state() is None:
        return
    for callback in document.session_destroyed_callbacks:
        owner = getattr(callback, "__self__", None)
        if type(getattr(owner, "_documents", None)) is dict:
            owner._documents = _Forgiving(owner._documents)  # type: ignore[union-attr]


def forget_panel(document: Document) -> None:
    """Drop Panel's data about a document that has ended; much of it refers to the document."""
    if (state := panel_state()) is None:
        return
    for name, table in list(vars(type(state)).items()) + list(vars(sys.modules["panel.io.document"]).items()):
        if name.startswith("_") and isinstance(table, weakref.WeakKeyDictionary):
            table.pop(document, None)


def panel_page(document: Document, loaded: Iterable[str]) -> tuple[str, str, Template] | None:
    """For a document that uses Panel: the tags for its style sheets and scripts, and the template of its page.

    The files come from this server, without those in ``loaded``. Call it with the document's lock held.
    """
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    _localize(state, document)
    files = resources.Resources(mode="server")
    is_wanted = functools.partial(_is_wanted, document, set(map(_plain_url, loaded)))
    declared = getattr(files, "resource_declarations", None)  # since 1.10
    bundle = resources.Bundle(
        css_files=list(filter(is_wanted, files.css_files)),
        css_raw=files.css_raw,
        js_files=list(filter(is_wanted, files.js_files)),
        js_modules=[url for url in files.js_modules if _is_of_document(document, str(url))],
        js_module_exports=files.js_module_exports,
        hashes={},
        **({} if declared is None else {"resource_declarations": declared}),
    )
    document.template_variables["theme_name"] = sys.modules["panel.config"].config.theme
    return bundle._render_css(), bundle._render_js(), resources.BASE_TEMPLATE


def _is_wanted(document: Document, known: set[str], url: Any) -> bool:
    url = str(url)
    return _plain_url(url) not in known and "static/js/bokeh" not in url and _is_of_document(document, url)


def _is_of_document(document: Document, url: str) -> bool:
    """Whether it is no file of a component that the script of another session has made."""
    module = _plain_url(url).removeprefix(_COMPONENTS).partition("/")[0]
    return not module.startswith("bokeh_app_") or any(own.__name__ == module for own in document.modules._modules)


def with_panel_spinner(document: Document, html: str) -> str:
    """The document's page with the sign that it loads, if the app sets ``global_loading_spinner``.

    Panel takes the sign away when the page is drawn.
    """
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return html
    with sys.modules["panel.io.state"].set_curdoc(document):
        config = sys.modules["panel.config"].config
        if not config.global_loading_spinner:
            return html
        loading: Any = sys.modules["panel.io.loading"]
        since_1_10 = getattr(loading, "_loading_css_classes", None)
        classes = since_1_10() if since_1_10 else [loading.LOADING_INDICATOR_CSS_CLASS, f"pn-{config.loading_spinner}"]
    return html.replace("<body>", f'<body class="{" ".join(classes)}">', 1)


def _plain_url(url: str) -> str:
    path = url.partition("?")[0].removeprefix("./")
    while path.startswith("../"):
        path = path.removeprefix("../")
    return path


def _localize(state: Any, document: Document) -> None:
    up = state._rel_paths.get(document, "")
    localize_styles(document, f"{up}/static/extensions/panel/" if up else "static/extensions/panel/")


def localize_styles(document: Document, dist_url: str, base: str = "") -> None:
    """Load the style sheets of Panel's components, present and future, from below ``dist_url``.

    In a page of another site, present ones that are files beside a module come from below ``base``.
    """
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return
    document.template_variables["dist_url"] = dist_url
    # Not with Panel's ``patch_model_css``, which leaves the document under a hold if a session runs.
    resources: Any = sys.modules["panel.io.resources"]
    for sheet in [model for model in document.models if isinstance(model, ImportedStyleSheet)]:
        url = str(sheet.properties_with_values(include_defaults=False).get("url", ""))
        if base and _plain_url(url).startswith(_COMPONENTS):
            sheet.url = base + url[url.index(_COMPONENTS):]
        elif _plain_url(url).startswith(resources.LOCAL_DIST):
            sheet.url = dist_url + url[url.index(resources.LOCAL_DIST) + len(resources.LOCAL_DIST):]
        else:
            resources.patch_stylesheet(sheet, dist_url)


def panel_file(document: Document, mode: str, title: str | None, template: Any) -> str | None:
    """The document as a page without a server, if it uses Panel; with ``mode`` inline, all is in the page."""
    state = panel_state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    panel_template = state._templates.get(document)
    if panel_template is None:
        for model in list(document.models):
            for name, url in model.properties_with_values(include_defaults=True).items():
                if isinstance(url, str) and _plain_url(url).startswith((resources.LOCAL_DIST, resources.CDN_DIST)):
                    setattr(model, name, _serverless_style(resources, url, inline=mode == "inline"))
    page = io.StringIO()
    importlib.import_module("panel.io.save").save(
        document if panel_template is None else panel_template, page, title=title or document.title,
        resources=Resources(mode=cast(Any, mode)), template=template,
        template_variables=document.template_variables if panel_template is None else None)
    return page.getvalue()


def _serverless_style(resources: Any, url: str, *, inline: bool) -> str:
    """The URL of a style sheet of Panel without this server: on Panel's CDN, or a ``data:`` URL."""
    name = _plain_url(url).removeprefix(resources.LOCAL_DIST).removeprefix(resources.CDN_DIST)
    file = resources.DIST_DIR / name
    if "://" in name or not file.is_file():
        return url
    if not inline:
        return f"{resources.CDN_DIST}{name}"
    return "data:text/css;base64," + base64.b64encode(file.read_bytes()).decode()

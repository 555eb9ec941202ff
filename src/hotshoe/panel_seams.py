"""What Panel needs of a server: every private name of Panel, and stock's private names that Panel reads.

Panel is never imported here: nothing happens in a process where no app has imported it.
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
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from bokeh.document import Document
from bokeh.models import ImportedStyleSheet
from bokeh.resources import Resources
from jinja2 import Template

# -- a session as stock has it --------------------------------------------------------------------------------


class Owner(Protocol):
    """The session behind a ``StockSession``."""

    id: str
    document: Document
    expiration_blocks: int
    expiration_requested: bool

    @property
    def destroyed(self) -> bool: ...
    @property
    def connection_count(self) -> int: ...
    @property
    def is_locked_here(self) -> bool: ...
    def write_events(self, events: Sequence[Any]) -> None: ...
    def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


class StockConnection:
    """Stands for all websockets of a session at once: what is written here is encoded once, for all of them."""

    _socket = None

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def write(self, events: Sequence[Any]) -> None:
        """Let changes that Panel has held back go out, in this section or in one of their own."""
        self._owner.write_events(events)


class StockLock:
    """Looks like the lock of stock's session, which hotshoe's lane replaces."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def locked(self) -> bool:
        """Whether this thread or task runs with the document locked."""
        return self._owner.is_locked_here


class StockSession:
    """``session_context.session`` with the names that stock's has, private ones among them that Panel reads."""

    def __init__(self, owner: Owner) -> None:
        # Weakly: the session holds this, and must be freed with no search for cycles.
        self._owner: Owner = weakref.proxy(owner)
        self._lock = StockLock(self._owner)
        self._subscribed_connections = [StockConnection(self._owner)]

    @property
    def id(self) -> str:
        """The session's id."""
        return self._owner.id

    @property
    def document(self) -> Document:
        """The session's document."""
        return self._owner.document

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended."""
        try:
            return self._owner.destroyed
        except ReferenceError:
            return True

    @property
    def connection_count(self) -> int:
        """How many websockets see the session."""
        return self._owner.connection_count

    @property
    def expiration_blocked(self) -> bool:
        """Whether the session lives on though nobody is connected."""
        return self._owner.expiration_blocks > 0

    @property
    def expiration_requested(self) -> bool:
        """Whether the session ends as soon as nobody is connected and nothing blocks it."""
        return self._owner.expiration_requested

    @property
    def _pending_writes(self) -> list[Any] | None:
        return [] if self._owner.is_locked_here else None

    def block_expiration(self) -> None:
        """Keep the session, though nobody may be connected, until it is unblocked as often."""
        self._owner.expiration_blocks += 1

    def unblock_expiration(self) -> None:
        """Undo one ``block_expiration``. Raises ``RuntimeError`` if there was none."""
        if self._owner.expiration_blocks <= 0:
            raise RuntimeError("mismatched block_expiration / unblock_expiration")
        self._owner.expiration_blocks -= 1

    def request_expiration(self) -> None:
        """Let the session end at the next look for unused ones, however short nobody has been connected."""
        self._owner.expiration_requested = True

    async def with_document_locked(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``function`` with the document locked and await what it returns."""
        return await self._owner.with_document_locked(function, *args, **kwargs)


def _served(document: Any) -> StockSession | None:
    """The session of a document that hotshoe serves."""
    session = getattr(getattr(document, "session_context", None), "session", None)
    return session if isinstance(session, StockSession) else None


def request_class(own: type[Any]) -> type[Any]:
    """What a session's request claims to be: of stock's class, once that is loaded, since Panel asks for it."""
    return getattr(sys.modules.get("bokeh.server.contexts"), "_RequestProxy", own)


# -- may this thread touch the document? ----------------------------------------------------------------------


class _ThreadIds(weakref.WeakKeyDictionary[Any, int]):
    """Which thread may change a document, for Panel before 1.10: the one that has it locked, whichever that is."""

    def get(self, document: Any, default: Any = None) -> Any:
        session = _served(document)
        if session is None:
            return super().get(document, default)
        return threading.get_ident() if session._lock.locked() else -1


def _on_loop_thread(original: property) -> property:
    """The same question since 1.10, where it is called: are we on the event loop?"""

    def get(state: Any) -> Any:
        session = _served(state.curdoc)
        return original.__get__(state) if session is None else session._lock.locked()

    return property(get)


def _writer(original: Callable[..., Any]) -> Callable[..., Any]:
    """Panel's functions that write events to sockets: ours go through the session, in order with all else."""

    @functools.wraps(original)
    def write(doc: Any, connections: Iterable[Any], events: list[Any], *args: Any, **options: Any) -> Any:
        first = next(iter(connections), None)
        if not isinstance(first, StockConnection):
            return original(doc, connections, events, *args, **options)
        first.write(events)
        return []

    return write


def _no_false_alarm(record: logging.LogRecord) -> bool:
    """Panel before 1.10 warns of ``unlocked()`` on a strange thread; for our documents that is safe."""
    strange = str(record.msg).startswith("Using the unlocked decorator")
    return not (strange and _served(sys.modules["panel.io.state"].state.curdoc))


def _of_user(original: property, read: Callable[[Any], Any]) -> property:
    """What Panel's own logins keep in cookies: of our sessions it is the user who has logged in, if one has."""

    def get(state: Any) -> Any:
        document = state.curdoc
        user = None if _served(document) is None else document.session_context.user
        return original.__get__(state) if getattr(user, "claims", None) is None else read(user)

    return property(get)


def _user_info(user: Any) -> dict[str, Any]:
    known = {"email": user.email, "groups": sorted(user.groups), **user.claims}
    return {**known, "user": user.name, "username": user.name}


def _install(state: Any) -> None:
    """Make Panel ask and write as hotshoe's threads need it; documents that others serve stay as they are."""
    cls = type(state)
    if isinstance(cls._thread_id_, _ThreadIds):
        return
    # Around param's metaclass, which takes what is set on a class for a parameter's default.
    type.__setattr__(cls, "_thread_id_", _ThreadIds(cls._thread_id_))
    if hasattr(cls, "_on_loop_thread"):
        type.__setattr__(cls, "_on_loop_thread", _on_loop_thread(cls._on_loop_thread))
    type.__setattr__(cls, "user", _of_user(cls.user, lambda user: user.name))
    type.__setattr__(cls, "user_info", _of_user(cls.user_info, _user_info))
    module: Any = sys.modules["panel.io.document"]
    logging.getLogger(module.__name__).addFilter(_no_false_alarm)
    module.write_events = _writer(module.write_events)
    module.schedule_write_events = _writer(module.schedule_write_events)


# -- the life of a document -----------------------------------------------------------------------------------


def _state() -> Any:
    """Panel's state, ready for hotshoe; None if no app has imported Panel (as a whole) yet."""
    state = getattr(sys.modules.get("panel.io.state"), "state", None)
    if state is None or not hasattr(sys.modules.get("panel"), "extension"):
        return None
    _install(state)
    return state


def is_panel_application(application: object) -> bool:
    """Whether an Application object is of Panel's class, which does itself what is done here for other apps."""
    cls = getattr(sys.modules.get("panel.io.application"), "Application", None)
    return cls is not None and isinstance(application, cls)


def begin_panel(document: Document, *, by_app: bool = False) -> None:
    """What Panel's own server does before an app's code runs: where the app is, ``on_session_created``.

    ``by_app``: the app does it, so Panel is only made ready.
    """
    if (state := _state()) is None or document.session_context is None or by_app:
        return
    _locate(state, document)
    for callback in (*state._on_session_created_internal, *state._on_session_created):
        callback(document.session_context)


def finish_panel(document: Document) -> None:
    """What it adds when the code has run: the page template's layout, ``onload`` callbacks."""
    if (state := _state()) is None:
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
    if _state() is None:
        return
    for callback in document.session_destroyed_callbacks:
        owner = getattr(callback, "__self__", None)
        if type(getattr(owner, "_documents", None)) is dict:
            owner._documents = _Forgiving(owner._documents)  # type: ignore[union-attr]


def forget_panel(document: Document) -> None:
    """Drop what Panel keeps about a document that has ended; much of it refers to the document again."""
    if (state := _state()) is None:
        return
    for name, table in list(vars(type(state)).items()) + list(vars(sys.modules["panel.io.document"]).items()):
        if name.startswith("_") and isinstance(table, weakref.WeakKeyDictionary):
            table.pop(document, None)


# -- pages ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PanelPage:
    """What a page with Panel components has beside BokehJS and the extension's bundle."""

    css: str
    js: str
    base: Template
    """What takes the place of bokeh's own page template."""


def panel_page(document: Document, loaded: Iterable[str]) -> PanelPage | None:
    """What Panel adds to a document's page, if it has a part in it; ``loaded`` are URLs that are loaded anyway.

    Its files come from this server. To be called with the document's lock held.
    """
    state = _state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    localize_styles(document, _local_dist(state, document))
    files = resources.Resources(mode="server")
    known = set(map(_plain_url, loaded))
    bundle = resources.Bundle(
        css_files=_others(files.css_files, known),
        css_raw=files.css_raw,
        js_files=_others(files.js_files, known),
        js_modules=files.js_modules,
        js_module_exports=files.js_module_exports,
        hashes={},
        **_declarations(files),
    )
    document.template_variables["theme_name"] = sys.modules["panel.config"].config.theme
    return PanelPage(bundle._render_css(), bundle._render_js(), resources.BASE_TEMPLATE)


def _declarations(files: Any) -> dict[str, Any]:
    declared = getattr(files, "resource_declarations", None)  # since 1.10
    return {} if declared is None else {"resource_declarations": declared}


def _others(urls: Iterable[Any], known: set[str]) -> list[Any]:
    return [url for url in urls if _plain_url(str(url)) not in known and "static/js/bokeh" not in str(url)]


def _plain_url(url: str) -> str:
    path = url.partition("?")[0].removeprefix("./")
    while path.startswith("../"):
        path = path.removeprefix("../")
    return path


def _local_dist(state: Any, document: Document) -> str:
    up = state._rel_paths.get(document, "")
    return f"{up}/static/extensions/panel/" if up else "static/extensions/panel/"


def localize_styles(document: Document, dist_url: str) -> None:
    """Let the style sheets of Panel's components, present and future, come from below ``dist_url``."""
    state = _state()
    if state is None or document not in state._thread_id_:
        return
    document.template_variables["dist_url"] = dist_url
    # Not by Panel's ``patch_model_css``, which leaves the document of a session that runs under a hold.
    for sheet in (sheet for root in document.roots for sheet in root.select({"type": ImportedStyleSheet})):
        sys.modules["panel.io.resources"].patch_stylesheet(sheet, dist_url)


def panel_file(document: Document, mode: str, title: str | None, template: Any) -> str | None:
    """The document as a page that needs no server, if Panel has a part in it; with ``mode`` inline, complete."""
    state = _state()
    if state is None or document not in state._thread_id_:
        return None
    resources: Any = sys.modules["panel.io.resources"]
    panel_template = state._templates.get(document)
    if panel_template is None:
        for model in list(document.models):
            for name, url in model.properties_with_values(include_defaults=True).items():
                if isinstance(url, str) and _plain_url(url).startswith((resources.LOCAL_DIST, resources.CDN_DIST)):
                    setattr(model, name, _style_from_elsewhere(resources, url, inline=mode == "inline"))
    page = io.StringIO()
    importlib.import_module("panel.io.save").save(
        document if panel_template is None else panel_template, page, title=title or document.title,
        resources=Resources(mode=cast(Any, mode)), template=template,
        template_variables=document.template_variables if panel_template is None else None)
    return page.getvalue()


def _style_from_elsewhere(resources: Any, url: str, *, inline: bool) -> str:
    """Where a style sheet of Panel's is without this server: on its CDN, or in the URL itself."""
    name = _plain_url(url).removeprefix(resources.LOCAL_DIST).removeprefix(resources.CDN_DIST)
    file = resources.DIST_DIR / name
    if "://" in name or not file.is_file():
        return url
    if not inline:
        return f"{resources.CDN_DIST}{name}"
    return "data:text/css;base64," + base64.b64encode(file.read_bytes()).decode()

"""Panel's state, made to ask and to write as hotshoe's threads need it, and to name hotshoe's users."""

from __future__ import annotations

import functools
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from .stock_session import StockConnection, served


def panel_state() -> Any:
    """Panel's state, ready for hotshoe; None if no app has imported Panel (as a whole) yet."""
    state = getattr(sys.modules.get("panel.io.state"), "state", None)
    if state is None or not hasattr(sys.modules.get("panel"), "extension"):
        return None
    _install(state)
    return state


class _ThreadIds(weakref.WeakKeyDictionary[Any, int]):
    """Which thread may change a document, for Panel before 1.10: the one that has it locked, whichever that is."""

    def get(self, document: Any, default: Any = None) -> Any:
        session = served(document)
        if session is None:
            return super().get(document, default)
        return threading.get_ident() if session._lock.locked() else -1


def _on_loop_thread(original: property) -> property:
    """The same question since 1.10, where it is called: are we on the event loop?"""

    def get(state: Any) -> Any:
        session = served(state.curdoc)
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
    return not (strange and served(sys.modules["panel.io.state"].state.curdoc))


def _of_user(original: property, read: Callable[[Any], Any]) -> property:
    """What Panel's own logins keep in cookies: of our sessions it is the user who has logged in, if one has."""

    def get(state: Any) -> Any:
        document = state.curdoc
        user = None if served(document) is None else document.session_context.user
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

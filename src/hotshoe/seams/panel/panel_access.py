"""``authorize_callback`` of Panel's configuration: Panel's own page handler asks it, and that does not run here."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bokeh.document import Document

from ...base.errors import AccessError, LoginError
from .panel_documents import panel_state

_log = logging.getLogger(__name__)

Asked = Callable[..., Any]
"""The app's function. It gets the user's claims, and the page's path if it takes two arguments."""

_SOCKET, _SCRIPT = "/ws", "/autoload.js"
_guarded: set[str] = set()
"""The URLs of apps that have set such a function."""
_warned: set[str] = set()
"""Those of them of which a later session had none."""


def ask_panel(document: Document, asked: Asked | None = None, *, has_run: bool = False) -> Asked | None:
    """Ask the function that may refuse the document's visitor, unless it is ``asked``. Returns it.

    Call it before the app's code runs, for a function that is set for all apps, and when the code ``has_run``, for one
    that the app sets. Raises ``AccessError``, or ``LoginError`` if the function returns a place to go to.
    """
    state = panel_state()
    if state is None or document.session_context is None:
        return None
    with sys.modules["panel.io.state"].set_curdoc(document):
        config = sys.modules["panel.config"].config
        function: Asked | None = config.authorize_callback
        if has_run:
            _note(document, is_guarded=function is not None)
        if function is None or function is asked:
            return function
        answer = _answer(function, state, document)
        if answer is True:
            return function
        if isinstance(answer, str):
            raise LoginError("This app sends you to another page.", _quoted(answer))
        raise AccessError("The app does not allow it.", page=_page(config, state.user))


def _note(document: Document, *, is_guarded: bool) -> None:
    """Warn once of an app that guards some sessions only: most likely it sets the function in a module."""
    context: Any = document.session_context
    url = context.server_context.application_context.url
    if is_guarded:
        _guarded.add(url)
    elif url in _guarded - _warned:
        _warned.add(url)
        _log.warning("app %s has set authorize_callback in an earlier session, but not in this one, so everybody may "
                     "see it: set it in the script itself, as the code of a module runs for the first session only",
                     url)


def _answer(function: Asked, state: Any, document: Document) -> bool | str:
    """Whether the visitor may see the app, or where to go instead. A function that fails lets nobody in."""
    try:
        takes_path = len(inspect.signature(function).parameters) == 2
        answer = function(state.user_info, _page_path(document)) if takes_path else function(state.user_info)
        if not _is_late(answer):
            return answer if isinstance(answer, str) and answer else bool(answer)
    except BaseException:  # also of sys.exit(), after which the session of a script goes on
        _log.exception("authorize_callback failed, so the app is not shown")
        return False
    _log.error("authorize_callback must be a plain function, neither async nor with yield, so the app is not shown")
    return False


def _is_late(answer: Any) -> bool:
    """Whether the function has not run yet: it is ``async``, or has a ``yield``. Its object would count as true."""
    if inspect.iscoroutine(answer):
        answer.close()
        return True
    return inspect.isawaitable(answer) or inspect.isgenerator(answer) or inspect.isasyncgen(answer)


def _page_path(document: Document) -> str:
    """The path of the app's page, also if its script or websocket is requested, or if slashes follow it.

    A function that compares it with the app's URL must not be got around by one more slash.
    """
    context: Any = document.session_context
    path: str = context.request.path
    url = context.server_context.application_context.url.rstrip("/")
    for end in (_SOCKET, _SCRIPT):
        if path.endswith(url + end):
            path = path.removesuffix(end)
    return path.rstrip("/") + ("" if url else "/")


def _page(config: Any, user: str | None) -> str | None:
    """The app's own page for a refusal."""
    if not config.auth_template:
        return None
    environment = sys.modules["panel.io.resources"]._env
    page: str = environment.from_string(Path(config.auth_template).read_text(encoding="utf-8")).render(
        npm_cdn=config.npm_cdn, title="Panel: Authorization Error", error_type="Authorization Error",
        error="User is not authorized.", error_msg=escape(f"{user} is not authorized to access this application."))
    return page


def _quoted(place: str) -> str:
    """The place as a header can have it: the app may have put a part of the request into it."""
    return quote(place, safe="/:?#[]@!$&'()*+,;=%~", errors="replace")

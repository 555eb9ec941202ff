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


def ask_panel(document: Document, asked: Asked | None = None) -> Asked | None:
    """Ask the function that may refuse the document's visitor, unless it is ``asked``. Returns it.

    Call it before the app's code runs, for a function that is set for all apps, and after it, for one that the app
    sets. Raises ``AccessError``, or ``LoginError`` if the function returns a place to go to.
    """
    state = panel_state()
    if state is None or document.session_context is None:
        return None
    with sys.modules["panel.io.state"].set_curdoc(document):
        config = sys.modules["panel.config"].config
        function: Asked | None = config.authorize_callback
        if function is None or function is asked:
            return function
        answer = _answer(function, state, document)
        if answer is True:
            return function
        if isinstance(answer, str):
            raise LoginError("This app sends you to another page.", _quoted(answer))
        raise AccessError("The app does not allow it.", page=_page(config, state.user))


def _answer(function: Asked, state: Any, document: Document) -> bool | str:
    """Whether the visitor may see the app, or where to go instead. A function that fails lets nobody in."""
    try:
        takes_path = len(inspect.signature(function).parameters) == 2
        answer = function(state.user_info, _page_path(document)) if takes_path else function(state.user_info)
    except Exception:
        _log.exception("authorize_callback failed, so the app is not shown")
        return False
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        _log.error("authorize_callback must be a plain function, not async, so the app is not shown")
        return False
    return answer if isinstance(answer, str) else bool(answer)


def _page_path(document: Document) -> str:
    """The path of the app's page, also if its script or websocket is requested."""
    context: Any = document.session_context
    path: str = context.request.path
    url = context.server_context.application_context.url.rstrip("/")
    for end in (_SOCKET, _SCRIPT):
        if path.endswith(url + end):
            return path.removesuffix(end) or "/"
    return path


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

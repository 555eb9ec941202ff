"""A session in a browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from bokeh.util.browser import NEW_PARAM, get_browser_controller


def open_page(server_url: str, session_id: str | None, *, browser: str | None = None, new: str = "tab",
              controller: Any = None) -> None:
    """Open the session's page in ``browser``, or by ``controller``, which is like the module ``webbrowser``.

    Without an id the page makes a session of its own.
    """
    if new not in NEW_PARAM:
        raise ValueError(f"new has to be one of {', '.join(NEW_PARAM)}, not {new!r}")
    opener = get_browser_controller(browser=browser) if controller is None else controller
    query = "" if session_id is None else f"?bokeh-session-id={quote_plus(session_id)}"
    opener.open(server_url + query, new=NEW_PARAM[new])

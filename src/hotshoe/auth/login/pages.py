"""The login pages. They have no scripts and load nothing from other servers; all their references are relative."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...http.paths import reference_beside
from ...http.responses import NO_STORE
from ...pages import own

LOGIN = "/login"
LOGOUT = "/logout"
CALLBACK = "/login-callback"


def page(template: str, names: Mapping[str, Any], status: int = 200, *, headers: Mapping[str, str] | None = None,
         form_action: str = "") -> Response:
    """A page from a template. ``form_action`` is a further origin to which its form may redirect."""
    return own.page(template, names, status, policy=_policy(form_action), headers=headers)


def notice(status: int, words: str, detail: str = "", *, link: str | None = None, link_text: str = "",
           headers: Mapping[str, str] | None = None) -> Response:
    """A page with a text for the user, and possibly a link (a relative reference)."""
    names = {"status": status, "phrase": HTTPStatus(status).phrase, "words": words, "detail": detail, "link": link,
             "link_text": link_text}
    return page("notice.html", names, status, headers=headers)


def redirect_back(next: str) -> Response:  # noqa: A002
    """Redirect to the page that the user asked for, from a page right below the prefix."""
    return redirect(reference_beside(next))


def redirect(url: str) -> Response:
    """Redirect to another page, with GET."""
    return RedirectResponse(url, 303, NO_STORE)


def redirect_without_slash(request: Request, name: str) -> Response | None:
    """Redirect ``P/login/`` to ``P/login``: below the former, relative references and cookies would be wrong."""
    if not request.scope["path"].endswith("/"):
        return None
    query = quote(request.scope.get("query_string", b"").decode("latin-1"), safe="/~!$&'()*+,;=:@?%")
    return redirect(f"..{name}?{query}" if query else f"..{name}")


def wrong_method(*allowed: str) -> Response:
    """The response to other methods than ``allowed``."""
    return notice(405, "This address does not answer that kind of request.", headers={"Allow": ", ".join(allowed)})


@cache
def _policy(form_action: str) -> str:
    return own.policy_of(styles=[own.read_part("login.css")], images="data:", frame_ancestors="'self'",
                         form_action=f"'self' {form_action}".rstrip())

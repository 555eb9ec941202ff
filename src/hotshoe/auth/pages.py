"""The pages of login. There is no script in them, and nothing is loaded from elsewhere; all references are relative."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .returning import reference

LOGIN = "/login"
LOGOUT = "/logout"
CALLBACK = "/login-callback"

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, names: Mapping[str, Any], status: int = 200, *, headers: Mapping[str, str] | None = None,
         form_action: str = "") -> HTMLResponse:
    """A page from ``templates``. ``form_action`` is another origin to which its form may lead."""
    return HTMLResponse(_environment().get_template(template).render(names), status, headers={
        "Cache-Control": "no-store",
        "Content-Security-Policy": _policy(form_action),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        **(headers or {}),
    })


def notice(status: int, words: str, detail: str = "", *, link: str | None = None, link_text: str = "",
           headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that says something in words; a link leads on, as a relative reference."""
    names = {"status": status, "phrase": HTTPStatus(status).phrase, "words": words, "detail": detail, "link": link,
             "link_text": link_text}
    return page("notice.html", names, status, headers=headers)


def lead_back(next: str) -> Response:  # noqa: A002
    """To where somebody wanted to go, from a page right below the prefix."""
    return lead_to(reference(next))


def lead_to(url: str) -> Response:
    """To another page, with GET."""
    return Response(status_code=303, headers={"Location": url, "Cache-Control": "no-store"})


def without_slash(request: Request, name: str) -> Response | None:
    """Relative references and cookies would go wrong below ``P/login/``: it leads to ``P/login``."""
    if not request.scope["path"].endswith("/"):
        return None
    query = quote(request.scope.get("query_string", b"").decode("latin-1"), safe="/~!$&'()*+,;=:@?%")
    return lead_to(f"..{name}?{query}" if query else f"..{name}")


def wrong_method(*allowed: str) -> Response:
    """What answers to other methods."""
    return notice(405, "This address does not answer that kind of request.", headers={"Allow": ", ".join(allowed)})


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True)
    environment.globals["icon"] = "data:image/svg+xml," + quote((_TEMPLATES / "mark.svg").read_text())
    return environment


@cache
def _policy(form_action: str) -> str:
    style = _environment().get_template("login.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; frame-ancestors 'self'; "
            f"form-action 'self' {form_action}").rstrip()

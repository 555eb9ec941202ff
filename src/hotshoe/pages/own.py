"""Our own pages (index, errors, login): one set of templates, and their headers.

A page loads nothing, and runs only its own code: its Content-Security-Policy lists each style and script by digest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import DictLoader, Environment
from starlette.responses import HTMLResponse

_TEMPLATES = Path(__file__).parent / "templates"
# Read at import: later reads would block the event loop.
_SOURCES = {file.name: file.read_text(encoding="utf-8")
            for file in _TEMPLATES.iterdir() if file.suffix in (".html", ".css", ".js", ".svg")}

FAVICON = _TEMPLATES / "favicon.ico"
"""A camera's hot shoe from above, in three sizes."""


def render(template: str, names: Mapping[str, Any]) -> str:
    """Render a template; the values in ``names`` are escaped."""
    return _environment().get_template(template).render(names)


def page(template: str, names: Mapping[str, Any], status: int = 200, *, policy: str,
         headers: Mapping[str, str] | None = None, script: str = "") -> HTMLResponse:
    """A page with this Content-Security-Policy, which no cache keeps. ``script`` is an element after it."""
    return HTMLResponse(render(template, names) + script, status, headers={
        "Cache-Control": "no-store", "Content-Security-Policy": policy, "Referrer-Policy": "same-origin",
        **(headers or {})})


def policy_of(*, styles: Iterable[str], scripts: Iterable[str] = (), connect: str = "", images: str,
              frame_ancestors: str = "", form_action: str = "'none'") -> str:
    """A Content-Security-Policy. ``styles`` and ``scripts`` are the texts that are allowed in their elements.

    The other arguments are sources for the policy's directives. Without ``connect``, scripts cannot connect at all.
    """
    directives = {
        "default-src": "'none'",
        "style-src": " ".join(map(_digest, styles)),
        "script-src": " ".join(map(_digest, scripts)),
        "connect-src": connect,
        "img-src": images,
        "base-uri": "'none'",
        "frame-ancestors": frame_ancestors,
        "form-action": form_action,
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items() if value)


def read_part(name: str) -> str:
    """The exact text of a style or script in a page."""
    return render(name, {})


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(loader=DictLoader(_SOURCES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals["icon"] = "data:image/svg+xml," + quote(_SOURCES["mark.svg"])
    return environment

"""What embeds a session in a foreign page: a plan, and ``autoload.js``, the script that follows one.

Its parameters come from a URL that anyone can write; none gets into a script but checked and as JSON.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import bokeh

from ..errors import RequestError
from ..needs import BOKEHJS_COMPONENTS, needs_of
from ..panel_seams import localize_styles
from ..seams import custom_models_of
from .assets import STATIC
from .bundles import Flavour, compile_models, script_urls, segments, style_urls
from .page import check_token
from .scripting import read_script, script_json

if TYPE_CHECKING:
    from bokeh.document import Document

_ELEMENT_ID = re.compile(r"[^\x00-\x20\"'\\<>&`\u2028\u2029]{1,256}")
_APP_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\"'\\<>`?#]{0,2048}")
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]+")

_PARTS = ("loads.js", "shows.js", "notices.js", "autoload.js")
_LATER = ("plans.js", "later.js")


def render_autoload(document: Document, *, app_url: str, element_id: str | None, app_path: str,
                    absolute_url: str | None, token: str, resources: bool, static: str = STATIC) -> str:
    """JavaScript that loads BokehJS into a page and shows the session there; call it with the lock held.

    ``app_path`` and ``absolute_url`` say where the embedder's browser reaches the app, ``static`` where BokehJS is
    there. There is no script of ours in that page, so everything that the app may ever need is loaded. Without
    ``element_id`` it is the plan alone, as JSON, for a script of ours that is there. Raises ``RequestError`` for a
    parameter that can't be right, ``TokenError``, ``CompileError``.
    """
    origin = _checked(element_id, app_path, absolute_url)
    check_token(token)
    base = f"{origin}{base_path(app_path, absolute_url, app_url)}"
    item = {"token": token, "elementid": element_id, "use_for_title": False}
    where = {"app_path": app_path, "absolute_url": absolute_url, "base": base}
    plan = {**item, **where, **_files(document, base, resources=resources, static=static)}
    return script_json(plan) if element_id is None else autoload_script(plan)


def starting_script(*, element_id: str, app_path: str, absolute_url: str | None, query: str,
                    with_credentials: bool) -> str:
    """JavaScript that waits for an app that takes long to begin, where its element stands, and then shows it.

    With ``query`` it asks ``autoload.js`` again, until there is a plan. Raises ``RequestError``.
    """
    _checked(element_id, app_path, absolute_url)
    where = {"elementid": element_id, "app_path": app_path, "absolute_url": absolute_url}
    return autoload_script({**where, "starting": query, "with_credentials": with_credentials})


def _checked(element_id: str | None, app_path: str, absolute_url: str | None) -> str:
    """The origin of the absolute URL, empty without one. Raises ``RequestError`` for what can't be right."""
    if element_id is not None and not _ELEMENT_ID.fullmatch(element_id):
        raise RequestError("bokeh-autoload-element is not the id of an element")
    if not _APP_PATH.fullmatch(app_path):
        raise RequestError("bokeh-app-path is not a path")
    return "" if absolute_url is None else _origin(absolute_url)


def autoload_script(plan: dict[str, Any]) -> str:
    """The script that follows a plan; ``error`` in it is what it shows instead of an app."""
    parts = (*_LATER, *_PARTS) if "starting" in plan else _PARTS
    return (f'(function () {{\n"use strict";\n{_code(parts)}\n'
            f"autoload({script_json(plan)}, document.currentScript ? document.currentScript.nonce : \"\");\n}})();\n")


@cache
def _code(parts: tuple[str, ...]) -> str:
    lines = "\n".join(map(read_script, parts)).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("//"))


def base_path(app_path: str, absolute_url: str | None, app_url: str) -> str:
    """The path under which the server is reached, with slashes at both ends: the app's path without the app."""
    path = app_path if app_path != "/" or absolute_url is None else urlsplit(absolute_url).path
    names, own = segments(path), segments(app_url)
    if own and [unquote(name) for name in names[-len(own):]] == own:
        names = names[:-len(own)]
    return "".join(f"/{name}" for name in names) + "/"


def _origin(absolute_url: str) -> str:
    try:
        url = urlsplit(absolute_url)
        _ = url.port
    except ValueError:
        raise RequestError("bokeh-absolute-url is not a URL") from None
    # The host is matched as a whole: no user and password, nothing that a browser reads in another way.
    if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.netloc):
        raise RequestError("bokeh-absolute-url must begin with http:// or https:// and a host")
    return f"{url.scheme}://{url.netloc}"


def _files(document: Document, base: str, *, resources: bool, static: str) -> dict[str, Any]:
    needs = needs_of(document.models) | custom_models_of(document) | set(BOKEHJS_COMPONENTS)
    compile_models(needs)
    flavour = Flavour.from_settings(static)
    digests = [need.removeprefix("model:") for need in sorted(needs) if need.startswith("model:")]
    models = [f"_hotshoe/models/{digest}.js" for digest in digests]
    scripts, styles = models, list[str]()
    if resources:
        if flavour.mode == "server":
            localize_styles(document, f"{base}static/extensions/panel/")
        scripts, styles = script_urls(needs, flavour), style_urls(needs)
    return {
        "bokeh": bokeh.__version__,
        "resources": resources,
        "scripts": [_absolute(url, base) for url in scripts],
        "styles": [_absolute(url, base) for url in styles],
        "log_level": flavour.log_level,
        "dev": flavour.dev,
    }


def _absolute(url: str, base: str) -> str:
    return url if url.startswith("/") or urlsplit(url).scheme else f"{base}{url}"

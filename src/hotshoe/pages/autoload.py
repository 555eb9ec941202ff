"""Embeds a session in another site's page: a plan, and ``autoload.js``, the script that executes a plan.

The parameters come from a URL that anybody can write. Each is checked, and put into a script only as JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import bokeh

from ..base.errors import RequestError
from ..http.paths import path_before
from ..seams import custom_models_of
from ..seams.needs import BOKEHJS_COMPONENTS, needs_of_document
from ..seams.panel import localize_styles
from .assets import STATIC, compact_code, script_json
from .bundles import Flavour, compile_models, model_urls, script_urls, style_urls
from .page import NONCE_SLOT, TOKEN_SLOT, Page

if TYPE_CHECKING:
    from bokeh.document import Document

_ELEMENT_ID = re.compile(r"[^\x00-\x20\"'\\<>&`\u2028\u2029]{1,256}")
_APP_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\"'\\<>`?#]{0,2048}")
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]+")

_PARTS = ("shims.js", "loads.js", "sending.js", "shows.js", "notices.js", "autoload.js")
_LATER = ("plans.js", "later.js")


def render_autoload(document: Document, *, app_url: str, element_id: str | None, app_path: str,
                    absolute_url: str | None, resources: bool, static: str = STATIC,
                    max_message_bytes: int = 0) -> Page:
    """JavaScript that loads BokehJS into a page and shows the session there; call it with the lock held.

    ``app_path`` and ``absolute_url`` are the app's address for the embedding page's browser, ``static`` the path of
    BokehJS there. That page has no script of ours, so all components that the app may need later are loaded. Without
    ``element_id`` the result is only the plan, as JSON, for the script of our element. ``max_message_bytes`` as for
    ``render_page``. Raises ``RequestError`` for a wrong parameter, ``CompileError``.
    """
    origin = _check_address(element_id, app_path, absolute_url)
    # Without a path, the URL may contain it.
    path = app_path if app_path != "/" or absolute_url is None else urlsplit(absolute_url).path
    base = f"{origin}{path_before(path, app_url)}"
    plan = {"token": TOKEN_SLOT, "elementid": element_id, "use_for_title": False,
            "app_path": app_path, "absolute_url": absolute_url, "base": base,
            "max_message_bytes": max_message_bytes, **_files(document, base, resources=resources, static=static)}
    text = script_json(plan) if element_id is None else autoload_script(plan)
    return Page(text, TOKEN_SLOT, NONCE_SLOT)


def starting_script(*, element_id: str, app_path: str, absolute_url: str | None, query: str,
                    with_credentials: bool) -> str:
    """JavaScript that shows an app that is still being built: it waits in the app's element until there is a plan.

    It requests ``autoload.js`` again, with ``query``. Raises ``RequestError``.
    """
    _check_address(element_id, app_path, absolute_url)
    return autoload_script({"elementid": element_id, "app_path": app_path, "absolute_url": absolute_url,
                            "starting": query, "with_credentials": with_credentials})


def _check_address(element_id: str | None, app_path: str, absolute_url: str | None) -> str:
    """Check the parameters. Returns the origin of the absolute URL, empty without one. Raises ``RequestError``."""
    if element_id is not None and not _ELEMENT_ID.fullmatch(element_id):
        raise RequestError("bokeh-autoload-element is not the id of an element")
    if not _APP_PATH.fullmatch(app_path):
        raise RequestError("bokeh-app-path is not a path")
    return "" if absolute_url is None else _origin(absolute_url)


def autoload_script(plan: dict[str, Any]) -> str:
    """The script that executes a plan. If the plan has ``error``, the script shows that instead of an app."""
    parts = (*_LATER, *_PARTS) if "starting" in plan else _PARTS
    return (f'(function () {{\n"use strict";\n{compact_code(*parts)}\n'
            f"autoload({script_json(plan)}, document.currentScript ? document.currentScript.nonce : \"\");\n}})();\n")


def _origin(absolute_url: str) -> str:
    try:
        url = urlsplit(absolute_url)
        _ = url.port
    except ValueError:
        raise RequestError("bokeh-absolute-url is not a URL") from None
    # The whole host must match: no user and password, and nothing that browsers read differently.
    if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.netloc):
        raise RequestError("bokeh-absolute-url must begin with http:// or https:// and a host")
    return f"{url.scheme}://{url.netloc}"


def _files(document: Document, base: str, *, resources: bool, static: str) -> dict[str, Any]:
    needs = needs_of_document(document) | custom_models_of(document) | set(BOKEHJS_COMPONENTS)
    compile_models(needs)
    flavour = Flavour.from_settings(static)
    scripts, styles = model_urls(needs), list[str]()
    if resources:
        if flavour.mode == "server":
            localize_styles(document, f"{base}static/extensions/panel/", base)
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

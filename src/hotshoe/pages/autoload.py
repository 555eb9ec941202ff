"""The script that embeds a session in a foreign page: ``autoload.js``.

Its parameters come from a URL that anyone can write; none gets into the script but checked and as JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.core.types import ID
from bokeh.embed.bundle import Bundle, Script, ScriptRef, StyleRef
from bokeh.embed.util import RenderItem
from bokeh.settings import settings

from ..errors import RequestError
from ..needs import BOKEHJS_COMPONENTS, needs_of
from ..panel_seams import localize_styles
from ..seams import custom_models_of
from .bundles import Flavour, compile_models, log_script, script_urls, segments, style_urls
from .page import check_token
from .scripting import embed_script

if TYPE_CHECKING:
    from bokeh.document import Document

_ELEMENT_ID = re.compile(r"[^\x00-\x20\"'\\<>&`\u2028\u2029]{1,256}")
_APP_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\"'\\<>`?#]{0,2048}")
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]+")


def render_autoload(document: Document, *, app_url: str, element_id: str, app_path: str, absolute_url: str | None,
                    token: str, resources: bool) -> str:
    """JavaScript that loads BokehJS into a page and shows the session there; call it with the lock held.

    ``app_path`` and ``absolute_url`` say where the embedder's browser reaches the app. There is no script of ours in
    that page, so everything that the app may ever need is loaded. Raises ``RequestError`` for a parameter that can't
    be right, ``TokenError``, ``CompileError``.
    """
    if not _ELEMENT_ID.fullmatch(element_id):
        raise RequestError("bokeh-autoload-element is not the id of an element")
    if not _APP_PATH.fullmatch(app_path):
        raise RequestError("bokeh-app-path is not a path")
    origin = "" if absolute_url is None else _origin(absolute_url)
    check_token(token)
    bundle = _bundle(document, f"{origin}{base_path(app_path, absolute_url, app_url)}", resources=resources)
    item = RenderItem(token=token, elementid=ID(element_id), use_for_title=False)
    bundle.add(Script(embed_script([item.to_json()], app_path=app_path, absolute_url=absolute_url,
                                   guarded=not settings.dev)))
    return AUTOLOAD_JS.render(bundle=bundle, elementid=element_id)


def base_path(app_path: str, absolute_url: str | None, app_url: str) -> str:
    """The path under which the server is reached, with slashes at both ends: the app's path without the app."""
    path = app_path if app_path != "/" or absolute_url is None else urlsplit(absolute_url).path
    names, own = segments(path), segments(app_url)
    if own and names[-len(own):] == own:
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


def _bundle(document: Document, base: str, *, resources: bool) -> Bundle:
    needs = needs_of(document.models) | custom_models_of(document) | set(BOKEHJS_COMPONENTS)
    scripts = compile_models(needs)
    bundle = Bundle()
    if resources:
        flavour = Flavour.from_settings()
        if flavour.mode == "server":
            localize_styles(document, f"{base}static/extensions/panel/")
        loaded = [need for need in needs if not need.startswith("model:")]
        for url in script_urls(loaded, flavour):
            bundle.add(ScriptRef(_absolute(url, base)))
        for url in style_urls(needs):
            bundle.add(StyleRef(_absolute(url, base)))
        bundle.add(Script(log_script(flavour)))
    for script in scripts:
        bundle.add(Script(script))
    return bundle


def _absolute(url: str, base: str) -> str:
    return url if url.startswith("/") or urlsplit(url).scheme else f"{base}{url}"

"""A document as an HTML page, from its own template, with slots for the token and the nonce.

No data from outside is put into HTML or a script unescaped; see ``script_json``.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from bokeh.core.templates import FILE, MACROS, PLOT_DIV, get_env
from bokeh.document.document import DEFAULT_TITLE
from bokeh.embed.util import RenderItem
from bokeh.settings import settings
from jinja2 import Template

from ..base.errors import TokenError
from ..seams.needs import EVERYTHING, needs_of_code
from ..seams.panel import with_panel_spinner
from .assets import STATIC, dev_script, embed_script, script_tag
from .bundles import Tags, bundle_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from bokeh.document import Document

TOKEN_SLOT: Final = f"token-slot-{secrets.token_hex(16)}"
NONCE_SLOT: Final = f"nonce-slot-{secrets.token_hex(16)}"
_CSS_SLOT: Final = f"css-slot-{secrets.token_hex(16)}"
_JS_SLOT: Final = f"js-slot-{secrets.token_hex(16)}"
"""Random, so that no text that an app or user puts into a page can be a slot."""

NO_SCRIPT: Final = "<noscript><p>This app needs JavaScript, and this browser does not run it.</p></noscript>"

_TOKEN = re.compile(r"[A-Za-z0-9_.=-]*")
_NONCE = re.compile(r"[A-Za-z0-9_+/=-]*")
_UNSAFE_ID = re.compile(r"[\"'<>&]")
_CODE = re.compile(r"""<script\b([^>]*)>(.*?)</script|\son\w+\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE | re.DOTALL)
_OWN_FILE = re.compile(r"""\bsrc\s*=\s*["']?(?!["']|[a-z][a-z0-9+.-]*:|//)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A document's page, or the script that embeds it, with slots for values that only the front knows."""

    text: str
    token_slot: str
    """The part of the text to replace by the session token."""
    nonce_slot: str
    """The part of the text to replace by the nonce of a content security policy. A script has none."""

    def fill(self, *, token: str, nonce: str = "") -> bytes:
        """The page as bytes to send.

        Raises ``TokenError`` or ``ValueError`` for a token or nonce with characters that are unsafe there.
        """
        check_token(token)
        if not _NONCE.fullmatch(nonce):
            raise ValueError("a nonce is base64")
        text = self.text.replace(self.token_slot, token).replace(self.nonce_slot, nonce)
        return text.encode(errors="replace")  # a title may have lone surrogates, from any viewer


def check_token(token: str) -> None:
    """Raise ``TokenError`` unless the token is base64 and dots, which are safe in any script."""
    if not _TOKEN.fullmatch(token):
        raise TokenError("malformed session token", reason="malformed")


def render_page(document: Document, *, app_url: str, busy_sign: bool = True, version: str = "",
                static: str = STATIC, max_message_bytes: int = 0, all_bundles: bool = False) -> Page:
    """Render the document; call it with the document's lock held.

    The page finds BokehJS from ``app_url``, the app's route (``/name``), and its own address. ``busy_sign`` lets it
    show that the app is busy. With ``version``, the app's version in dev mode, it follows changes of the app.
    ``static`` is the path of BokehJS. ``all_bundles`` loads all of BokehJS, not only what the document needs. The page
    sends no message of more than ``max_message_bytes``, unless that is 0, but says that it is too large. Raises
    exceptions of the document's template, and ``CompileError``.
    """
    item = RenderItem(token=TOKEN_SLOT, roots=list(document.roots), use_for_title=True)
    _check_ids(item)
    load = partial(bundle_for, document, app_url=app_url, nonce=NONCE_SLOT, busy_sign=busy_sign, static=static,
                   max_message_bytes=max_message_bytes)
    bundle = load(more=EVERYTHING if all_bundles else frozenset())
    script = script_tag(embed_script(item.to_json(), guarded=not settings.dev), nonce=NONCE_SLOT)
    if version:
        script += dev_script(app_url, version, nonce=NONCE_SLOT)
    context: dict[str, Any] = {
        "csp_nonce": NONCE_SLOT,
        **document.template_variables,
        "title": document.title or DEFAULT_TITLE,
        "bokeh_js": _JS_SLOT,
        "bokeh_css": _CSS_SLOT,
        "plot_script": f"{NO_SCRIPT}\n{script}",
        "docs": [item],
        "doc": item,
        "roots": item.roots,
        "base": bundle.base,
        "macros": MACROS,
        "plot_div": PLOT_DIV.render(doc=item, macros=MACROS),
    }
    template = _template(document.template, bundle.base)
    html = template.render(context)
    if template is not bundle.base and not bundle.needs >= EVERYTHING:
        bundle = _with_scripts_of(html, bundle, load)
    html = html.replace(_CSS_SLOT, bundle.css).replace(_JS_SLOT, bundle.js)
    return Page(with_panel_spinner(document, html), TOKEN_SLOT, NONCE_SLOT)


def _with_scripts_of(html: str, bundle: Tags, load: Callable[..., Tags]) -> Tags:
    """The tags, with the bundles of the models that scripts in the page name."""
    needs: set[str] = set()
    for attributes, script, handler in _CODE.findall(html):
        needs |= needs_of_code(script or handler)
        if _OWN_FILE.search(attributes):  # of an unknown content: the app's author may use all of Bokeh in it
            needs |= {"bokeh-widgets", "bokeh-tables"}
    return bundle if needs <= bundle.needs else load(more=bundle.needs | needs)


def _check_ids(item: RenderItem) -> None:
    # Templates put ids into attributes unescaped, and a client that pushes a document chooses them.
    for model_id in item.roots.to_json():
        if _UNSAFE_ID.search(model_id):
            raise ValueError(f"a root with the id {model_id!r} can't stand in a page")


def _template(template: Template | str | None, base: Template) -> Template:
    if template is None or template is FILE:
        return base
    return _extending_base(template) if isinstance(template, str) else template


@lru_cache(maxsize=64)
def _extending_base(text: str) -> Template:
    return get_env().from_string("{% extends base %}\n" + text)

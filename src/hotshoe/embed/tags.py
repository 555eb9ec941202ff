"""The HTML that sites put into their pages; all of it is safe to be put there as it is."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from .addresses import Address, query_of

if TYPE_CHECKING:
    from bokeh.model import Model

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NONCE = re.compile(r"[A-Za-z0-9_+/=-]*")

Resources = Literal["default"] | None


class Html(str):
    """A text that templates put in as it is: Jinja2 and others look for ``__html__``.

    It is no ``markupsafe.Markup``, which escapes what it is added to; sites add these as the texts that they were.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """The text itself."""
        return str(self)


def app_tag(path: str, *, arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
            with_credentials: bool = False, resources: Resources = "default", nonce: str = "") -> Html:
    """A ``<bokeh-app>`` element with the script that makes it work.

    ``path`` is where the browser finds the app: ``/sliders``, relative to the page, or a whole URL. Raises
    ``ValueError`` in one line for what can't be an address, a header or a nonce.
    """
    address = Address.of(path)
    _check(headers, with_credentials, resources)
    query = "&".join(filter(None, [address.query, query_of(arguments)]))
    attributes = {
        "src": (address.url or "/") + (f"?{query}" if query else ""),
        "headers": json.dumps(dict(headers)) if headers else None,
        "with-credentials": "" if with_credentials else None,
        "resources": None if resources else "none",
    }
    words = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value is not None)
    script = f'<script src="{escape(address.below("embed.js"))}" async{_nonce(nonce)}></script>'
    return Html(f"<bokeh-app{words}>{_meanwhile(address)}</bokeh-app>\n{script}")


def server_document(url: str = "default", relative_urls: bool = False, resources: Resources = "default",
                    arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
                    with_credentials: bool = False, *, nonce: str = "") -> Html:
    """A script that embeds an app, as ``bokeh.embed.server_document`` makes it.

    ``url`` may also be a path, which the page's own host serves. ``relative_urls`` has the browser ask the page's
    host for everything but the script. ``headers`` and ``with_credentials`` exclude each other. ``nonce`` is for
    pages with a content security policy.
    """
    _check(headers, with_credentials, resources)
    return _script(url, relative_urls, resources, query_of(arguments), dict(headers or {}), with_credentials, nonce)


def server_session(model: Model | None = None, session_id: str | None = None, url: str = "default",
                   relative_urls: bool = False, resources: Resources = "default",
                   headers: Mapping[str, str] | None = None, with_credentials: bool = False, *,
                   nonce: str = "") -> Html:
    """A script that embeds the session with this id, as ``bokeh.embed.server_session`` makes it.

    Of ``model``, a root of the session's document, only that is shown, else the whole document.
    """
    if session_id is None:
        raise ValueError("Must supply a session_id")
    _check(headers, with_credentials, resources)
    with_id = {**(headers or {}), "Bokeh-Session-Id": session_id}
    _check(with_id, False, resources)
    root = None if model is None else model.id
    return _script(url, relative_urls, resources, "", with_id, with_credentials, nonce, root)


def _meanwhile(address: Address) -> str:
    """What is there until the script has come, and stays if it never does."""
    link = f'<a href="{escape(address.url or "/")}">Open it by itself.</a>'
    return f"<p>Loading an app… If it does not appear, its server can't be reached. {link}</p>"


def _check(headers: Mapping[str, str] | None, with_credentials: bool, resources: Resources) -> None:
    if headers and with_credentials:
        raise ValueError("'headers' and 'with_credentials' are mutually exclusive")
    if resources not in ("default", None):
        raise ValueError("`resources` must be either 'default' or None.")
    for name, value in (headers or {}).items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"a browser can't send the header {name!r}: its name or its value has a character that "
                             "headers can't have")


def _nonce(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is base64")
    return f' nonce="{nonce}"' if nonce else ""


def _script(url: str, relative_urls: bool, resources: Resources, query: str, headers: dict[str, str],
            with_credentials: bool, nonce: str, root: str | None = None) -> Html:
    address = Address.of(_default_url() if url == "default" else url)
    element_id = f"p{secrets.token_hex(16)}"
    asked = [
        f"bokeh-autoload-element={element_id}",
        "" if address.app_path in (None, "/") else f"bokeh-app-path={_quoted(address.app_path)}",
        f"bokeh-absolute-url={_quoted(address.url)}" if address.is_absolute and not relative_urls else "",
        "" if resources else "resources=none",
        address.query,
        query,
    ]
    plan = {
        "id": element_id,
        "src": f"{address.below('autoload.js')}?{'&'.join(filter(None, asked))}",
        "relative": relative_urls,
        "headers": headers,
        "credentials": with_credentials,
    }
    of_root = "" if root is None else f' data-bokeh-root="{escape(root)}"'
    code = f"{_load_code()}({json.dumps(plan).translate(_ESCAPES)});"
    return Html(f'<script id="{element_id}"{of_root}{_nonce(nonce)}>\n{code}\n</script>')


def _quoted(value: str | None) -> str:
    return quote(value or "", safe="/:")


def _default_url() -> str:
    from bokeh.settings import settings

    return f"http://{settings.default_server_host()}:{settings.default_server_port()}/"


@cache
def _load_code() -> str:
    lines = (Path(__file__).parent / "load.js").read_text(encoding="utf-8").rstrip().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))

"""The HTML that sites put into their pages. All of it is escaped."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, quote, urlencode, urlsplit

if TYPE_CHECKING:
    from bokeh.model import Model

_LOAD = Path(__file__).parent / "load.js"
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE = "/:@!$&'()*+,;=~-._%"
"""Characters of a path that are not quoted; '%' is one, so that a quoted address stays the same."""


@dataclass(frozen=True, slots=True)
class AppUrl:
    """Where an app is: ``https://host/app``, ``//host/app``, ``/app``, or relative to the page: ``../app``."""

    origin: str
    """``https://host``, ``//host``, or empty for the page's own."""
    path: str
    """Without a slash at its end."""
    query: str

    @classmethod
    def of(cls, url: str) -> AppUrl:
        """Read an address. Raises ``ValueError``, in one line, for a wrong one."""
        if not isinstance(url, str) or not url:
            raise ValueError(f"the address of an app is a text such as '/sliders', not {url!r}")
        if _CONTROL.search(url):
            raise ValueError(f"the address {url!r} contains a space, a backslash or a control character: quote it")
        parts = _split(url)
        if parts.scheme in ("ws", "wss"):
            raise ValueError("url should be the http or https URL for the server, not the websocket URL")
        if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
            raise ValueError(f"the address {url!r} must begin with http://, https:// or be a path such as '/sliders'")
        if "@" in parts.netloc:
            raise ValueError("the address of an app can't carry a user and password: browsers refuse it")
        origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else f"//{parts.netloc}" if parts.netloc else ""
        return cls(origin, quote(parts.path, safe=_SAFE).rstrip("/"), parts.query)

    @property
    def url(self) -> str:
        """The address itself, without its query."""
        return f"{self.origin}{self.path}"

    @property
    def is_absolute(self) -> bool:
        """Whether the address has a scheme and a host."""
        return self.origin.startswith("http")

    @property
    def app_path(self) -> str | None:
        """The path on its host, for ``autoload.js``; ``None`` if only the browser knows it."""
        if self.origin or self.path.startswith("/"):
            return self.path or "/"
        return None

    def below(self, name: str) -> str:
        """The address of a resource of the app."""
        return f"{self.url}/{name}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not an address: {error}") from None
    return parts


def query_of(arguments: Mapping[str, Any] | None) -> str:
    """Arguments of the app as a query. ``bokeh-…`` arguments are not the app's, and are left out, as bokeh does.

    A value may be a list or tuple, for an argument with several values.
    """
    given = arguments or {}
    return urlencode({str(name): value for name, value in given.items() if not str(name).startswith("bokeh-")},
                     doseq=True)


_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NONCE = re.compile(r"[A-Za-z0-9_+/=-]*")

Resources = Literal["default"] | None


class Html(str):
    """A text that templates do not escape: Jinja2 and others look for ``__html__``.

    It is not a ``markupsafe.Markup``, which would escape a text that a site adds to it. bokeh's tags are plain texts.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """The text itself."""
        return str(self)


def app_tag(path: str, *, arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
            with_credentials: bool = False, resources: Resources = "default", nonce: str = "") -> Html:
    """A ``<bokeh-app>`` element with the script that makes it work.

    ``path`` is the app's address in the browser: ``/sliders``, relative to the page, or a whole URL. Raises
    ``ValueError``, in one line, for a wrong address, header or nonce.
    """
    address = AppUrl.of(path)
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
    return Html(f"<bokeh-app{words}>{_placeholder(address)}</bokeh-app>\n{script}")


def server_document(url: str = "default", relative_urls: bool = False, resources: Resources = "default",
                    arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
                    with_credentials: bool = False, *, nonce: str = "") -> Html:
    """A script that embeds an app, as ``bokeh.embed.server_document`` makes it.

    ``url`` may also be a path on the page's own host. With ``relative_urls`` the browser loads everything but the
    script from the page's host. ``headers`` and ``with_credentials`` exclude each other. ``nonce`` is for pages with a
    content security policy.
    """
    _check(headers, with_credentials, resources)
    return _script(url, relative_urls, resources, query_of(arguments), dict(headers or {}), with_credentials, nonce)


def server_session(model: Model | None = None, session_id: str | None = None, url: str = "default",
                   relative_urls: bool = False, resources: Resources = "default",
                   headers: Mapping[str, str] | None = None, with_credentials: bool = False, *,
                   nonce: str = "") -> Html:
    """A script that embeds the session with this id, as ``bokeh.embed.server_session`` makes it.

    It shows only ``model``, a root of the session's document, or without it the whole document.
    """
    if session_id is None:
        raise ValueError("Must supply a session_id")
    _check(headers, with_credentials, resources)
    with_id = {**(headers or {}), "Bokeh-Session-Id": session_id}
    _check(with_id, False, resources)
    root = None if model is None else model.id
    return _script(url, relative_urls, resources, "", with_id, with_credentials, nonce, root)


def _placeholder(address: AppUrl) -> str:
    """Content of the element until the script runs; it stays if the script can't be loaded."""
    link = f'<a href="{escape(address.url or "/")}">Open it in its own page.</a>'
    return f"<p>Loading an app… If it does not appear, its server can't be reached. {link}</p>"


def _check(headers: Mapping[str, str] | None, with_credentials: bool, resources: Resources) -> None:
    if headers and with_credentials:
        raise ValueError("'headers' and 'with_credentials' are mutually exclusive")
    if resources not in ("default", None):
        raise ValueError("`resources` must be either 'default' or None.")
    for name, value in (headers or {}).items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"a browser can't send the header {name!r}: its name or value has a character that is not "
                             "allowed in headers")


def _nonce(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce must be base64")
    return f' nonce="{nonce}"' if nonce else ""


def _script(url: str, relative_urls: bool, resources: Resources, query: str, headers: dict[str, str],
            with_credentials: bool, nonce: str, root: str | None = None) -> Html:
    address = AppUrl.of(_default_url() if url == "default" else url)
    element_id = f"p{secrets.token_hex(16)}"
    query_parts = [
        f"bokeh-autoload-element={element_id}",
        "" if address.app_path in (None, "/") else f"bokeh-app-path={_quoted(address.app_path)}",
        f"bokeh-absolute-url={_quoted(address.url)}" if address.is_absolute and not relative_urls else "",
        "" if resources else "resources=none",
        address.query,
        query,
    ]
    plan = {
        "id": element_id,
        "src": f"{address.below('autoload.js')}?{'&'.join(filter(None, query_parts))}",
        "relative": relative_urls,
        "headers": headers,
        "credentials": with_credentials,
    }
    of_root = "" if root is None else f' data-bokeh-root="{escape(root)}"'
    code = f"{script_code(_LOAD)}({json.dumps(plan).translate(_ESCAPES)});"
    return Html(f'<script id="{element_id}"{of_root}{_nonce(nonce)}>\n{code}\n</script>')


def _quoted(value: str | None) -> str:
    return quote(value or "", safe="/:")


def _default_url() -> str:
    from bokeh.settings import settings

    return f"http://{settings.default_server_host()}:{settings.default_server_port()}/"


@cache
def script_code(file: Path) -> str:
    """The JavaScript in a file of ours, without its lines of comments."""
    lines = file.read_text(encoding="utf-8").rstrip().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))

"""``autoload.js``: its parameters, the pages that may load it, and the notice that it shows in place of an app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import PlainTextResponse, Response

from ...http import responses
from ...http.requests import arguments_of, header, headers_of, last
from ...http.scopes import Scope
from ...pages.autoload import autoload_script, starting_script
from ..gate.origins import Origins, host_of, same_origin

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PREFLIGHT_S = 600
_ELSEWHERE = ("cross-site", "same-site")


@dataclass(frozen=True, slots=True)
class Embedding:
    """The place in a page where an app is embedded."""

    element_id: str
    app_path: str
    absolute_url: str | None
    resources: bool
    as_plan: bool
    """Whether our own script sends the request: it is in the page already and needs only data."""

    @classmethod
    def of(cls, scope: Scope) -> Embedding:
        """Read a request's parameters without checking them."""
        arguments = arguments_of(scope.get("query_string", b""))
        return cls(
            element_id=last(arguments, "bokeh-autoload-element") or "",
            app_path=last(arguments, "bokeh-app-path") or "/",
            absolute_url=last(arguments, "bokeh-absolute-url") or None,
            resources=last(arguments, "resources") != "none",
            as_plan="application/json" in (header(scope, b"accept") or "").lower(),
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is shown where the app would be."""

    error: str
    """One sentence."""
    detail: str = ""
    error_id: str = ""
    """The id of the error in the log."""
    flag: str = ""
    """The option of the server that would prevent the error."""
    login: str = ""
    """Where to log in, relative to the request."""

    def answer(self, scope: Scope, embedding: Embedding, status: int, headers: Mapping[str, str]) -> Response:
        """The response: data for our own script, a script that shows the notice, or a line of text."""
        said = {name: value for name, value in asdict(self).items() if value}
        if embedding.as_plan:
            return responses.json(said, status, headers)
        if not embedding.element_id:
            return PlainTextResponse(self.error, status, headers)
        # bokeh loads the script by XMLHttpRequest and runs it with any status, so the real one can be sent. A script
        # element runs it only with a status of success.
        shown = 200 if header(scope, b"sec-fetch-dest") == "script" else status
        where = {"app_path": embedding.app_path, "absolute_url": embedding.absolute_url}
        plan = {"elementid": embedding.element_id, **where, **said}
        return responses.script(autoload_script(plan), shown, headers)


def starting_answer(scope: Scope, embedding: Embedding, query: str, headers: Mapping[str, str]) -> Response:
    """The response for an app that takes long to start. The next request, for its plan, has ``query``.

    Raises ``RequestError`` for wrong parameters.
    """
    if embedding.as_plan:
        return responses.json({"starting": query}, 202, headers)
    # If this request has cookies, the next one gets them, too.
    with_credentials = header(scope, b"cookie") is not None and "Access-Control-Allow-Credentials" in headers
    source = starting_script(element_id=embedding.element_id, app_path=embedding.app_path,
                             absolute_url=embedding.absolute_url, query=query, with_credentials=with_credentials)
    return responses.script(source, 202, headers)


def cors_headers(scope: Scope, origins: Origins) -> dict[str, str]:
    """The CORS headers. Any page may load the script; with cookies, only our own pages and those of the allow list.

    (``bokeh serve`` echoes any origin together with credentials.)
    """
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*", "Vary": "Origin, Accept",
               "Access-Control-Expose-Headers": "Retry-After"}
    origin = header(scope, b"origin")
    if origin and (same_origin(origin, header(scope, b"host")) or origins.names(origin)):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
    if scope["method"] == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "PUT, GET, OPTIONS"
        headers["Access-Control-Max-Age"] = str(_PREFLIGHT_S)
        # Fetch, 3.3.5: with credentials a star is not a wildcard, and it never includes Authorization.
        asked = [name.strip() for name in (header(scope, b"access-control-request-headers") or "").split(",")]
        if all(map(_TOKEN.fullmatch, asked)):
            headers["Access-Control-Allow-Headers"] = ", ".join(asked)
    return headers


def refusal(scope: Scope, embedding: Embedding, origins: Origins) -> Notice | None:
    """The notice for a page whose websocket will be refused; ``None`` if it won't be.

    A script in that page can't read the reason why its websocket is refused, so this response has the reason, before a
    session is created. The websocket's own check protects the session. This one protects the token of a user whose
    browser loads the script for a page of another site.
    """
    origin = _page_origin(scope)
    if origin is None or not (_connects_here(embedding, origin) or _is_of_another_site(scope)):
        return None
    as_socket = {**scope, "headers": [*scope["headers"], (b"origin", origin.encode("latin-1"))]}
    if origins.admit(as_socket):
        return None
    host = host_of(origin)
    if not host:
        return Notice("This server does not allow pages without an address to embed its apps.",
                      "A page has none if it is opened from a file, is in a sandboxed frame, or hides it "
                      "(Referrer-Policy).")
    return Notice(f"This server does not allow pages of {origin} to embed its apps.",
                  flag=f"--allow-websocket-origin={host}")


def _page_origin(scope: Scope) -> str | None:
    """The page's origin. A script element sends no ``Origin``, but a referrer, unless the page forbids it."""
    origin = header(scope, b"origin")
    if origin is not None or header(scope, b"sec-fetch-dest") != "script":
        return origin
    return _origin_of(header(scope, b"referer") or "") or ("null" if _is_of_another_site(scope) else None)


def _is_of_another_site(scope: Scope) -> bool:
    """Whether a script element of another origin sends the request, with the user's cookies: it reads the response."""
    return header(scope, b"sec-fetch-dest") == "script" and header(scope, b"sec-fetch-site") in _ELSEWHERE


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None


def _connects_here(embedding: Embedding, origin: str) -> bool:
    # Without an absolute URL, or with one of its own host, the page connects to its own host, which may be a proxy.
    if embedding.as_plan:
        return True
    return embedding.absolute_url is not None and _origin_of(embedding.absolute_url) != origin


MARK = "Bokeh-Embed-Headers"
_UNMARKED_BYTES = 512
_NOT_EMBEDDERS = re.compile(
    r"(accept|sec|access-control|proxy|content|if|x-forwarded|x-auth|x-amz|x-amzn|x-goog|x-ms|x-envoy|x-b3|x-real|"
    r"x-remote|x-ssl|x-client|x-original|x-request|x-correlation|x-trace|x-scheme|x-csrf|x-xsrf|x-user|x-email|x-access|"
    r"x-id|x-jwt|cf|fly|cdn|fastly|true|remote|ssl|oidc|tailscale|traceparent|tracestate|baggage|forwarded|via|host|connection|"
    r"keep-alive|te|trailer|transfer-encoding|upgrade|upgrade-insecure-requests|user-agent|cookie|referer|origin|date|"
    r"cache-control|pragma|priority|dnt|range|expect|authorization|purpose|save-data|device-memory|dpr|width|"
    r"viewport-width|downlink|ect|rtt|early-data|x-requested-with|bokeh-session-id|bokeh-embed-headers)(-.*)?"
)


def embedder_headers(scope: Scope) -> dict[str, str]:
    """The headers that the script of an embedding page has set. Its websocket can't send them again.

    Our own scripts list their headers with values in ``Bokeh-Embed-Headers``. A header with another value was added by
    a proxy. It may be a secret, and must not be in a token, which the browser can read. bokeh's scripts list nothing.
    They matter only in pages of other origins; of their headers we take those that neither browsers nor common proxies
    send, if they fit into a token.
    """
    headers = headers_of(scope)
    mark = headers.get(MARK)
    if mark is not None:
        listed = {_title(name): value for name, value in parse_qsl(mark, keep_blank_values=True)}
        return {name: value for name, value in listed.items() if headers.get(name) == value and name != "Cookie"}
    origin = headers.get("Origin")
    if origin is None or same_origin(origin, headers.get("Host")):
        return {}
    found = {name: value for name, value in headers.items() if not _NOT_EMBEDDERS.fullmatch(name.lower())}
    return found if sum(len(name) + len(value) for name, value in found.items()) <= _UNMARKED_BYTES else {}


def _title(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))

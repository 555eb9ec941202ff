"""``autoload.js``: what it is asked with, who may ask with what, and what it says where the app can't be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from ..pages.autoload import autoload_script, starting_script
from . import answers
from .answers import Answer, Scope
from .origins import Origins, host_of, same_origin
from .requests import arguments_of, header, headers_of, last

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PREFLIGHT_S = 600
_ELSEWHERE = ("cross-site", "same-site")


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where an app is to be embedded."""

    element_id: str
    app_path: str
    absolute_url: str | None
    resources: bool
    as_plan: bool
    """Whether a script of ours asks, which is in the page already and wants data."""

    @classmethod
    def of(cls, scope: Scope) -> Embedding:
        """Read the request; nothing is checked."""
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
    """What is shown where the app would be."""

    error: str
    """One sentence."""
    detail: str = ""
    error_id: str = ""
    """Under which it stands in the log."""
    flag: str = ""
    """What the server could be started with for it not to happen."""
    login: str = ""
    """Where to log in, relative to the request."""

    def answer(self, scope: Scope, embedding: Embedding, status: int, headers: Mapping[str, str]) -> Answer:
        """As data for a script of ours, else as a script that shows it, else as a line of text."""
        said = {name: value for name, value in asdict(self).items() if value}
        if embedding.as_plan:
            return replace(answers.json(said, headers), status=status)
        if not embedding.element_id:
            return answers.text(self.error, status, headers)
        # A script that comes by XMLHttpRequest, as bokeh asks for it, runs whatever its status is, so that can be the
        # true one; a script element runs none but good ones.
        shown = 200 if header(scope, b"sec-fetch-dest") == "script" else status
        where = {"app_path": embedding.app_path, "absolute_url": embedding.absolute_url}
        plan = {"elementid": embedding.element_id, **where, **said}
        return answers.script(autoload_script(plan), shown, headers)


def starting_answer(scope: Scope, embedding: Embedding, query: str, headers: Mapping[str, str]) -> Answer:
    """What is said of an app that takes long to begin; with ``query`` its plan is asked for again.

    Raises ``RequestError`` for what can't be embedded.
    """
    if embedding.as_plan:
        return replace(answers.json({"starting": query}, headers), status=202)
    # The script that comes next asks with the cookies with which this one was asked for.
    with_credentials = header(scope, b"cookie") is not None and "Access-Control-Allow-Credentials" in headers
    source = starting_script(element_id=embedding.element_id, app_path=embedding.app_path,
                             absolute_url=embedding.absolute_url, query=query, with_credentials=with_credentials)
    return answers.script(source, 202, headers)


def cors_headers(scope: Scope, origins: Origins) -> dict[str, str]:
    """Anyone may load the script; with cookies only pages of our own and of the allow list.

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
        # Fetch, 3.3.5: with credentials a star is no wildcard, and it never stands for Authorization.
        asked = [name.strip() for name in (header(scope, b"access-control-request-headers") or "").split(",")]
        if all(map(_TOKEN.fullmatch, asked)):
            headers["Access-Control-Allow-Headers"] = ", ".join(asked)
    return headers


def refusal(scope: Scope, embedding: Embedding, origins: Origins) -> Notice | None:
    """What to say to a page whose websocket will be refused; ``None`` if it won't be.

    A script in that page can't read why its websocket is refused, so it is said here, before there is a session.
    The session is protected where the websocket comes in; here, only the token of a user whom a foreign page makes
    load the script.
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
                      "Browsers give none to pages that are opened from a file, stand in a sandboxed frame, or hide "
                      "it (Referrer-Policy).")
    return Notice(f"This server does not allow pages of {origin} to embed its apps.",
                  flag=f"--allow-websocket-origin={host}")


def _page_origin(scope: Scope) -> str | None:
    """Where the page is that asks. A script element sends no ``Origin``, but, unless the page forbids it, the rest."""
    origin = header(scope, b"origin")
    if origin is not None or header(scope, b"sec-fetch-dest") != "script":
        return origin
    return _origin_of(header(scope, b"referer") or "") or ("null" if _is_of_another_site(scope) else None)


def _is_of_another_site(scope: Scope) -> bool:
    """Whether a script element of another origin asks, with the user's cookies: its page can read what comes."""
    return header(scope, b"sec-fetch-dest") == "script" and header(scope, b"sec-fetch-site") in _ELSEWHERE


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None


def _connects_here(embedding: Embedding, origin: str) -> bool:
    # Without an absolute URL, or with one of its own host, the page connects to its own host: some proxy's affair.
    if embedding.as_plan:
        return True
    return embedding.absolute_url is not None and _origin_of(embedding.absolute_url) != origin


# -- the headers of an embedder

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
    """The headers that the script of an embedding page has set: a websocket can't bring them again.

    Our own scripts name theirs in ``Bokeh-Embed-Headers``, with the values: what they can't say the value of has been
    put in by a proxy, may be a secret, and must not come back in a token, which the browser reads. bokeh's scripts
    don't; from them, which always come from other origins when that matters, names are taken that neither a
    browser nor a common proxy uses, and no more than fits in a token.
    """
    headers = headers_of(scope)
    mark = headers.get(MARK)
    if mark is not None:
        told = {_title(name): value for name, value in parse_qsl(mark, keep_blank_values=True)}
        return {name: value for name, value in told.items() if headers.get(name) == value and name != "Cookie"}
    origin = headers.get("Origin")
    if origin is None or same_origin(origin, headers.get("Host")):
        return {}
    found = {name: value for name, value in headers.items() if not _NOT_EMBEDDERS.fullmatch(name.lower())}
    return found if sum(len(name) + len(value) for name, value in found.items()) <= _UNMARKED_BYTES else {}


def _title(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))

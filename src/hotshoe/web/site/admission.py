"""Asks the site around an app whether a user may see it, by a request for the app's page as a browser would send it.

So the site's own protection (middleware, decorators, a login) protects its apps, too. The site's view at the app's URL
finds an ``Admission`` in the scope of its request, calls ``admit`` for its own app, and returns the headers that it
gets. Only this response lets the client in: not that of another app's view, nor one that a decorator or middleware puts
in its place. A client can't send an ``Admission``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.responses import Response

from ...auth.identity import user_from
from ...base.errors import AccessError, LoginError, RequestError
from ...base.logs import PacedLog
from ...http.paths import base_of, normalized_prefix
from ...http.requests import header
from ...http.responses import raw_response
from ...http.scopes import ADMISSION, PAGE_QUERY, SET_COOKIES, Receive, Scope, Send
from ..routes import Kind, Route
from .consents import Consents, client_key

_log = PacedLog(logging.getLogger(__name__))

HEADER = b"x-hotshoe-admission"
"""In a question: leads to the ``Admission`` where middleware around a WSGI app passes on headers only, as Starlette's
does. Its value is a secret that is valid for one question. The header is removed from clients' requests."""
_PROOF = b"x-hotshoe-admitted"
"""In the response: proves that it is the one of the view that has admitted the client."""
ADMITTED = 204
"""The status of a response that lets a client in; it has no body."""
_IN_ENVIRON = "HTTP_X_HOTSHOE_ADMISSION"

ASK_S = 60.0
"""How long the site may take to respond."""
_SOCKET_HEADERS = (b"upgrade", b"connection", b"sec-websocket-")
_BODY_AND_CACHE_HEADERS = (b"content-", b"transfer-encoding", b"expect", b"range", b"if-")
_MOST_BYTES = 8 << 20
_MANY = frozenset({Kind.APP_STATIC, Kind.THUMBNAIL, Kind.METADATA})
"""The routes that a page requests by the dozen: a consent is remembered. For pages and websockets the site is always
asked."""


@dataclass(slots=True)
class Admission:
    """A question to the site, whose view calls ``admit`` or refuses."""

    app: str
    """The URL of the app that the client wants to open."""
    user: Any = None
    session: Mapping[str, Any] | None = None
    answered_for: str | None = None
    """The app whose view has answered, if it is another one."""
    _proof: str = ""

    def admit(self, app: str | None, *, user: Any = None,
              session: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Let the client open the view's own ``app`` (its URL, or ``None`` if the view can't tell). Returns the headers
        of the view's response, which has the status ``ADMITTED``.

        ``user``, a user object of any framework, becomes ``session_context.user`` (a ``User``), and ``session`` becomes
        its request's ``session``. If the question is about another app, nobody is let in.
        """
        if app != self.app:
            self.answered_for = app or "another address"
            return {}
        self.user, self.session, self._proof = user, session, secrets.token_hex(16)
        return {_PROOF.decode(): self._proof}

    def is_granted_by(self, reply: Reply) -> bool:
        """Whether the site's response is the one of the view that has called ``admit``."""
        proofs = reply.values(_PROOF)
        return bool(self._proof) and proofs == [self._proof] and reply.status == ADMITTED and not reply.body


@dataclass(slots=True)
class Reply:
    """The site's response. It is collected, because only a refusal is passed on to the client."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def take(self, event: Any) -> None:
        """ASGI's ``send``. Raises ``RequestError`` if the response is too large."""
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", ()))
        elif event["type"] == "http.response.body":
            self.body += event.get("body", b"")
            if len(self.body) > _MOST_BYTES:
                raise RequestError("The site's response is too large", status=502)

    def values(self, name: bytes) -> list[str]:
        """The values of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name]

    def refusal(self) -> RequestError:
        """The refusal as an error, for requests other than the page's."""
        if 300 <= self.status < 400 and (place := self.values(b"location")):
            return LoginError("The site asks you to log in.", place[0])
        match self.status:
            case 401:
                return LoginError("The site asks you to log in.")
            case 404:
                return RequestError("The site has no app at this address", status=404)
            case status if status >= 500:
                return RequestError("The site around this app has failed", status=502)
        return AccessError("The site does not let you open this app.")


class SiteAnswer(Exception):
    """The site refuses the page; ``response`` is its own response to the client."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


_asked: dict[str, Admission] = {}
"""The open questions, by their secret."""


def admission_of(environ: Mapping[str, Any]) -> Admission | None:
    """The question in a WSGI request; ``None`` for an ordinary request."""
    found: Admission | None = environ.get("asgi.scope", {}).get(ADMISSION)
    return found or _asked.get(environ.get(_IN_ENVIRON, ""))


class SiteCheck:
    """Asks ``site`` whether a client may open an app. It runs before the rules of ``Access``."""

    def __init__(self, site: Callable[[Scope, Receive, Send], Awaitable[None]], prefix: str = "") -> None:
        self._site = site
        self._prefix = normalized_prefix(prefix)
        self._consents: Consents[Admission] = Consents()

    def stop(self) -> None:
        """End what asking has started."""

    async def enter(self, scope: Scope, route: Route) -> Scope:
        """The scope with the site's user and session. Raises ``SiteAnswer`` or ``RequestError`` if it refuses."""
        if route.app is None:
            return scope
        ask = partial(self._consult, scope, route, route.app.url)
        client = client_key(scope, route.app.url) if route.kind in _MANY else None
        admission = await (ask() if client is None else self._consents.get(client, ask))
        return {**scope, "user": user_from(admission.user), "session": admission.session}

    async def _consult(self, scope: Scope, route: Route, url: str) -> Admission:
        """Ask the site; raises as ``enter`` does."""
        admission, reply, secret = Admission(url), Reply(), secrets.token_hex(16)
        question = self._question(scope, route, url, admission)
        question["headers"].append((HEADER, secret.encode()))
        _asked[secret] = admission
        try:
            await self._ask(question, reply)
        finally:
            del _asked[secret]
        if admission.answered_for is not None:
            _log.warning("Nobody may open %s here: the site leads this address to the view of %s, so it can't be asked "
                         "about this app", url, admission.answered_for, kind=(url, admission.answered_for))
            raise RequestError("The site has no app at this address", status=404)
        if not admission.is_granted_by(reply):
            if route.kind is not Kind.PAGE:
                raise reply.refusal()
            headers = [pair for pair in reply.headers if pair[0].lower() != _PROOF]
            raise SiteAnswer(raw_response(reply.status, headers, reply.body))
        if route.kind is Kind.PAGE:  # the site may prolong its session
            scope.get(SET_COOKIES, []).extend(reply.values(b"set-cookie"))
        return admission

    async def _ask(self, question: Scope, reply: Reply) -> None:
        try:
            async with asyncio.timeout(ASK_S) as limit:
                await self._site(question, _reader(), reply.take)
        except TimeoutError:
            if not limit.expired():
                raise
            raise RequestError("The site around this app does not answer", status=504) from None

    def _question(self, scope: Scope, route: Route, url: str, admission: Admission) -> Scope:
        base = base_of(scope, self._prefix)
        left_out = (HEADER, *_BODY_AND_CACHE_HEADERS) + (_SOCKET_HEADERS if scope["type"] == "websocket" else ())
        asked = {key: value for key, value in scope.items() if key not in ("raw_path", "subprotocols")}
        scheme = scope.get("scheme", "http")
        return {
            **asked,
            "type": "http",
            "http_version": scope.get("http_version", "1.1"),
            "method": scope["method"] if route.kind is Kind.PAGE else "GET",
            "scheme": {"ws": "http", "wss": "https"}.get(scheme, scheme),
            "root_path": base,
            "path": base + url,
            "query_string": _page_query(scope, route.kind, base + url),
            "headers": [pair for pair in scope["headers"] if not pair[0].startswith(left_out)],
            "extensions": {},
            ADMISSION: admission,
        }


def _page_query(scope: Scope, kind: Kind, page: str) -> bytes:
    """The query of the app's page, which the site may read, and to which a login may redirect.

    A websocket has it in its token. The request of a file has it in its ``Referer``: a client may choose that, as it
    may choose the page's own query.
    """
    query: bytes = scope.get("query_string", b"")
    if kind is Kind.PAGE:
        return query
    if (carried := scope.get(PAGE_QUERY)) is not None:
        query = carried
    elif kind is not Kind.AUTOLOAD and (found := _referring_query(scope, page)) is not None:
        query = found
    # Without the arguments of embedding scripts.
    return b"&".join(part for part in query.split(b"&") if not part.startswith((b"bokeh-", b"resources=")))


def _referring_query(scope: Scope, page: str) -> bytes | None:
    """The query of the page that sends the request, if that is the page at the path ``page``."""
    try:
        referer = urlsplit(header(scope, b"referer") or "")
    except ValueError:
        return None
    is_page = unquote(referer.path).rstrip("/").endswith(page.rstrip("/")) and referer.query.isascii()
    return referer.query.encode() if is_page else None


def _reader() -> Receive:
    """ASGI's ``receive`` of a request without a body, whose client never disconnects."""
    begun = False

    async def receive() -> Any:
        nonlocal begun
        if begun:
            await asyncio.Event().wait()
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive

"""Whether the site around an app lets a visitor see it, and as whom: it is asked for the page, as a browser would.

So whatever guards the site's pages (middleware, decorators, a login) guards its apps, too. The site's view at the app's
URL finds an ``Admission`` in the scope of its request, and calls ``admit``. No visitor can bring one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..auth.identity import user_from
from ..auth.module import COOKIES
from ..errors import AccessError, LoginError, RequestError
from .answers import Receive, Scope, Send
from .routes import Kind, Route, normalized_prefix

ADMISSION = "hotshoe.admission"
"""The key of the scope in which a site's view finds the ``Admission``."""

ASK_S = 60.0
"""How long the site may think."""
_OF_SOCKETS = (b"upgrade", b"connection", b"sec-websocket-")
_OF_BODIES_AND_CACHES = (b"content-", b"transfer-encoding", b"expect", b"range", b"if-")
_MOST_BYTES = 8 << 20


@dataclass(slots=True)
class Admission:
    """A question to the site: it is answered by ``admit``, or refused."""

    granted: bool = False
    user: Any = None
    session: Mapping[str, Any] | None = None

    def admit(self, *, user: Any = None, session: Mapping[str, Any] | None = None) -> None:
        """Let the visitor in. ``user``, as any framework has it, becomes ``session_context.user`` (a ``User``), and
        ``session`` its request's ``session``."""
        self.granted, self.user, self.session = True, user, session


@dataclass(slots=True)
class Reply:
    """What the site has answered."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def take(self, event: Any) -> None:
        """ASGI's ``send``. Raises ``RequestError`` for an answer without end."""
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", ()))
        elif event["type"] == "http.response.body":
            self.body += event.get("body", b"")
            if len(self.body) > _MOST_BYTES:
                raise RequestError("The site's answer is too large", status=502)

    async def send(self, scope: Scope, send: Send) -> None:
        """Give it to the visitor."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else bytes(self.body)})

    def values(self, name: bytes) -> list[str]:
        """The values of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name]

    def refusal(self) -> RequestError:
        """The same for who asked for something else than the page."""
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
    """The site does not let the visitor see the page; ``reply`` is what it shows instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Inquiry:
    """Asks ``site`` about its visitors."""

    def __init__(self, site: Callable[[Scope, Receive, Send], Awaitable[None]], prefix: str = "") -> None:
        self._site = site
        self._prefix = normalized_prefix(prefix)

    async def enter(self, scope: Scope, route: Route) -> Scope:
        """The scope with the site's user and session. Raises ``SiteAnswer`` or ``RequestError`` if it refuses."""
        if route.app is None:
            return scope
        admission, reply = Admission(), Reply()
        await self._ask(self._question(scope, route, route.app.url, admission), reply)
        # What comes after the view may refuse, fail, or show something else.
        if not admission.granted or reply.status >= 300 or reply.body:
            raise SiteAnswer(reply) if route.kind is Kind.PAGE else reply.refusal()
        if route.kind is Kind.PAGE:  # a session that is used may be kept for longer
            scope.get(COOKIES, []).extend(reply.values(b"set-cookie"))
        return {**scope, "user": user_from(admission.user), "session": admission.session}

    async def _ask(self, question: Scope, reply: Reply) -> None:
        try:
            async with asyncio.timeout(ASK_S) as limit:
                await self._site(question, _reader(), reply.take)
        except TimeoutError:
            if not limit.expired():
                raise
            raise RequestError("The site around this app does not answer", status=504) from None

    def _question(self, scope: Scope, route: Route, url: str, admission: Admission) -> Scope:
        base = scope.get("root_path", "").rstrip("/") + self._prefix
        left_out = _OF_BODIES_AND_CACHES + (_OF_SOCKETS if scope["type"] == "websocket" else ())
        asked = {key: value for key, value in scope.items() if key not in ("raw_path", "subprotocols")}
        scheme = scope.get("scheme", "http")
        return {
            **asked,
            "type": "http",
            "method": scope["method"] if route.kind is Kind.PAGE else "GET",
            "scheme": {"ws": "http", "wss": "https"}.get(scheme, scheme),
            "root_path": base,
            "path": base + url,
            "query_string": _of_the_page(scope.get("query_string", b""), route.kind),
            "headers": [pair for pair in scope["headers"] if not pair[0].startswith(left_out)],
            "extensions": {},
            ADMISSION: admission,
        }


def _of_the_page(query: bytes, kind: Kind) -> bytes:
    """The query, to which a login may lead back, without what scripts that embed the app say to us."""
    if kind is Kind.PAGE:
        return query
    return b"&".join(part for part in query.split(b"&") if not part.startswith((b"bokeh-", b"resources=")))


def _reader() -> Receive:
    """A request without a body, whose visitor stays."""
    begun = False

    async def receive() -> Any:
        nonlocal begun
        if begun:
            await asyncio.Event().wait()
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive

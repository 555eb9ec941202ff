"""A client that keeps cookies as browsers do, and an app around a provider that says who asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hotshoe.auth import Provider

SITE = "http://site.example"


def app_of(provider: Provider, prefix: str = "", **marks: Any) -> ASGIApp:
    """Answers as the front does: the provider's pages, and for others the user, or the way to the login page."""
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "hotshoe.client_known": True, **marks}
        endpoint = provider.endpoints.get(scope["path"].removeprefix(prefix).rstrip("/"))
        response: Response
        if endpoint is not None:
            response = await endpoint(Request(scope, receive))
        elif (user := await provider.user_of(HTTPConnection(scope))) is not None:
            response = Response(f"{user.name}|{user.email}|{','.join(sorted(user.groups))}")
        else:
            response = Response(await provider.login_path(HTTPConnection(scope)), 401)
        await response(scope, receive, send)
    return app


@asynccontextmanager
async def browser(app: ASGIApp, site: str = SITE, client: tuple[str, int] = ("192.0.2.7", 5)
                  ) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of its own; it does not follow redirects."""
    transport = httpx.ASGITransport(app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url=site) as found:
        yield found


def token_of(page: httpx.Response) -> str:
    """The form's token."""
    match = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert match is not None, page.text
    return match[1]


def text_of(page: httpx.Response) -> str:
    """What a page says, without its marks."""
    return unescape(re.sub(r"<[^>]+>", " ", page.text))


Clock = Callable[[], float]


class SetClock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

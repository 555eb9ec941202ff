"""Apps as one ASGI callable over the real host: mounted without a lifespan, and served with one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import pytest
from bokeh.models.widgets import Slider
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from tests.support.asgi_websocket import pulled, token_of

from hotshoe.base.errors import AppError, ConfigError
from hotshoe.config import Settings
from hotshoe.web.mount import Asgi, asgi

if TYPE_CHECKING:
    from bokeh.document import Document

Make = Callable[..., Asgi]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Asgi] = []

    def build(*args: Any, **more: Any) -> Asgi:
        made.append(asgi(*args, **more))
        return made[-1]

    yield build
    for each in made:
        await each.stop()


def sliders(doc: Document) -> None:
    assert doc.session_context is not None
    arguments = doc.session_context.request.arguments  # type: ignore[attr-defined]
    doc.add_root(Slider(start=0, end=10, value=1, title=repr(arguments)))
    doc.title = "Sliders"


def broken(doc: Document) -> None:
    raise ZeroDivisionError("secret")


async def get(app: Any, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return await client.get(path)


async def test_mounted_where_no_lifespan_is_passed_on(make: Make) -> None:
    outer = Starlette(routes=[Mount("/apps", app=make({"/s": sliders, "/b": broken}))])
    assert (await get(outer, "/apps/")).status_code == 200
    page = await get(outer, "/apps/s?x=1")
    assert page.status_code == 200
    peer, document = await pulled(outer, "/apps/s/ws", token_of(page))
    assert document["title"] == "Sliders"
    assert document["roots"][0]["attributes"]["title"] == "{'x': [b'1']}"
    peer.leave()
    await peer.ended()
    failed = await get(outer, "/apps/b")
    assert failed.status_code == 500
    assert "secret" not in failed.text


async def test_a_session_that_is_gone_is_made_again_from_its_token(make: Make) -> None:
    first, second = make(sliders), make(sliders)
    token = token_of(await get(first, "/?x=1"))
    peer, document = await pulled(second, "/ws", token)
    assert document["roots"][0]["attributes"]["title"] == "{'x': [b'1']}"
    peer.leave()
    await peer.ended()


async def test_update_sessions(make: Make) -> None:
    app = make({"/s": sliders})
    page = await get(app, "/s")
    await app.update_sessions("/s", lambda doc: setattr(doc, "title", "Updated"))
    peer, document = await pulled(app, "/s/ws", token_of(page))
    assert document["title"] == "Updated"
    peer.leave()
    await peer.ended()


async def test_stopping_ends_sessions_and_sockets(make: Make) -> None:
    app = make({"/s": sliders})
    peer, _ = await pulled(app, "/s/ws", token_of(await get(app, "/s")))
    await app.stop()
    assert [event["code"] for event in await peer.ended()] == [1001]
    assert (await app.front.host.statistics()).connections == 0
    assert (await get(app, "/s")).status_code == 503


async def test_many_at_once(make: Make) -> None:
    app = make({"/s": sliders})
    pages = await asyncio.gather(*(get(app, "/s") for _ in range(8)))
    assert len({token_of(page) for page in pages}) == 8
    assert (await app.front.host.statistics()).sessions["/s"] == 8


def test_settings() -> None:
    with pytest.raises(ConfigError, match="prefx"):
        asgi(sliders, prefx="p")
    with pytest.raises(AppError):
        asgi("no/such/app.py")
    assert asgi(sliders, settings=Settings(prefix="p"), threads=1).front is not None


class _Cookies(AuthenticationBackend):
    """The login of a site: a cookie that it believes."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.cookies.get("who")
        return (AuthCredentials(), SimpleUser(name)) if name else None


def greeting(doc: Document) -> None:
    context: Any = doc.session_context
    user = context.user
    doc.title = f"{getattr(user, 'name', None) or getattr(user, 'username', None)} {context.logout_url}"


async def _titles(site: Starlette, path: str, *names: str) -> list[str]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url="http://testserver") as client:
        found = []
        for name in names:
            page = await client.get(path, headers={"Cookie": f"who={name}"} if name else {})
            title = re.search("<title>(.*?)</title>", page.text)
            found.append(title[1] if page.status_code == 200 and title else str(page.status_code))
    return found


async def test_the_users_of_the_site_around(make: Make) -> None:
    mounted = make({"/app": greeting}, authorize=lambda user, app: user.name != "eve")
    site = Starlette(routes=[Mount("/apps", mounted)], middleware=[Middleware(AuthenticationMiddleware, _Cookies())])
    assert await _titles(site, "/apps/app", "jo", "eve", "") == ["jo None", "403", "401"]
    plain = Starlette(routes=[Mount("/apps", make({"/app": greeting}))],
                      middleware=[Middleware(AuthenticationMiddleware, _Cookies())])
    assert await _titles(plain, "/apps/app", "jo", "") == ["jo None", "None None"]


async def test_an_auth_module_in_a_mount(make: Make, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text("""
from tornado.web import RequestHandler
login_url, logout_url = "/login", "/logout"
def get_user(handler): return handler.get_cookie("who")
class LoginHandler(RequestHandler):
    def get(self): self.redirect(self.get_argument("next"))
""")
    mounted = make({"/app": greeting}, auth=tmp_path / "auth.py", prefix="p", allow=["app=@jo"])
    site = Starlette(routes=[Mount("/m", mounted)])
    assert await _titles(site, "/m/p/app", "jo", "eve", "") == ["jo /m/p/logout", "403", "302"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url="http://testserver") as client:
        asked = await client.get("/m/p/app?x=1")
        there = await client.get(urljoin("/m/p/app", asked.headers["location"]))
        assert urljoin("/m/p/login", there.headers["location"]) == "/m/p/app?x=1"

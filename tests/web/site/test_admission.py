"""A site that is asked who may see the apps in it: what it is asked, and what follows from its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh.models.widgets import Div
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount
from tests.support.asgi_websocket import Peer, socket_scope, token_of

import hotshoe
from hotshoe.http.scopes import ADMISSION
from hotshoe.web.mount import Asgi
from hotshoe.web.site import admission

if TYPE_CHECKING:
    from bokeh.document import Document

seen: list[Any] = []


def app(doc: Document) -> None:
    context: Any = doc.session_context
    seen.append((context.user and context.user.name, context.request.session))
    doc.add_root(Div(text="secret"))


class Join:
    """A site's side, which has one app of its own and hears of the others."""

    def __init__(self) -> None:
        self.apps = {"/own": app}
        self.urls: list[str] = []

    def join(self, urls: list[str]) -> None:
        self.urls = urls


class Guarded:
    """A site that knows who has the cookie ``who``, and sends all others to its login."""

    def __init__(self) -> None:
        self.extensions = {"hotshoe": Join()}
        self.asked: list[Request] = []
        self.answers: dict[str, Response] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("no lifespan")
        request = Request(scope, receive)
        self.asked.append(request)
        who = request.cookies.get("who")
        if request.url.path in self.answers:
            response = self.answers[request.url.path]
        elif who is None:
            response = RedirectResponse(f"/login?next={request.url.path}", 302)
        elif ADMISSION in scope:
            proof = scope[ADMISSION].admit(scope[ADMISSION].app, user=who, session={"cart": [1]})
            response = Response(status_code=204, headers={"Set-Cookie": "who=again", **proof})
        else:
            response = PlainTextResponse("a page of the site")
        await response(scope, receive, send)


@pytest.fixture
async def guarded() -> AsyncIterator[tuple[Guarded, Asgi]]:
    seen.clear()
    site = Guarded()
    both = hotshoe.wrap(site, {"/app": app})
    yield site, both
    await both.stop()


async def ask(both: Any, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=both), base_url="http://testserver") as client:
        return await client.request(method, path, headers=headers)


ALICE = {"Cookie": "who=alice"}


async def test_the_site_hears_of_all_apps(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    assert sorted(site.extensions["hotshoe"].urls) == ["/app", "/own"]
    assert (await ask(both, "/own", **ALICE)).status_code == 200


async def test_who_is_let_in(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    page = await ask(both, "/app?x=1", **ALICE)
    assert page.status_code == 200
    assert page.headers["set-cookie"] == "who=again"
    assert seen == [("alice", {"cart": [1]})]
    (question,) = site.asked
    assert (question.method, question.url.path, question.url.query) == ("GET", "/app", "x=1")


async def test_who_is_not_gets_the_sites_answer(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    page = await ask(both, "/app")
    assert (page.status_code, page.headers["location"]) == (302, "/login?next=/app")
    site.answers["/app"] = PlainTextResponse("a wall", 403, headers={"X-Wall": "high"})
    page = await ask(both, "/app")
    assert (page.status_code, page.text, page.headers["x-wall"]) == (403, "a wall", "high")
    assert seen == []


async def test_everything_of_an_app_is_guarded(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    for path in ("/app/metadata", "/app/static/x.css", "/_hotshoe/thumbnails/app"):
        assert (await ask(both, path)).status_code in (401, 404), path
    assert (await ask(both, "/app/metadata", **ALICE)).status_code == 200
    assert {request.url.path for request in site.asked} == {"/app"}
    script = await ask(both, "/app/autoload.js?bokeh-autoload-element=e")
    assert script.status_code == 401
    assert "/login?next=/app" in script.text
    assert "secret" not in script.text


async def test_sockets_are_guarded(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    token = token_of(await ask(both, "/app", **ALICE))
    stranger = Peer(both, socket_scope("/app/ws", protocols=["bokeh", token]))
    assert (await stranger.hear())["status"] == 401
    await stranger.ended()
    asked = len(site.asked)
    peer = Peer(both, socket_scope("/app/ws", protocols=["bokeh", token], headers={
        "Cookie": "who=alice", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}))
    assert (await peer.hear())["type"] == "websocket.accept"
    question = site.asked[asked]
    assert (question.scope["type"], question.method, question.url.scheme) == ("http", "GET", "http")
    assert not {"upgrade", "connection", "sec-websocket-key"} & set(question.headers)
    peer.leave()
    await peer.ended()
    foreign = Peer(both, socket_scope("/app/ws", protocols=["bokeh", token], headers={"Cookie": "who=bob"}))
    await foreign.hear()
    assert (await foreign.ended())[-1]["code"] == 1008, "a session is its user's"


@pytest.mark.parametrize(("answer", "status"), [
    (Response(status_code=401), 401), (Response(status_code=404), 404), (Response(status_code=500), 502),
    (Response(status_code=200), 403), (Response(b"x" * (9 << 20)), 502),
])
async def test_other_answers(guarded: tuple[Guarded, Asgi], answer: Response, status: int) -> None:
    site, both = guarded
    site.answers["/app"] = answer
    assert (await ask(both, "/app/metadata", **ALICE)).status_code == status
    assert seen == []


async def test_a_site_that_raises(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded

    class Raises(Response):
        async def __call__(self, *_: Any) -> None:
            raise OSError("no database")

    site.answers["/app"] = Raises()
    page = await ask(both, "/app", **ALICE)
    assert page.status_code == 500
    assert "database" not in page.text
    peer = Peer(both, socket_scope("/app/ws", protocols=["bokeh", "x"]))
    assert (await peer.hear())["status"] == 500
    await peer.ended()


async def test_no_visitor_brings_an_admission(guarded: tuple[Guarded, Asgi]) -> None:
    _, both = guarded
    for headers in ({ADMISSION: "granted"}, {"hotshoe-admission": "1"}):
        assert (await ask(both, "/app", **headers)).status_code == 302


async def test_below_a_mount_and_a_prefix() -> None:
    site = Guarded()
    both = hotshoe.wrap(site, {"/app": app}, prefix="/p")
    outer = Starlette(routes=[Mount("/m", app=both)])
    assert (await ask(outer, "/m/p/app/metadata", **ALICE)).status_code == 200
    (question,) = site.asked
    assert (question.scope["root_path"], question.scope["path"]) == ("/m/p", "/m/p/app")
    await both.stop()


@pytest.mark.parametrize("path", ["/p/app/metadata", "/m/p/app/metadata"])
async def test_servers_that_leave_the_root_out_of_the_path(path: str) -> None:
    site = Guarded()
    both = hotshoe.wrap(site, {"/app": app}, prefix="/p")

    async def below(scope: Any, receive: Any, send: Any) -> None:
        await both({**scope, "root_path": "/m"}, receive, send)

    assert (await ask(below, path, **ALICE)).status_code == 200
    (question,) = site.asked
    assert (question.scope["root_path"], question.scope["path"]) == ("/m/p", "/m/p/app")
    page = path.replace("app/metadata", "elsewhere")
    assert (await ask(below, page, **ALICE)).text == "a page of the site"
    assert (site.asked[-1].scope["root_path"], site.asked[-1].scope["path"]) == ("/m/p", "/m/p/elsewhere")
    await both.stop()


def around_as_attribute(inner: Any) -> Any:
    class Middleware:
        def __init__(self) -> None:
            self.application = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.application(scope, receive, send)

    return Middleware()


def around_as_function(inner: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    return middleware


def around_as_method(inner: Any) -> Any:
    return around_as_attribute(inner).__call__


def around_as_partial(inner: Any) -> Any:
    async def middleware(kept: Any, scope: Any, receive: Any, send: Any) -> None:
        await kept(scope, receive, send)

    return partial(middleware, inner)


@pytest.mark.parametrize("around", [around_as_attribute, around_as_function, around_as_method, around_as_partial])
async def test_no_middleware_hides_who_guards_the_apps(around: Callable[[Any], Any]) -> None:
    both = hotshoe.wrap(around(around(Guarded())), {"/app": app})
    assert (await ask(both, "/app")).status_code == 302
    assert (await ask(both, "/app", **ALICE)).status_code == 200
    await both.stop()


async def test_other_rules_count_as_well() -> None:
    site = Guarded()
    only_bob: Callable[[Any, str], bool] = lambda user, url: user.name == "bob"  # noqa: E731
    both = hotshoe.wrap(site, {"/app": app}, authorize=only_bob)
    assert (await ask(both, "/app", **ALICE)).status_code == 403
    assert (await ask(both, "/app", Cookie="who=bob")).status_code == 200
    await both.stop()


async def test_a_site_may_admit_who_has_no_name(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded

    class Open(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            proof = scope[ADMISSION].admit("/app")
            await Response(status_code=204, headers=proof)(scope, receive, send)

    site.answers["/app"] = Open()
    assert (await ask(both, "/app")).status_code == 200
    assert seen == [(None, None)]


async def test_an_admission_that_is_taken_back(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded

    class Failing(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.headers.update(scope[ADMISSION].admit("/app"))
            await super().__call__(scope, receive, send)

    site.answers["/app"] = Failing("closed at night", 503)
    page = await ask(both, "/app")
    assert page.text == "closed at night"
    assert "x-hotshoe-admitted" not in page.headers
    assert (await ask(both, "/app/metadata")).status_code == 502
    site.answers["/app"] = Failing("accept the terms first")
    assert (await ask(both, "/app")).text == "accept the terms first"
    assert (await ask(both, "/app/metadata")).status_code == 403
    site.answers["/app"] = Failing("", 200)
    assert (await ask(both, "/app/metadata")).status_code == 403
    assert seen == []


@pytest.mark.parametrize("answer", [Response(status_code=204), Response(status_code=200), Response(
    status_code=204, headers={"X-Hotshoe-Admitted": "0" * 32})])
async def test_only_the_answer_of_the_view_itself_admits(guarded: tuple[Guarded, Asgi], answer: Response) -> None:
    site, both = guarded

    class Replaced(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope[ADMISSION].admit("/app")
            await answer(scope, receive, send)  # as middleware after the view does

    site.answers["/app"] = Replaced()
    page = await ask(both, "/app", **ALICE)
    assert (page.status_code, page.text) == (answer.status_code, "")
    assert (await ask(both, "/app/metadata", **ALICE)).status_code == 403
    assert seen == []


async def test_a_view_admits_to_its_own_app_only(guarded: tuple[Guarded, Asgi],
                                                 caplog: pytest.LogCaptureFixture) -> None:
    site, both = guarded

    class Own(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await Response(status_code=204, headers=scope[ADMISSION].admit("/own"))(scope, receive, send)

    site.answers |= {"/app": Own(), "/own": Own()}
    assert (await ask(both, "/own")).status_code == 200
    seen.clear()
    for path in ("/app", "/app/metadata", "/app/autoload.js?bokeh-autoload-element=e"):
        assert (await ask(both, path, **ALICE)).status_code == 404, path
    assert seen == []
    assert "Nobody may open /app here: the site leads this address to the view of /own" in caplog.text


async def test_a_socket_is_asked_about_with_the_arguments_of_its_page(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    tokens = [token_of(await ask(both, f"/app?{query}", **ALICE)) for query in ("key=k&key=l&name=%C3%A4+b", "")]
    del site.asked[:]
    for token in (*tokens, "forged"):
        peer = Peer(both, socket_scope("/app/ws", protocols=["bokeh", token], headers=ALICE))
        assert (await peer.hear())["type"] == "websocket.accept"
        peer.leave()
        await peer.ended()
    assert [request.url.query for request in site.asked] == ["key=k&key=l&name=%C3%A4+b", "", ""]


async def test_a_file_is_asked_about_with_the_arguments_of_the_page_that_shows_it(
        guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    queries = {"http://testserver/app?key=k": "key=k", "http://testserver/app": "",
               "http://testserver/own?key=k": "v=1", "http://[": "v=1"}
    for referer in queries:
        assert (await ask(both, "/app/metadata?v=1", **ALICE, Referer=referer)).status_code == 200
    assert [request.url.query for request in site.asked] == list(queries.values())
    refusal = await ask(both, "/app/_hotshoe/refusal?origin=http://testserver", **ALICE,
                        Referer="http://testserver/app?key=k")
    assert (refusal.json(), site.asked[-1].url.query) == ({"refusal": None}, "key=k")


async def test_a_login_leads_back_to_the_page(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    await ask(both, "/app?a=1&bokeh-x=2", **ALICE)
    await ask(both, "/app/autoload.js?bokeh-autoload-element=7&a=1&resources=none&b=2", **ALICE)
    assert [request.url.query for request in site.asked] == ["a=1&bokeh-x=2", "a=1&b=2"]


async def test_an_open_page_asks_why_it_gets_no_socket(guarded: tuple[Guarded, Asgi]) -> None:
    site, both = guarded
    asked = "/_hotshoe/refusal?origin=http://testserver"
    words: dict[str, str | None] = {
        "/app": "You are not logged in any more. Load this page again to log in.", "": None}
    assert {app: (await ask(both, app + asked)).json()["refusal"] for app in words} == words
    assert (await ask(both, "/app" + asked, **ALICE)).json()["refusal"] is None
    site.answers["/app"] = Response(status_code=403)
    assert (await ask(both, "/app" + asked)).json()["refusal"] == "The site does not let you open this app."


async def test_a_site_that_does_not_answer(guarded: tuple[Guarded, Asgi], monkeypatch: pytest.MonkeyPatch) -> None:
    site, both = guarded

    class Silent(Response):
        async def __call__(self, *_: Any) -> None:
            await asyncio.Event().wait()

    site.answers["/app"] = Silent()
    monkeypatch.setattr(admission, "ASK_S", 0.05)
    assert (await ask(both, "/app", **ALICE)).status_code == 504
    assert seen == []

"""Apps in a Django site, in this process: URLs, admissions, websockets, users."""

from __future__ import annotations

from tests.integrations.django_site.ready import prepare, urls

# isort: split
import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh.models.widgets import Div
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application as django_asgi
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.db import connection, connections
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path, re_path, resolve
from tests.support.asgi_websocket import Peer, socket_scope

import hotshoe
from hotshoe.auth import User as HotshoeUser
from hotshoe.base.errors import ConfigError
from hotshoe.integrations.django import bokeh_view, get_asgi_application
from hotshoe.integrations.django.application import Application
from hotshoe.integrations.django.apps import check_apps, check_order
from hotshoe.integrations.django.views import add_route, find_apps, session_of, user_of
from hotshoe.server.server import Server

if TYPE_CHECKING:
    from bokeh.document import Document

seen: list[Any] = []


def fill(doc: Document) -> None:
    """What an app sees."""
    context: Any = doc.session_context
    doc.add_root(Div(text=f"{User.objects.count()} users"))
    seen.append((context.user, context.request.session))


@pytest.fixture(scope="module", autouse=True)
def ada() -> Iterator[User]:
    prepare()
    ada = User.objects.create_user("ada", "ada@example.org", "secret", first_name="Ada", last_name="L")
    ada.groups.add(Group.objects.create(name="staff"))
    connection.close()
    yield ada
    connections.close_all()


@pytest.fixture
def cookie(ada: User) -> str:
    """That of Ada's login, in whose session there is a colour."""
    client = Client()
    client.force_login(ada)
    session = client.session
    session["colour"] = "red"
    session.save()
    connection.close()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


@asynccontextmanager
async def visiting(*patterns: Any, around: Any = None, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser's requests to a site with these URL patterns."""
    seen.clear()
    with override_settings(ROOT_URLCONF=urls(*patterns), **more):
        application = get_asgi_application(around)
        transport = httpx.ASGITransport(application)
        async with application.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as me:
            yield me


def hidden(app: Any) -> Any:
    places = {"": [app]}
    return lambda environ, start_response: places[""][0](environ, start_response)


@pytest.mark.parametrize("make", [get_wsgi_application, django_asgi, lambda: partial(get_wsgi_application()),
                                  lambda: hidden(get_wsgi_application()), lambda: Hiding(django_asgi())])
def test_what_django_makes_itself_is_not_served_as_if_it_were_asked(make: Callable[[], Any]) -> None:
    site = make()
    for start in (lambda: hotshoe.wrap(site, {"/secret": fill}),
                  lambda: hotshoe.Server({"/secret": fill}, site=site, port=0)):
        with pytest.raises(ConfigError, match=r"hotshoe\.integrations\.django, as in.*guard=None"):
            start()
    assert hotshoe.wrap(site, {"/secret": fill}, guard=None)


async def test_django_that_is_made_at_the_first_request_closes_the_apps(caplog: pytest.LogCaptureFixture) -> None:
    def lazy(environ: Any, start_response: Any) -> Any:
        return get_wsgi_application()(environ, start_response)

    both = hotshoe.wrap(lazy, {"/secret": lambda doc: doc.add_root(Div(text="secret"))})
    async with both.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(both),
                                                  base_url="http://testserver") as client:
        assert (await client.get("/page/")).text == "the site's own page"
        assert (await client.get("/secret")).status_code == 503
    assert "All apps are closed (status 503): Django's own application" in caplog.text


# -- URLs


def test_apps_are_found_below_includes() -> None:
    found = find_apps()
    assert list(found) == ["/hello/", "/apps/mine/", "/apps/decorated"]
    assert {app.__name__ for app in found.values()} == {"hello", "decorated"}


@pytest.mark.parametrize("pattern", [
    path("<slug:name>/", bokeh_view(fill)),
    path("<int:year>/", include([path("sliders/", bokeh_view(fill))])),
    re_path(r"^sliders/(\d+)$", bokeh_view(fill)),
    re_path(r"^sliders/\d+$", bokeh_view(fill)),
])
def test_an_app_has_one_url(pattern: Any) -> None:
    with override_settings(ROOT_URLCONF=urls(pattern)):
        with pytest.raises(ImproperlyConfigured, match=r"^the app fill in urls\.py can't have the URL .*query$"):
            get_asgi_application()
        assert [message.id for message in check_apps()] == ["hotshoe.E002"]


def test_patterns_with_parameters_and_no_app_are_the_sites() -> None:
    with override_settings(ROOT_URLCONF=urls(path("<slug:name>/", lambda request, name: HttpResponse(name)),
                                             re_path(r"^sliders/$", bokeh_view(fill)))):
        assert list(find_apps()) == ["/sliders/"]
        assert not check_apps()


def test_of_two_apps_with_one_url_the_first_is_it() -> None:
    def other(doc: Document) -> None: ...

    with override_settings(ROOT_URLCONF=urls(path("a/", bokeh_view(fill)), path("a", bokeh_view(other)))):
        assert find_apps() == {"/a/": fill}


def test_a_route_of_the_server_leaves_the_sites_own_as_they_are() -> None:
    site = urls(path("a/", bokeh_view(fill)))
    patterns = site.__dict__["urlpatterns"] = tuple(site.__dict__["urlpatterns"])  # as Django allows
    with override_settings(ROOT_URLCONF=site):
        view = add_route("/b")
        assert resolve("/b").func is view
        assert resolve("/a/").url_name is None
    assert site.__dict__["urlpatterns"] is patterns


def test_scripts_are_below_the_base(tmp_path: Path) -> None:
    (tmp_path / "sliders.py").write_text("x = 1\n")
    with override_settings(BASE_DIR=tmp_path):
        view = bokeh_view("sliders.py")
    with override_settings(ROOT_URLCONF=urls(path("a/", view))):
        assert find_apps() == {"/a/": tmp_path / "sliders.py"}
        get_asgi_application()
    with (
        override_settings(ROOT_URLCONF=urls(path("a/", bokeh_view("missing.py")))),
        pytest.raises(ImproperlyConfigured, match=r"missing\.py: no such file"),
    ):
        get_asgi_application()


# -- who may see an app


async def test_page_app_and_site() -> None:
    async with visiting(path("page/", lambda request: HttpResponse("mine")), path("a/", bokeh_view(fill))) as me:
        assert (await me.get("/page/")).text == "mine"
        assert (await me.get("/page")).status_code == 301
        for address in ("/a/", "/a"):
            answer = await me.get(address)
            assert answer.status_code == 200
            assert "<title>" in answer.text
        assert (await me.get("/none")).status_code == 404
    assert seen == [(None, {}), (None, {})]


async def test_a_login_guards_all_of_an_app(cookie: str) -> None:
    async with visiting(path("a/", login_required(bokeh_view(fill)))) as me:
        answer = await me.get("/a?b=1")
        assert (answer.status_code, answer.headers["location"]) == (302, "/login/?next=/a/%3Fb%3D1")
        for resource in ("/a/metadata", "/a/ws"):
            assert (await me.get(resource)).status_code == 401
        assert not seen
        assert (await me.get("/a/", headers={"cookie": cookie})).status_code == 200
    user, session = seen[0]
    assert user == HotshoeUser("ada", "ada@example.org", frozenset({"staff"}), user.claims)
    assert user.claims["full_name"] == "Ada L"
    assert user.claims["is_staff"] is False
    assert json.dumps(user.claims)
    assert type(session) is dict
    assert session["colour"] == "red"


async def test_middleware_guards_apps() -> None:
    middleware = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    async with visiting(path("a/", bokeh_view(fill)), MIDDLEWARE=middleware) as me:
        answer = await me.get("/a/")
        assert (answer.status_code, answer.headers["location"]) == (302, "/login/?next=/a/")
        script = await me.get("/a/autoload.js?bokeh-autoload-element=x")
        assert (script.status_code, '"login":"/login/?next=/a/"' in script.text) == (401, True)
    assert not seen


async def test_sites_without_users_and_sessions() -> None:
    async with visiting(path("a/", bokeh_view(fill)), MIDDLEWARE=[]) as me:
        assert (await me.get("/a/")).status_code == 200
    assert seen == [(None, None)]


async def test_hosts_that_django_does_not_know() -> None:
    async with visiting(path("a/", bokeh_view(fill)), ALLOWED_HOSTS=["example.org"]) as me:
        assert (await me.get("/a/")).status_code == 400
    assert not seen


async def test_a_view_admits_to_its_own_app_only(caplog: pytest.LogCaptureFixture) -> None:
    public = bokeh_view(fill)
    patterns = [
        re_path(r"^sales", public),
        path("sales/secret/", login_required(bokeh_view(fill))),
        path("sales/same/", login_required(public)),
    ]
    async with visiting(*patterns) as me:
        assert (await me.get("/sales/")).status_code == 200
        del seen[:]
        for app in ("/sales/secret", "/sales/same"):
            for resource in ("/", "/metadata", "/ws", "/autoload.js?bokeh-autoload-element=x"):
                assert (await me.get(f"{app}{resource}")).status_code == 404, (app, resource)
        assert "leads this address to the view of the URL pattern '^sales'" in caplog.text
        assert [message.id for message in check_order()] == ["hotshoe.W003"] * 2
    assert not seen
    assert not check_order()


def by_host(get_response: Any) -> Any:
    """Chooses the URLs by the name of the host, as django-hosts does."""
    def middleware(request: Any) -> Any:
        if request.get_host().startswith("www."):
            request.urlconf = www
        return get_response(request)

    return middleware


www = urls(path("a/", bokeh_view(fill)), path("extra", bokeh_view(fill)))


async def test_the_urls_of_another_host_do_not_open_an_app(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("x = 1\n")
    with override_settings(ROOT_URLCONF=urls(path("a/", login_required(bokeh_view(fill)))), ALLOWED_HOSTS=["*"],
                           MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.by_host"]):
        application = get_asgi_application()
        both = hotshoe.wrap(application, {"/extra": tmp_path / "extra.py"})
        transport = httpx.ASGITransport(both)
        async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://www.testserver") as me:
            for app in ("/a/", "/extra"):
                assert (await me.get(app)).status_code == 404
                peer = Peer(both, socket_scope(f"{app.rstrip('/')}/ws", protocols=["bokeh", "x"],
                                               headers={"host": "www.testserver"}))
                assert (await peer.hear())["status"] == 404
            assert (await me.get("/a/", headers={"Host": "testserver"})).status_code == 302
            assert (await me.get("/extra", headers={"Host": "testserver"})).status_code == 200
    assert not seen


def replacing(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        response = get_response(request)
        return HttpResponse(status=int(request.path[1:4])) if request.path.endswith("/replaced/") else response

    return middleware


async def test_an_empty_answer_of_another_admits_nobody() -> None:
    def pay(view: Any) -> Any:
        @wraps(view)
        def paid(request: Any) -> HttpResponse:
            view(request)
            return HttpResponse(status=int(request.path[1:4]))

        return paid

    patterns = [pattern for status in (200, 204) for pattern in (
        path(f"{status}/decorated/", pay(bokeh_view(fill))), path(f"{status}/replaced/", bokeh_view(fill)))]
    async with visiting(*patterns, MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.replacing"]) as me:
        for status in (200, 204):
            for way in ("decorated", "replaced"):
                page = await me.get(f"/{status}/{way}/")
                assert (page.status_code, page.text) == (status, "")
                assert (await me.get(f"/{status}/{way}/metadata")).status_code == 403
                assert (await me.get(f"/{status}/{way}/ws")).status_code == 403
    assert not seen


async def test_a_decorator_that_hides_the_view_is_told() -> None:
    def hiding(view: Any) -> Any:
        return lambda request: view(request)

    def wrapping(view: Any) -> Any:
        return wraps(view)(lambda request: view(request))

    async with visiting(path("a/", hiding(bokeh_view(fill))), path("b/", wrapping(bokeh_view(fill)))) as me:
        answer = await me.get("/a/")
        assert (answer.status_code, answer.text.count("\n")) == (501, 1)
        assert "functools.wraps" in answer.text
        assert (await me.get("/b/")).status_code == 200


def test_plain_wsgi_names_the_fix() -> None:
    answer = Client(raise_request_exception=False).get("/hello/")
    text = answer.content.decode()
    assert (answer.status_code, text.count("\n")) == (501, 1)
    assert "hotshoe.integrations.django.get_asgi_application()" in text


async def test_behind_a_script_name() -> None:
    async with visiting(path("a/", login_required(bokeh_view(fill))), path("b/", bokeh_view(fill)),
                        FORCE_SCRIPT_NAME="/site") as me:
        for address in ("/b/", "/site/b/", "/site/b/metadata", "/b/metadata"):
            assert (await me.get(address)).status_code == 200, address
        for address in ("/a/", "/site/a/"):
            assert (await me.get(address)).headers["location"].startswith("/login/?next=")


# -- under other servers, with other parts


async def test_websockets_of_the_site() -> None:
    async def router(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and scope["path"] == "/chat":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
            return
        raise ValueError("No route found for path 'nope'.")

    with override_settings(ROOT_URLCONF=urls(path("a/", bokeh_view(fill)))):
        for around, opened in ((router, True), (None, False)):
            application = get_asgi_application(around)
            async with application.lifespan():
                chat = Peer(application, socket_scope("/chat"))
                assert ((await chat.hear())["type"] == "websocket.accept") is opened
                await chat.ended()
                nope = Peer(application, socket_scope("/nope"))
                assert (await nope.hear())["status"] == 404
                await nope.ended()


def test_a_server_of_hotshoe_takes_the_apps_and_adds_its_own(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("from bokeh.io import curdoc\ncurdoc().title = 'Extra'\n")
    middleware = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    with override_settings(ROOT_URLCONF=urls(path("a/", bokeh_view(fill))), MIDDLEWARE=middleware):
        application = get_asgi_application()
        with Server(str(tmp_path / "extra.py"), site=application, port=0, address="127.0.0.1",
                    secret_key="k" * 40) as server:
            assert set(server.apps) == {"/a", "/extra"}
            server.serve_app("/later", str(tmp_path / "extra.py")).result(20)
            for app in ("/a", "/extra", "/later"):
                answer = httpx.get(server.url(app))
                assert (answer.status_code, answer.headers["location"].split("=")[0]) == (302, "/login/?next")
            server.withdraw_app("/later").result(20)
            assert httpx.get(server.url("/later")).status_code == 404


# -- users and sessions


def test_users_and_sessions_are_plain_data(ada: User) -> None:
    request = RequestFactory().get("/")
    assert user_of(request) is None
    assert session_of(request) is None
    request.user = ada
    request.session = SessionStore()
    request.session["number"] = 3
    user = user_of(request)
    assert user is not None
    assert (user.name, user.email, user.groups) == ("ada", "ada@example.org", frozenset({"staff"}))
    assert user.claims["id"] == ada.pk
    assert session_of(request) == {"number": 3}


def test_the_application_has_the_life_of_an_asgi_object() -> None:
    application = get_asgi_application()
    assert isinstance(application, Application)

    async def live() -> None:
        await application.start()
        await application.stop()

    asyncio.run(live())


class Hiding:
    """Middleware in which nothing shows what it is around."""

    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def test_a_server_that_would_not_ask_django_does_not_start() -> None:
    with override_settings(ROOT_URLCONF=urls(path("none/", lambda request: HttpResponse("none")))):
        application = get_asgi_application()
        with pytest.raises(ConfigError, match=r"Django application.*guard="):
            hotshoe.wrap(Hiding(application), {"/secret": fill})
        both = hotshoe.wrap(Hiding(application), {"/secret": fill}, guard=application)
        async with both.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(both),
                                                      base_url="http://testserver") as client:
            assert (await client.get("/secret")).status_code == 200, "Django's view lets everybody in"
        async with application.lifespan():
            pass  # alone, it is a server itself

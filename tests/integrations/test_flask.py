"""The Flask extension, in this process: rules, admissions, users, sessions, tags, and what is refused in one line."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    redirect,
    render_template_string,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSession, SessionInterface
from flask_login import LoginManager, UserMixin, login_required, login_user  # type: ignore[import-untyped]
from markupsafe import Markup
from tests.support.asgi_websocket import Peer, pulled, socket_scope, token_of
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BuildError

import hotshoe
from hotshoe.auth import User
from hotshoe.base.errors import AppError, ConfigError
from hotshoe.integrations.flask import Hotshoe
from hotshoe.integrations.flask.site_apps import as_user

seen: list[Any] = []


def fill(doc: Document) -> None:
    context: Any = doc.session_context
    seen.append((context.user, context.request.session))
    doc.add_root(Div(text="an app"))


def new_site(**config: Any) -> Flask:
    site = Flask("a_site")
    site.config.update(SECRET_KEY="k", **config)
    return site


@asynccontextmanager
async def visiting(site: Any, apps: Any = None, *, root_path: str = "",
                   **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser's requests to the site and its apps."""
    seen.clear()
    both = hotshoe.wrap(site, apps, **settings)
    transport = httpx.ASGITransport(both, root_path=root_path)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


class Person(UserMixin):  # type: ignore[misc]  # it has no types
    def __init__(self, number: str) -> None:
        self.number = number

    def get_id(self) -> str:
        return f"no{self.number}"


def site_with_login() -> tuple[Flask, Hotshoe]:
    site = new_site()
    logins = LoginManager(site)
    logins.login_view = "login"
    logins.user_loader(lambda found: Person(found.removeprefix("no")))

    @site.route("/login")
    def login() -> Any:
        login_user(Person("7"))
        session["colour"] = "red"
        return redirect("/sliders")

    bokeh = Hotshoe(site)
    bokeh.app("/sliders", decorators=[login_required])(fill)
    return site, bokeh


# -- who may see an app


async def test_flask_login_guards_an_app() -> None:
    site, _ = site_with_login()
    async with visiting(site) as client:
        answer = await client.get("/sliders?x=1")
        assert (answer.status_code, answer.headers["location"]) == (302, "/login?next=%2Fsliders%3Fx%3D1")
        refused = {path: (await client.get(path)).status_code
                   for path in ("/sliders/", "/sliders/metadata", "/sliders/ws")}
        assert refused == {"/sliders/": 302, "/sliders/metadata": 401, "/sliders/ws": 401}
        assert (await client.get("/sliders/autoload.js?bokeh-autoload-element=1")).status_code == 401
        assert seen == []
        await client.get("/login")
        assert (await client.get("/sliders/")).status_code == 200
        assert (await client.get("/sliders/autoload.js?bokeh-autoload-element=1")).status_code == 200
    user, kept = seen[0]
    assert user == User("no7")
    assert (kept["colour"], kept["_user_id"], type(kept)) == ("red", "no7", dict)


async def test_the_view_sees_the_whole_request() -> None:
    site, asked = new_site(), []
    bokeh = Hotshoe(site, user=lambda: g.user)
    bokeh.add("/north/sales", fill)

    @site.before_request
    def look() -> None:
        g.user = {"name": "Ada", "of": object(), "team": 3}
        asked.append((request.method, request.endpoint, request.url, request.headers.get("X-Of")))

    async with visiting(site) as client:
        assert (await client.get("/north/sales?a=%C3%A9", headers={"X-Of": "page"})).status_code == 200
        head = await client.head("/north/sales")
        assert (head.status_code, head.content) == (200, b"")
    assert asked[0] == ("GET", "north_sales", "http://testserver/north/sales?a=é", "page")
    assert [method for method, *_ in asked] == ["GET", "HEAD"]
    assert seen == [(User("Ada", claims={"name": "Ada", "team": 3}), {})]


@pytest.mark.parametrize(("way", "status", "words"), [
    ("abort", 403, "Forbidden"),
    ("raise", 500, "Internal Server Error"),
    ("answer", 200, "closed today"),
    ("late", 503, "closed at night"),
])
async def test_what_comes_before_and_after_the_view_refuses(way: str, status: int, words: str) -> None:
    site = new_site()
    Hotshoe(site).app("/sliders")(fill)

    @site.before_request
    def before() -> Any:
        if way == "raise":
            raise LookupError("a bug of the site")
        if way == "abort":
            abort(403)
        return "closed today" if way == "answer" else None

    @site.after_request
    def after(response: Response) -> Response:
        return Response("closed at night", 503) if way == "late" else response

    async with visiting(site) as client:
        answer = await client.get("/sliders")
        assert (answer.status_code, words in answer.text) == (status, True)
        assert (await client.get("/sliders/metadata")).status_code in (403, 502)
    assert seen == []


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_answer_of_another_admits_nobody(status: int) -> None:
    site = new_site()

    def pay(view: Any) -> Any:
        def paid() -> Response:
            view()
            return Response(status=status)

        paid.__name__ = view.__name__
        return paid

    bokeh = Hotshoe(site)
    bokeh.app("/decorated", decorators=[pay])(fill)
    bokeh.app("/replaced", endpoint="replaced")(fill)

    @site.after_request
    def after(response: Response) -> Response:
        return Response(status=status) if request.path == "/replaced" else response

    async with visiting(site) as client:
        for path in ("/decorated", "/replaced"):
            page = await client.get(path)
            assert (page.status_code, page.text) == (status, "")
            assert (await client.get(f"{path}/metadata")).status_code == 403
            assert (await client.get(f"{path}/autoload.js?bokeh-autoload-element=1")).status_code == 403
    assert seen == []


async def test_a_view_admits_to_its_own_app_only() -> None:
    site = new_site()
    bokeh = Hotshoe(site)
    bokeh.app("/public")(fill)
    bokeh.app("/secret", endpoint="secret", decorators=[lambda view: lambda: abort(401)])(fill)
    inner = site.wsgi_app

    def rewriting(environ: Any, start_response: Any) -> Any:
        return inner({**environ, "PATH_INFO": environ["PATH_INFO"].replace("secret", "public")}, start_response)

    site.wsgi_app = rewriting  # type: ignore[method-assign]
    async with visiting(site) as client:
        assert (await client.get("/public")).status_code == 200
        assert (await client.get("/secret")).status_code == 404
        assert (await client.get("/secret/metadata")).status_code == 404
    assert len(seen) == 1


async def test_a_guard_reads_the_arguments_of_the_page() -> None:
    site = new_site()
    Hotshoe(site).app("/sliders")(fill)

    @site.before_request
    def by_key() -> None:
        if request.args.get("key") != "k":
            abort(403)

    seen.clear()
    both = hotshoe.wrap(site)
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.get("/sliders")).status_code == 403
        page = await client.get("/sliders?key=k")
        peer, _ = await pulled(both, "/sliders/ws", token_of(page))
        peer.leave()
        await peer.ended()
        stranger = Peer(both, socket_scope("/sliders/ws", protocols=["bokeh", "x"]))
        assert (await stranger.hear())["status"] == 403
        await stranger.ended()


# -- hosts


async def test_an_app_of_a_blueprint_with_a_subdomain_is_there_only() -> None:
    site = Flask("a_site", static_folder=None, subdomain_matching=True)
    site.config["SERVER_NAME"] = "testserver"
    bokeh = Hotshoe(site)
    admin = Blueprint("admin", __name__, subdomain="admin")
    tenant = Blueprint("tenant", __name__)
    bokeh.app("/secret", blueprint=admin)(fill)
    bokeh.app("/own", endpoint="own", blueprint=tenant)(fill)
    bokeh.app("/public", endpoint="public")(fill)

    @admin.before_request
    def only_root() -> None:
        if request.cookies.get("who") != "root":
            abort(401)

    site.register_blueprint(admin)
    site.register_blueprint(tenant, subdomain="<name>")
    answers: dict[tuple[str, str], int] = {}
    async with visiting(site) as client:
        for host in ("testserver", "admin.testserver", "ann.testserver"):
            for path in ("/public", "/secret", "/own"):
                answers[host, path] = (await client.get(path, headers={"Host": host})).status_code
        root = await client.get("/secret", headers={"Host": "admin.testserver", "Cookie": "who=root"})
    assert root.status_code == 200
    shown = {place: status for place, status in answers.items() if status != 404}
    assert shown == {("testserver", "/public"): 200, ("admin.testserver", "/secret"): 401,
                     ("admin.testserver", "/own"): 200, ("ann.testserver", "/own"): 200}


async def test_a_subdomain_that_flask_does_not_match_has_no_app() -> None:
    site = new_site()
    admin = Blueprint("admin", __name__, subdomain="admin")
    Hotshoe(site).app("/secret", blueprint=admin)(fill)
    site.register_blueprint(admin)
    async with visiting(site) as client:
        for host in ("testserver", "admin.testserver", "admin"):
            assert (await client.get("/secret", headers={"Host": host})).status_code == 404
    assert seen == []


def test_a_site_that_matches_hosts_is_refused() -> None:
    site = Flask("a_site", host_matching=True, static_host="testserver")
    for start in (lambda: Hotshoe(site), lambda: Hotshoe().init_app(site)):
        with pytest.raises(ConfigError, match=r"a_site.*host_matching=True") as told:
            start()
        assert "\n" not in str(told.value)


async def test_a_site_that_matches_hosts_later_has_no_apps() -> None:
    site = new_site()
    Hotshoe(site).app("/secret")(fill)
    site.url_map.host_matching = True
    async with visiting(site) as client:
        assert (await client.get("/secret")).status_code == 404
    assert seen == []


async def test_async_hooks_and_sessions_that_are_kept_for_longer() -> None:
    site = new_site()
    bokeh = Hotshoe(site, user=lambda: session.get("user"))
    bokeh.app("/sliders")(fill)

    @site.before_request
    async def look() -> None:
        session.permanent = True
        session["user"] = "ada"

    async with visiting(site) as client:
        answer = await client.get("/sliders")
    assert "session=" in answer.headers["set-cookie"]
    assert seen == [(User("ada"), {"_permanent": True, "user": "ada"})]


class KeptHere(SessionInterface):
    """Sessions on the server, as of Flask-Session: the cookie is only their key."""

    kept = {"a-key": {"user": "ada", "since": date(2026, 1, 1)}}

    def open_session(self, app: Flask, request: Any) -> Any:
        return SecureCookieSession(self.kept.get(request.cookies.get("key"), {}))

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """They are not changed."""


async def test_sessions_of_another_kind_and_none_at_all() -> None:
    site = new_site()
    site.session_interface = KeptHere()
    Hotshoe(site).app("/sliders")(fill)
    async with visiting(site) as client:
        await client.get("/sliders", headers={"Cookie": "key=a-key"})
        assert seen == [(None, {"user": "ada", "since": date(2026, 1, 1)})]
    site = Flask("without_a_key")
    Hotshoe(site).app("/sliders")(fill)
    async with visiting(site) as client:
        assert (await client.get("/sliders")).status_code == 200
    assert seen == [(None, {})]


async def test_decorators_for_all_apps_guard_those_of_others_too() -> None:
    def only_with_key(view: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(**found: Any) -> Any:
            return view(**found) if request.args.get("key") else abort(404)

        return guarded

    site = new_site()
    Hotshoe(site, decorators=[only_with_key]).app("/own")(fill)
    async with visiting(site, {"/given": fill, "/": fill}) as client:
        for path in ("/own", "/given", "/"):
            assert (await client.get(path)).status_code == 404
            assert (await client.get(f"{path}?key=1")).status_code == 200


async def test_middleware_around_the_flask_app_is_asked_too() -> None:
    site, _ = site_with_login()
    for around in (ProxyFix(site), ProxyFix(site.wsgi_app)):
        async with visiting(ProxyFix(around), {"/given": fill}) as client:
            assert (await client.get("/sliders")).status_code == 302
            assert (await client.get("/given")).status_code == 200
            assert (await client.get("/login")).status_code == 302


# -- users


class ByEmail(UserMixin):  # type: ignore[misc]
    email = "ada@example.org"
    id = 3
    roles = ["staff"]


class Nobody:
    is_authenticated = False

    def get_id(self) -> None:
        return None


@pytest.mark.parametrize(("found", "user"), [
    (Person("1"), User("no1")),
    (ByEmail(), User("ada@example.org", email="ada@example.org", groups=frozenset({"staff"}))),
    (Nobody(), None),
    (None, None),
    ("ada", User("ada")),
    ({"get_id": 1, "sub": "s"}, User("s", claims={"get_id": 1, "sub": "s"})),
])
def test_users(found: Any, user: User | None) -> None:
    assert as_user(found) == user


def test_a_site_without_flask_login_does_not_import_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from hotshoe.integrations.flask.site_apps import current_user

    monkeypatch.setitem(sys.modules, "flask_login", None)
    with new_site().test_request_context():
        assert current_user(None) is None


# -- where apps are


def rules(site: Flask) -> dict[str, str]:
    return {rule.rule: rule.endpoint for rule in site.url_map.iter_rules() if not rule.rule.startswith("/static")}


def test_one_extension_for_many_sites() -> None:
    bokeh = Hotshoe()
    bokeh.app("/sliders")(fill)
    for _ in range(2):
        site = new_site()
        bokeh.init_app(site)
        bokeh.init_app(site)
        assert rules(site) == {"/sliders": "fill"}
        assert [*site.extensions["hotshoe"].apps] == ["/sliders"]


async def test_in_a_blueprint() -> None:
    site, bokeh = new_site(), Hotshoe()
    inner, outer = Blueprint("inner", "inner", url_prefix="/in"), Blueprint("outer", "outer")
    bokeh.app("/sliders", blueprint=inner)(fill)
    inner.before_request(lambda: None if request.args else ("not here", 403))
    outer.register_blueprint(inner)
    site.register_blueprint(outer, url_prefix="/out")
    bokeh.init_app(site)
    assert rules(site) == {"/out/in/sliders": "outer.inner.fill"}
    async with visiting(site) as client:
        assert (await client.get("/out/in/sliders")).text == "not here"
        assert (await client.get("/out/in/sliders?a=1")).status_code == 200
    with pytest.raises(AppError, match="the app at /late comes too late: the blueprint inner is already registered"):
        bokeh.add("/late", fill, blueprint=inner)


async def test_titles_and_what_is_the_sites() -> None:
    site = new_site()
    bokeh = Hotshoe(site)
    assert bokeh.app("/sliders", title="Sliding", endpoint="slide")(fill) is fill
    site.add_url_rule("/<path:rest>", "rest", lambda rest: f"the site has {rest}")
    with site.test_request_context():
        assert url_for("slide") == "/sliders"
    async with visiting(site) as client:
        assert "<title>Sliding</title>" in (await client.get("/sliders")).text
        assert (await client.get("/sliders/more")).text == "the site has sliders/more"


def _view_before(bokeh: Hotshoe, site: Flask) -> None:
    site.add_url_rule("/sliders/", "pages", lambda: "")
    bokeh.add("/sliders", fill)


def _view_after(bokeh: Hotshoe, site: Flask) -> None:
    bokeh.add("/sliders", fill)
    site.add_url_rule("/sliders", "pages", lambda: "")
    hotshoe.wrap(site)


def _view_at_anothers_app(bokeh: Hotshoe, site: Flask) -> None:
    site.add_url_rule("/", "pages", lambda: "")
    hotshoe.wrap(site, {"/": fill})


def _served_before(bokeh: Hotshoe, site: Flask) -> None:
    site.test_client().get("/")
    bokeh.add("/sliders", fill)


def _others_after_it_served(bokeh: Hotshoe, site: Flask) -> None:
    site.test_client().get("/")
    hotshoe.wrap(site, {"/sliders": fill})


def _after_wrap(bokeh: Hotshoe, site: Flask) -> None:
    hotshoe.wrap(site)
    bokeh.add("/sliders", fill)


def _twice(bokeh: Hotshoe, site: Flask) -> None:
    bokeh.add("/sliders", fill)
    bokeh.add("/sliders/", fill, endpoint="again")


def _of_both(bokeh: Hotshoe, site: Flask) -> None:
    bokeh.add("/sliders", fill)
    hotshoe.wrap(site, {"/sliders": fill})


def _endpoint_taken(bokeh: Hotshoe, site: Flask) -> None:
    site.add_url_rule("/page", "sliders", lambda: "")
    bokeh.add("/sliders", fill)


@pytest.mark.parametrize(("mistake", "words"), [
    (_view_before, r"the site already has a view at /sliders \(pages\): give the app another URL"),
    (_view_after, r"the site already has a view at /sliders \(pages\): give the app another URL"),
    (_view_at_anothers_app, r"the site already has a view at / \(pages\): give the app another URL"),
    (_served_before, "the app at /sliders comes too late: the Flask app a_site has already answered requests"),
    (_others_after_it_served, "the app at /sliders comes too late: the Flask app a_site has already answered requests"),
    (_after_wrap, r"the app at /sliders comes too late: add it before hotshoe.wrap gets the site"),
    (_twice, "there are two apps at /sliders: give one of them another URL"),
    (_of_both, "the site has an app of its own at /sliders: give one of the two another URL"),
    (_endpoint_taken, "the app at /sliders can't have the endpoint sliders, which is a view"),
    (lambda bokeh, site: bokeh.add("/a/<b>", fill), "an app's URL is a fixed path such as '/sliders', not '/a/<b>'"),
    (lambda bokeh, site: bokeh.add("sliders", fill), "an app's URL is a fixed path such as '/sliders', not 'sliders'"),
    (lambda bokeh, site: bokeh.add("/s", fill, endpoint="a.b"), "can't have the endpoint a.b: dots are for blueprints"),
    (lambda bokeh, site: bokeh.app("/s")(lambda: None), r"must have signature func\(doc\)"),
])
def test_mistakes_are_one_line(mistake: Callable[[Hotshoe, Flask], Any], words: str) -> None:
    site = new_site()
    with pytest.raises(AppError, match=words) as caught:
        mistake(Hotshoe(site), site)
    assert "\n" not in str(caught.value)


def test_two_extensions() -> None:
    site = new_site()
    Hotshoe(site)
    with pytest.raises(ConfigError, match="the Flask app a_site already has an extension named hotshoe"):
        Hotshoe(site)


async def test_a_site_that_is_wrapped_again() -> None:
    site, _ = site_with_login()
    for apps in ({"/a": fill, "/b.c": fill}, {"/a": fill}):
        async with visiting(site, apps) as client:
            assert [(await client.get(path)).status_code for path in apps] == [200] * len(apps)
            assert (await client.get("/sliders")).status_code == 302
            assert seen[-1] == (None, {})


def test_without_hotshoe_the_page_says_how() -> None:
    site = new_site()
    Hotshoe(site).app("/sliders")(fill)
    answer = site.test_client().get("/sliders/")
    assert (answer.status_code, "hotshoe serve --wsgi" in answer.text) == (501, True)
    assert "hotshoe.wrap(app)" in answer.text
    assert site.test_client().get("/sliders/", headers={"asgi.scope": "x"}).status_code == 501


# -- tags


@pytest.fixture(params=["", "/a prefix"])
def templates(request: pytest.FixtureRequest) -> Iterator[tuple[Flask, str]]:
    site = new_site()
    bokeh = Hotshoe(site)
    bokeh.app("/sliders")(fill)
    bokeh.add("/", fill)
    with site.test_request_context("/", environ_overrides={"SCRIPT_NAME": request.param}):
        yield site, request.param.replace(" ", "%20")


@pytest.mark.parametrize(("call", "src"), [
    ("bokeh_app('/sliders')", "{root}/sliders"),
    ("bokeh_app('/sliders?a=1')", "{root}/sliders?a=1"),
    ("bokeh_app('fill')", "{root}/sliders"),
    ("bokeh_app(url_for('fill'))", "{root}/sliders"),
    ("bokeh_app(url_for('fill', a='1'))", "{root}/sliders?a=1"),
    ("bokeh_app(url_for('bokeh_app'), arguments={'a': 1})", "{root}?a=1"),
    ("bokeh_app('/', arguments={'a': 1})", "{root}?a=1"),
    ("bokeh_app('/sliders', arguments={'a': [1, 2], 'b': '&'})", "{root}/sliders?a=1&amp;a=2&amp;b=%26"),
    ("bokeh_app('/of_no_extension')", "{root}/of_no_extension"),
    ("bokeh_app('https://apps.example.org/x')", "https://apps.example.org/x"),
    ("bokeh_app('//apps.example.org/x')", "//apps.example.org/x"),
])
def test_addresses_in_templates(templates: tuple[Flask, str], call: str, src: str) -> None:
    text = render_template_string(f"{{{{ {call} }}}}")
    src = src.format(root=templates[1])
    assert f'<bokeh-app src="{"/" if src[0] == "?" else ""}{src}">' in text


def test_tags_stand_as_they_are_also_in_macros() -> None:
    site = new_site()
    Hotshoe(site).app("/sliders")(fill)
    with site.test_request_context():
        text = render_template_string(
            "{% macro show() %}{{ bokeh_app('/sliders', nonce='bm9uY2U=', with_credentials=true, resources=none) }}"
            "{% endmacro %}{{ show() }}{{ '<' }}")
        assert 'with-credentials="" resources="none"' in text
        assert '<script src="/sliders/embed.js" async nonce="bm9uY2U="></script>&lt;' in text
        with pytest.raises(BuildError, match="Could not build url for endpoint 'slider'"):
            render_template_string("{{ bokeh_app('slider') }}")
        with pytest.raises(ValueError, match="a nonce must be base64"):
            render_template_string("{{ bokeh_app('/sliders', nonce='\"') }}")
        assert isinstance(Markup(render_template_string("{{ bokeh_app('/sliders') }}")), Markup)


def test_tags_outside_of_requests() -> None:
    site = new_site(APPLICATION_ROOT="/root/")
    Hotshoe(site).app("/sliders")(fill)
    with site.app_context():
        assert '<bokeh-app src="/root/sliders">' in render_template_string("{{ bokeh_app('/sliders') }}")


async def test_below_a_prefix() -> None:
    site = new_site()
    bokeh = Hotshoe(site)
    bokeh.app("/sliders")(fill)
    site.add_url_rule("/", "home", lambda: render_template_string("{{ bokeh_app('/sliders') }}"))
    async with visiting(site, prefix="/pre") as client:
        assert '<bokeh-app src="/pre/sliders">' in (await client.get("/pre/")).text
        assert (await client.get("/pre/sliders")).status_code == 200
    async with visiting(site, prefix="/pre", root_path="/outer") as client:
        assert '<bokeh-app src="/outer/pre/sliders">' in (await client.get("/outer/pre/")).text
        assert (await client.get("/outer/pre/sliders")).status_code == 200

"""Auth modules in front of apps: as bokeh documents them for Tornado's handlers, and for Starlette."""

from __future__ import annotations

import asyncio
import logging
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from bokeh.server.auth_provider import AuthModule, NullAuth
from tests.support.auth_modules import STARLETTE, TORNADO
from tests.support.front_site import MakeSite, Site
from tests.support.waiting import until

from hotshoe.auth.calls import THREADS, Calls
from hotshoe.base.errors import ConfigError
from hotshoe.web.gate.auth_options import AuthOptions

MakeGuarded = Callable[..., Site]


@pytest.fixture
def guarded(make_site: MakeSite, tmp_path: Path) -> MakeGuarded:
    def make(source: str, **settings: Any) -> Site:
        path = tmp_path / "auth.py"
        path.write_text(textwrap.dedent(source))
        return make_site("/a", "/b", **{"auth_module": str(path), **settings})

    return make


async def log_in(client: httpx.AsyncClient, name: str = "alice", login: str = "/login") -> httpx.Response:
    answer = await client.post(login, data={"name": name, "password": name[0]})
    assert answer.status_code in (302, 303), answer.text
    return answer


both = pytest.mark.parametrize("source", [TORNADO, STARLETTE], ids=["tornado", "starlette"])


@both
async def test_the_whole_way(guarded: MakeGuarded, source: str) -> None:
    site = guarded(source)
    async with site.client() as client:
        asked = await client.get("/a?x=1")
        assert (asked.status_code, asked.headers["cache-control"]) == (302, "no-store")
        assert asked.headers["location"] == "./login?next=%2Fa%3Fx%3D1"
        form = await client.get("/login?next=/a%3Fx%3D1")
        assert form.text == "form for /a?x=1"
        refused = await client.post("/login", data={"name": "alice", "password": "b"})
        assert refused.status_code == 403
        assert not site.host.open_requests
        answer = await client.post("/login?next=/a%3Fx%3D1", data={"name": "alice", "password": "a"})
        assert answer.headers["location"] == "./a?x=1"
        assert (await client.get("/a?x=1")).status_code == 200
        [open_request] = site.host.open_requests
        assert open_request.request.user.name == "alice"
        assert open_request.request.logout_url == "/logout"
        left = await client.get("/logout")
        assert left.headers["location"] == "./"
        assert (await client.get("/a")).status_code == 302


ASKED = """
    from starlette.requests import Request
    from starlette.responses import Response
    login_url = "/login"
    async def later():
        return "alice"
    class Account:
        username = "alice"
        def is_authenticated(self):
            return False
"""


async def test_what_is_no_user_gets_nothing_of_an_app(guarded: MakeGuarded, caplog: pytest.LogCaptureFixture) -> None:
    tornado, starlette = "get_user(handler)", "get_user(request: Request)"
    for head, result in (
            (f"async def {starlette}", "later()"), (f"def {starlette}", "Response('no', 401)"),
            ("async def get_user_async(handler)", "later()"), (f"def {tornado}", "Response('no', 401)"),
            (f"def {tornado}", "Account()"), (f"def {tornado}", "{'user': 'a', 'is_authenticated': False}"),
            (f"def {tornado}", "object()"), (f"def {tornado}", "True"), (f"def {tornado}", "b'ali\\xffce'"),
            (f"def {tornado}", "(name for name in ['alice'])")):
        caplog.clear()
        site = guarded(f"{ASKED}\n    {head}:\n        return {result}\n")
        answers = [await site.get(path) for path in ("/a", "/a/metadata", "/a/autoload.js?bokeh-autoload-element=e")]
        assert [answer.status_code for answer in answers] == [302, 401, 401], result
        peer = site.connect("/a/ws", protocols=["bokeh", "token"])
        assert (await peer.hear())["type"] != "websocket.accept", result
        assert not site.host.open_requests
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "nobody is let in" in errors[0].getMessage()
        assert "get_user" in errors[0].getMessage()


@both
async def test_below_a_prefix(guarded: MakeGuarded, source: str) -> None:
    site = guarded(source, prefix="p/q")
    async with site.client() as client:
        assert (await client.get("/login")).status_code == 404
        asked = await client.get("/p/q/a/")
        assert asked.headers["location"] == "../login?next=%2Fp%2Fq%2Fa%2F"
        answer = await log_in(client, login="/p/q/login?next=/p/q/a/")
        assert answer.headers["location"] == "./a/"
        assert (await log_in(client, login="/p/q/login")).headers["location"] == "./"
        await client.get("/p/q/a")
        assert site.host.open_requests[-1].request.logout_url == "/p/q/logout"
        assert (await client.get("/p/q")).status_code == 200


@both
async def test_in_a_mount(guarded: MakeGuarded, source: str) -> None:
    site = guarded(source)
    async with site.client(root_path="/m") as client:
        asked = await client.get("/m/a")
        assert asked.headers["location"] == "./login?next=%2Fm%2Fa"
        assert (await log_in(client, login="/m/login?next=/m/a")).headers["location"] == "./a"
        await client.get("/m/a")
        assert site.host.open_requests[-1].request.logout_url == "/m/logout"


@both
@pytest.mark.parametrize("cookie", ["who=alice", "hotshoe_session=alice", "hotshoe_session=eyJ3aG8iOiJhbGljZSJ9.x.y",
                                    "who=\"2|1:0|10:1700000000|3:who|8:YWxpY2U=|abc\"", "who=\xff", "who", ""])
async def test_a_cookie_of_one_s_own_making(guarded: MakeGuarded, source: str, cookie: str) -> None:
    site = guarded(source)
    assert (await site.get("/a", headers={"Cookie": cookie.encode("latin-1")})).status_code == 302
    assert not site.host.open_requests


@both
async def test_a_cookie_that_was_changed(guarded: MakeGuarded, source: str) -> None:
    site = guarded(source)
    async with site.client() as client:
        await log_in(client)
        [(name, value)] = client.cookies.items()
    for at in (3, len(value) // 2, len(value) - 2):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1:]
        assert (await site.get("/a", headers={"Cookie": f"{name}={changed}"})).status_code == 302
    assert (await site.get("/a", headers={"Cookie": f"{name}={value}"})).status_code == 200


@both
async def test_a_cookie_of_another_secret(guarded: MakeGuarded, source: str) -> None:
    async with guarded(source, cookie_secret="one").client() as client:
        await log_in(client)
        header = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert (await guarded(source, cookie_secret="one").get("/a", headers={"Cookie": header})).status_code == 200
    assert (await guarded(source, cookie_secret="two").get("/a", headers={"Cookie": header})).status_code == 302


async def test_session_cookies_are_for_no_script_and_with_tls_for_tls_only(guarded: MakeGuarded) -> None:
    site = guarded(STARLETTE)
    for scheme, secure in (("http", False), ("https", True)):
        async with site.client(base_url=f"{scheme}://testserver") as client:
            made = (await log_in(client)).headers["set-cookie"].lower()
        assert "httponly" in made
        assert "samesite=lax" in made
        assert ("secure" in made) is secure


async def test_what_handlers_of_tornado_can_do(guarded: MakeGuarded, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{ name }}{% module xsrf_form_html() %}</p>")
    site = guarded("""
        import threading
        from tornado.web import HTTPError, RequestHandler

        login_url, logout_url = "/login", "/logout"

        async def get_user_async(handler):
            return None

        class LoginHandler(RequestHandler):
            def initialize(self):
                self.steps = ["initialize"]

            def set_default_headers(self):
                self.set_header("X-Default", "yes")

            def prepare(self):
                super().prepare()
                self.steps.append("prepare")

            def get_current_user(self):
                return self.get_cookie("c")

            def get(self):
                request = self.request
                self.write({
                    "steps": self.steps, "user": self.current_user, "secret": bool(self.settings["cookie_secret"]),
                    "arguments": self.get_arguments("x"), "query": self.get_query_argument("x"),
                    "remote": request.remote_ip, "protocol": request.protocol, "host": request.host,
                    "uri": request.uri, "full": request.full_url(), "header": request.headers["X-Some"],
                    "cookie": request.cookies["c"].value, "signed": self.get_signed_cookie("c"),
                    "prefix": self.application.prefix, "main": threading.current_thread() is threading.main_thread(),
                })

            async def put(self):
                self.write(self.request.body)
                await self.flush()
                self.write(b"!")

            async def delete(self):
                raise HTTPError(418, reason="short")

            def post(self):
                self.render("page.html", name="<b>")

            def patch(self):
                self.send_error(409, reason="twice")

        class LogoutHandler(RequestHandler):
            def get(self):
                self.get_argument("missing")
    """, prefix="p")
    async with site.client() as client:
        client.cookies.set("c", "jo")
        told = await client.get("/p/login?x=1&x=%C3%A4", headers={"X-Some": "v"})
        assert told.headers["x-default"] == "yes"
        assert told.json() == {
            "steps": ["initialize", "prepare"], "user": "jo", "secret": True, "arguments": ["1", "ä"], "query": "ä",
            "remote": "127.0.0.1", "protocol": "http", "host": "testserver", "uri": "/p/login?x=1&x=%C3%A4",
            "full": "http://testserver/p/login?x=1&x=%C3%A4", "header": "v", "cookie": "jo", "signed": None,
            "prefix": "/p", "main": False,
        }
        assert (await client.put("/p/login", content=b"body")).content == b"body!"
        refused = await client.delete("/p/login")
        assert refused.status_code == 418
        shown = (await client.post("/p/login")).text
        assert "&lt;b&gt;" in shown
        assert 'name="_xsrf"' in shown
        assert (await client.patch("/p/login")).status_code == 409
        assert (await client.get("/p/logout")).status_code == 400
        assert (await client.options("/p/login")).status_code == 405
        assert (await client.request("BREW", "/p/login")).status_code == 405


async def test_xsrf_cookies(guarded: MakeGuarded) -> None:
    source = TORNADO.replace('self.write("form for "', 'self.xsrf_form_html(); self.write("form for "')
    async with guarded(source).client() as client:
        await log_in(client)
    async with guarded(source, enable_xsrf_cookies=True).client() as client:
        data = {"name": "alice", "password": "a"}
        assert (await client.post("/login", data=data)).status_code == 403
        await client.get("/login")
        token = client.cookies["_xsrf"]
        assert (await client.post("/login", data={**data, "_xsrf": token.replace("|", "0", 2)})).status_code == 403
        assert (await client.post("/login", data={**data, "_xsrf": token})).status_code == 302


async def test_an_endpoint_class_of_starlette(guarded: MakeGuarded) -> None:
    site = guarded("""
        from starlette.endpoints import HTTPEndpoint
        from starlette.requests import HTTPConnection
        from starlette.responses import PlainTextResponse
        login_url = "/in"
        async def get_user(connection: HTTPConnection): return None
        class LoginHandler(HTTPEndpoint):
            async def get(self, request): return PlainTextResponse(request.url.path)
    """)
    assert (await site.get("/in")).text == "/in"
    assert (await site.request("POST", "/in")).status_code == 405


async def test_get_login_url(guarded: MakeGuarded) -> None:
    source = """
        def get_user(handler): return None
        def get_login_url(handler): return handler.get_argument("to")
    """
    site = guarded(source)
    assert (await site.get("/a?to=/in")).headers["location"] == "./in?next=%2Fa%3Fto%3D%2Fin"
    site = guarded(source, prefix="p")
    assert (await site.get("/p/a?to=/p/in")).headers["location"].startswith("./in?next=%2Fp%2Fa")
    assert (await site.get("/p/a?to=/sso")).headers["location"].startswith("//testserver/sso?next=%2Fp%2Fa")
    away = (await site.get("/p/a?to=https://sso.org/in")).headers["location"]
    assert away.startswith("https://sso.org/in?next=http%3A%2F%2Ftestserver%2Fp%2Fa")


async def test_a_get_user_that_is_async_by_mistake_lets_nobody_in(guarded: MakeGuarded) -> None:
    # In stock what it returns is a coroutine, which is true.
    site = guarded("async def get_user(handler): return None\nlogin_url = '/in'")
    assert (await site.get("/a")).status_code == 302


@pytest.mark.parametrize("fails", ["1 / 0", "import sys; sys.exit()", "raise BaseException('x')"])
async def test_a_get_user_that_fails_lets_nobody_in(guarded: MakeGuarded, fails: str,
                                                    caplog: pytest.LogCaptureFixture) -> None:
    site = guarded(f"def get_user(handler):\n    secret = 's3cret'\n    {fails}\nlogin_url = '/in'", dev=True)
    for path in ("/a", "/a/metadata", "/a/autoload.js?bokeh-autoload-element=e", "/"):
        caplog.clear()
        answer = await site.get(path)
        assert answer.status_code == 500
        assert "s3cret" not in answer.text
        error_id = caplog.records[-1].getMessage().partition("(error ")[2].rstrip(")")
        assert error_id in answer.text
    peer = site.connect("/a/ws", protocols=("bokeh", "x"))
    assert (await peer.hear())["status"] == 500
    assert not site.host.open_requests


async def test_an_error_that_get_user_raises_on_purpose(guarded: MakeGuarded) -> None:
    site = guarded("""
        from tornado.web import HTTPError
        login_url = "/in"
        def get_user(handler): raise HTTPError(403, reason="not from here")
    """)
    answer = await site.get("/a")
    assert answer.status_code == 403
    assert "not from here" in answer.text


async def test_a_slow_get_user_holds_up_nobody_else(guarded: MakeGuarded) -> None:
    held = SimpleNamespace(entered=threading.Event(), leave=threading.Event())
    site = guarded("""
        login_url = "/in"
        held = None
        def get_user(handler):
            if handler.get_argument("slow", ""):
                held.entered.set()
                held.leave.wait(30)
            return "jo"
    """)
    provider: Any = site.front._gate._provider
    provider._hooks.get_user.__globals__["held"] = held
    slow = asyncio.create_task(site.get("/a?slow=1"))
    while not held.entered.is_set():
        await asyncio.sleep(0.01)
    assert (await site.get("/a")).status_code == 200
    assert not slow.done()
    held.leave.set()
    assert (await slow).status_code == 200


FLOODED = {
    "tornado": """
        import tornado.web
        login_url, logout_url, held = "/login", "/logout", None
        def get_user(handler): return handler.get_cookie("u")
        class LoginHandler(tornado.web.RequestHandler):
            def get(self): self.write("form")
            def post(self):
                held.entered.append(1)
                held.leave.wait(60)
        LogoutHandler = LoginHandler
    """,
    "starlette": """
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse
        held = None
        def get_user(request: Request): return request.cookies.get("u")
        def login(request: Request):
            held.entered.append(1)
            held.leave.wait(60)
            return PlainTextResponse("wrong", 403)
        logout = login
    """,
    "get_login_url": """
        held = None
        def get_user(handler): return handler.get_cookie("u")
        def get_login_url(handler):
            held.entered.append(1)
            held.leave.wait(60)
            return "/in"
    """,
}


@pytest.mark.parametrize("kind", FLOODED)
async def test_a_flood_of_logins_does_not_delay_users_who_have_logged_in(guarded: MakeGuarded, kind: str) -> None:
    held = SimpleNamespace(entered=[], leave=threading.Event())
    site = guarded(FLOODED[kind])
    provider: Any = site.front._gate._provider
    provider._hooks.user_function.__globals__["held"] = held
    method, path = ("GET", "/a") if kind == "get_login_url" else ("POST", "/login")
    flood = [asyncio.create_task(site.request(method, path)) for _ in range(100)]
    try:
        await until(lambda: len(held.entered) == THREADS)  # all threads for strangers are busy
        async with asyncio.timeout(60):
            for _ in range(3):
                assert (await site.get("/a", headers={"Cookie": "u=ada"})).status_code == 200
        assert not any(task.done() for task in flood)
    finally:
        held.leave.set()
        await asyncio.gather(*flood)


async def test_while_get_user_stands_still_pages_say_so(guarded: MakeGuarded, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults: Any = Calls.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "limit_s", 0.3)
    held = threading.Event()
    site = guarded("""
        login_url = "/in"
        held = None
        def get_user(handler):
            held.wait(30)
            return "jo"
    """)
    provider: Any = site.front._gate._provider
    provider._hooks.get_user.__globals__["held"] = held
    for path in ("/a", "/a/autoload.js?bokeh-autoload-element=x"):
        answer = await site.get(path)
        assert answer.status_code == 503, path
        assert answer.headers["retry-after"] == "60", path
        assert "Logins take too long at this moment" in answer.text, path
        assert "Please try again in a minute" in answer.text, path
    held.set()
    async with asyncio.timeout(20):
        while (await site.get("/a")).status_code != 200:
            await asyncio.sleep(0.01)


async def test_cookies_that_get_user_sets_reach_the_browser(guarded: MakeGuarded) -> None:
    site = guarded("""
        login_url = "/in"
        def get_user(handler):
            handler.set_secure_cookie("seen", "yes")
            handler.set_cookie("plain", "1")
            return "jo"
    """)
    made = (await site.get("/a")).headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in made] == ["seen", "plain"]


async def test_a_failing_handler_is_an_error_with_an_id(guarded: MakeGuarded, caplog: pytest.LogCaptureFixture) -> None:
    site = guarded(TORNADO.replace('self.write("form for "', 'raise LookupError("s3cret"); self.write("form for "'))
    answer = await site.get("/login")
    assert answer.status_code == 500
    assert "s3cret" not in answer.text
    assert caplog.records[-1].getMessage().partition("(error ")[2].rstrip(")") in answer.text


@pytest.mark.parametrize(("returns", "told"), [
    ("'text'", "login must return a Starlette Response, not str"),
    ("None", "login must return a Starlette Response, not NoneType"),
    ("Response(headers={'X': 'a\\r\\nSet-Cookie: b=c'})", "a header with a line break"),
])
async def test_an_endpoint_that_answers_nothing_that_can_be_sent(
    guarded: MakeGuarded, returns: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = guarded(STARLETTE.replace('    if request.method == "GET":', f"    return {returns}\n    if True:"))
    answer = await site.get("/login")
    assert answer.status_code == 500
    assert told in caplog.text
    assert "set-cookie" not in answer.headers


@both
@pytest.mark.parametrize("next", ["/a%0D%0ASet-Cookie:%20x=1", "//evil.org/", "/%5Cevil.org", "https://evil.org"])
async def test_next_brings_no_header(guarded: MakeGuarded, source: str, next: str) -> None:  # noqa: A002
    site = guarded(source)
    asked = await site.get(f"/a?q={next}")
    assert asked.headers["location"].startswith("./login?next=%2Fa%3Fq%3D")
    answer = await site.request("POST", f"/login?next={next}", data={"name": "alice", "password": "a"})
    assert "x" not in answer.cookies
    assert "\r" not in answer.headers.get("location", "")


async def test_paths_are_no_way_to_another_host(guarded: MakeGuarded) -> None:
    site = guarded(TORNADO)
    for path in ("/a//evil.org", "//evil.org/a", "/a/..%2f..%2fevil.org", "/a%0d%0aX: y"):
        answer = await site.get(path)
        assert answer.status_code in (302, 404)
        assert "evil" not in answer.headers.get("location", "").partition("?")[0]


async def test_the_size_of_a_form(guarded: MakeGuarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    site = guarded(TORNADO)
    answer = await site.request("POST", "/login", content=b"name=" + b"%" * 100,
                                headers={"Content-Type": "multipart/form-data; boundary="})
    assert answer.status_code in (400, 403)
    assert not caplog.records


@pytest.mark.parametrize(("apps", "told"), [
    (("/login",), "The app at /login has the same URL as the login or logout page; "
                  "give the app another name"),
])
def test_an_app_where_the_login_is(make_site: MakeSite, tmp_path: Path, apps: tuple[str, ...], told: str) -> None:
    (tmp_path / "auth.py").write_text(TORNADO)
    with pytest.raises(ConfigError) as caught:
        make_site(*apps, auth_module=str(tmp_path / "auth.py"))
    assert str(caught.value) == told


@pytest.mark.parametrize("path", ["/a/ws", "/_hotshoe/page.js", "/static/x", "/favicon.ico", "/"])
def test_a_login_where_something_else_is(make_site: MakeSite, tmp_path: Path, path: str) -> None:
    (tmp_path / "auth.py").write_text(TORNADO.replace('"/login"', repr(path)))
    with pytest.raises(ConfigError, match="the server uses this URL itself; give the page another path"):
        make_site("/a", auth_module=str(tmp_path / "auth.py"))


async def test_an_object_like_bokeh_s_provider(make_site: MakeSite) -> None:
    provider = SimpleNamespace(get_user=lambda handler: handler.get_argument("u", None), login_url="/in")
    site = make_site("/a", auth_options=AuthOptions(auth=provider))
    assert (await site.get("/a")).headers["location"].startswith("./in?next=")
    assert (await site.get("/a?u=jo")).status_code == 200
    null = SimpleNamespace(get_user=None, get_user_async=None, login_url=None)
    assert (await make_site("/a", auth_options=AuthOptions(auth=null)).get("/a")).status_code == 200


async def test_it_runs_again_after_a_stop(guarded: MakeGuarded) -> None:
    site = guarded(TORNADO)
    await site.get("/a")
    await site.front.stop()
    await site.front.start()
    before = time.monotonic()
    assert (await site.get("/a")).status_code == 302
    assert time.monotonic() - before < 30


async def test_bokeh_s_own_providers(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text(TORNADO)
    site = make_site("/a", auth_options=AuthOptions(auth=AuthModule(tmp_path / "auth.py")))
    async with site.client() as client:
        assert (await client.get("/a")).headers["location"] == "./login?next=%2Fa"
        await log_in(client)
        assert (await client.get("/a")).status_code == 200
    assert (await make_site("/a", auth_options=AuthOptions(auth=NullAuth())).get("/a")).status_code == 200

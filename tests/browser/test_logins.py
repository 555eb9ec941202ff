"""People who log in through auth modules: forms, two at once, refusals, and what a logout does to other tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser.tab import Tab
from tests.support.running_server import Server
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

APP = """
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div

user = curdoc().session_context.user
echo = Div(text=f"Hello {user.name}")
button = Button(label="press")
button.on_click(lambda: echo.update(text=f"pressed by {user.name}"))
curdoc().add_root(column(echo, button))
"""

FORM = """<form method="post" action="">{token}
<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
<button>Enter</button></form>"""

TORNADO = f'''
from tornado.web import RequestHandler

def get_user(handler):
    cookie = handler.get_secure_cookie("user")
    return cookie.decode() if cookie else None

login_url, logout_url = "/login", "/logout"

class LoginHandler(RequestHandler):
    def get(self):
        self.write("""{FORM}""".replace("{{token}}", self.xsrf_form_html()))

    def post(self):
        if self.get_argument("password") != "secret":
            self.set_status(403)
            return self.get()
        self.set_secure_cookie("user", self.get_argument("name"), httponly=True, samesite="lax")
        self.redirect(self.get_argument("next", "/"))

class LogoutHandler(RequestHandler):
    def get(self):
        self.clear_cookie("user")
        self.write("Good bye")
'''

STARLETTE = f'''
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

def get_user(connection: HTTPConnection):
    return connection.session.get("user")

async def login(request: Request) -> Response:
    if request.method == "POST":
        form = await request.form()
        if form["password"] == "secret":
            request.session["user"] = form["name"]
            return RedirectResponse(request.query_params.get("next", "/"), status_code=303)
    return HTMLResponse("""{FORM}""".replace("{{token}}", ""), 403 if request.method == "POST" else 200)

async def logout(request: Request) -> Response:
    request.session.clear()
    return HTMLResponse("Good bye")
'''

modules = pytest.mark.parametrize(("source", "flags"), [(TORNADO, ("--enable-xsrf-cookies",)), (STARLETTE, ())],
                                  ids=["tornado", "starlette"])


@contextmanager
def guarded(folder: Path, source: str, *flags: str) -> Iterator[Server]:
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(APP)
    module = folder / "auth_module.py"
    module.write_text(source)
    rules = ("--allow", "two=@alice", "--auth-module", str(module))
    with serve(folder / "one.py", folder / "two.py", flags=(*flags, *rules)) as server:
        yield server


@pytest.fixture
def new_visitor(chromium: Browser) -> Iterator[Callable[[], Callable[[], Tab]]]:
    """Makes visitors, each with cookies of their own; a visitor makes tabs."""
    contexts = []

    def visitor() -> Callable[[], Tab]:
        context = chromium.new_context()
        contexts.append(context)
        return lambda: Tab(context)

    yield visitor
    for context in contexts:
        context.close()


def enter(tab: Tab, name: str, password: str = "secret") -> None:
    tab.page.get_by_label("Name").fill(name)
    tab.page.get_by_label("Password").fill(password)
    tab.page.get_by_role("button", name="Enter").click()


Visitors = Callable[[], Callable[[], Tab]]


@modules
@pytest.mark.parametrize("prefix", ["", "/p"])
def test_a_day_of_two(tmp_path: Path, new_visitor: Visitors, source: str, flags: tuple[str, ...], prefix: str) -> None:
    with guarded(tmp_path, source, *flags, *(("--prefix", prefix) if prefix else ())) as server:
        alice, bob = new_visitor(), new_visitor()
        first = alice()
        first.page.goto(server.urls["one"] + "?x=1")
        enter(first, "alice", "wrong")
        enter(first, "alice")
        first.wait_until_drawn()
        assert first.page.url == server.urls["one"] + "?x=1"
        first.wait_for_text("Hello alice")
        second = alice()
        second.open(server.urls["two"])
        second.wait_for_text("Hello alice")

        other = bob()
        other.page.goto(server.urls["one"])
        enter(other, "bob")
        other.wait_for_text("Hello bob")
        denied = bob()
        denied.page.goto(server.urls["two"])
        denied.wait_for_text("You are logged in as bob. This user may not open this app.")

        leaving = alice()
        leaving.page.goto(server.root + "logout")
        leaving.wait_for_text("Good bye")
        for tab in (first, second):
            tab.wait_for_text("You are not logged in any more. Load this page again to log in.")
        first.page.reload()
        first.page.get_by_label("Password").wait_for()

        other.page.get_by_role("button", name="press").click()
        other.wait_for_text("pressed by bob")
        denied.page.get_by_role("link", name="Log out").click()
        denied.wait_for_text("Good bye")
        other.wait_for_text("You are not logged in any more. Load this page again to log in.")


def test_the_index_is_each_visitor_s_own(tmp_path: Path, new_visitor: Visitors) -> None:
    with guarded(tmp_path, STARLETTE) as server:
        for name, apps in (("alice", ["/one", "/two"]), ("bob", ["/one"])):
            tab = new_visitor()()
            tab.page.goto(server.root)
            enter(tab, name)
            tab.wait_for_text("served here")
            assert tab.page.locator(".card .path").all_inner_texts() == apps

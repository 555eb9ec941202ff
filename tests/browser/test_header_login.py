"""nginx names the users: in Chromium, page and websocket; and what a visitor says of themselves is worth nothing."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.nginx import nginx
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

APP = """
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div

user = curdoc().session_context.user
echo = Div(text=f"Hello {user.name} of {','.join(sorted(user.groups))}")
button = Button(label="press")
button.on_click(lambda: echo.update(text=f"pressed by {user.name}"))
curdoc().add_root(column(echo, button))
"""
NAMES = "proxy_set_header X-Forwarded-User ada; proxy_set_header X-Forwarded-Groups 'staff,admins';"
NOBODY = "proxy_set_header X-Forwarded-User ''; proxy_set_header X-Forwarded-Groups '';"
FLAGS = ("--use-xheaders", "--auth", "header", "--auth-header-user", "X-Forwarded-User", "--auth-header-groups",
         "X-Forwarded-Groups", "--auth-header-logout-url", "/sign_out")


def status_of(url: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=named), timeout=40) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_proxy_names_the_user(tmp_path: Path, tab: Tab) -> None:
    app = tmp_path / "hello.py"
    app.write_text(APP)
    with serve(app, flags=FLAGS) as server, nginx(server.root, "/out", says=NAMES) as outside:
        tab.open(f"{outside}hello")
        tab.wait_for_text("Hello ada of admins,staff")
        tab.page.get_by_role("button", name="press").click()
        tab.wait_for_text("pressed by ada")
        with nginx(server.root, "/out", says=NOBODY) as unknown:
            assert status_of(f"{unknown}hello", X_Forwarded_User="root") == 401
        assert status_of(f"{outside}hello", X_Forwarded_User="root") == 200
        assert status_of(f"{server.root}hello") == 401
        assert "root" not in server.log

"""The flags and variables about users: what they do, and the line that says what is wrong with them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import parse

from hotshoe.base.errors import ConfigError, UserError
from hotshoe.config import Settings
from hotshoe.server.server import Server

MODULE = """
from tornado.web import RequestHandler
def get_user(handler): return None
login_url = "/login"
class LoginHandler(RequestHandler): pass
"""


@pytest.mark.parametrize(("flags", "environ"), [
    (["--auth-module", "a.py", "--cookie-secret", "s", "--enable-xsrf-cookies"], {}),
    ([], {"BOKEH_AUTH_MODULE": "a.py", "BOKEH_COOKIE_SECRET": "s", "BOKEH_XSRF_COOKIES": "yes"}),
    ([], {"HOTSHOE_AUTH_MODULE": "a.py", "HOTSHOE_COOKIE_SECRET": "s", "HOTSHOE_ENABLE_XSRF_COOKIES": "1"}),
])
def test_names_of_stock(flags: list[str], environ: dict[str, str]) -> None:
    _, settings = parse(flags, environ)
    assert (settings.auth_module, settings.cookie_secret, settings.enable_xsrf_cookies) == ("a.py", "s", True)


def test_a_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(Settings(cookie_secret="s3cret"))


def test_rules() -> None:
    _, settings = parse(["--allow", "a=x y,@z", "--allow", "*=*", "--public", "b"], {})
    assert (settings.allow, settings.public) == (("a=x y,@z", "*=*"), ("b",))
    _, settings = parse([], {"HOTSHOE_ALLOW": "a=x y,@z; *=*"})
    assert settings.allow == ("a=x y,@z", "*=*")


def test_two_ways_at_once() -> None:
    with pytest.raises(ConfigError, match="--auth-module does not go with --auth basic: leave one out"):
        parse(["--auth-module", "a.py", "--auth", "basic"], {})


@pytest.mark.parametrize(("source", "flags", "told"), [
    (None, {}, "there is no file"),
    ("login_url = '/x'", {}, "One of get_user or get_user_async must be supplied"),
    ("1/0", {}, "ZeroDivisionError"),
    (MODULE, {"allow": ("nap=x",)}, "--allow: there is no app at /nap; the apps are at /app"),
    (MODULE.replace('"/login"', '"/app"'), {}, "The app at /app has the same URL as the login or logout page"),
    (MODULE.replace("RequestHandler)", "dict)"), {}, "LoginHandler must be a Tornado RequestHandler"),
])
def test_what_is_wrong_ends_the_start_with_one_line(tmp_path: Path, source: str | None, flags: dict[str, Any],
                                                    told: str) -> None:
    path = tmp_path / "auth.py"
    if source is not None:
        path.write_text(textwrap.dedent(source))
    server = Server({"/app": lambda doc: None}, auth_module=str(path), port=0, address="127.0.0.1", **flags)
    with pytest.raises(UserError) as caught:
        server.start()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)

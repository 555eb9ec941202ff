"""Auth modules: what they may define, in which style, and what is said of those that are wrong."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from starlette.endpoints import HTTPEndpoint
from starlette.requests import HTTPConnection, Request
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from hotshoe.auth.module.hooks import (
    AuthHooks,
    hooks_of_module,
    hooks_of_object,
    is_starlette,
    is_tornado,
    load_module,
    takes_request,
)
from hotshoe.base.errors import ConfigError


class Handler(RequestHandler):
    pass


class Page(HTTPEndpoint):
    pass


def who(handler: object) -> None: ...


@pytest.mark.parametrize("hooks", [
    {"get_user": who, "login_url": "/login"},
    {"get_user_async": who, "get_login_url": who},
    {"get_user": who, "login_url": "https://sso.example.org"},
    {"get_user": who, "login_url": "/login", "login_handler": Handler, "logout_url": "/out", "logout_handler": Handler},
    {"get_user": who, "login_url": "/login", "login_handler": Page, "logout_url": "/out", "logout_handler": who},
])
def test_what_goes_together(hooks: dict[str, object]) -> None:
    AuthHooks(**hooks).check("x")  # type: ignore[arg-type]


@pytest.mark.parametrize(("hooks", "told"), [
    ({"get_user": who, "get_user_async": who, "login_url": "/"},
     "Only one of get_user or get_user_async should be supplied"),
    ({"login_url": "/login"}, "One of get_user or get_user_async must be supplied, or anybody could open the apps"),
    ({"get_user": who},
     "When user authentication is enabled, one of login_url or get_login_url must be supplied"),
    ({"get_user": who, "login_url": "/l", "get_login_url": who},
     "At most one of login_url or get_login_url should be supplied"),
    ({"get_user": who, "get_login_url": who, "login_handler": Handler},
     "LoginHandler cannot be used with a get_login_url() function"),
    ({"get_user": who, "login_url": "/l", "login_handler": int},
     "LoginHandler must be a Tornado RequestHandler or a Starlette endpoint"),
    ({"get_user": who, "login_url": "http://x.org/l", "login_handler": Handler},
     "LoginHandler can only be used with a relative login_url"),
    ({"get_user": who, "login_url": "//x.org/l", "login_handler": Handler},
     "LoginHandler can only be used with a relative login_url"),
    ({"get_user": who, "login_url": "/l", "logout_url": "/o", "logout_handler": "x"},
     "LogoutHandler must be a Tornado RequestHandler or a Starlette endpoint"),
    ({"get_user": who, "login_url": "/l", "logout_handler": Handler},
     "LogoutHandler can only be used with a relative logout_url"),
    ({"get_user": "jo", "login_url": "/l"}, "get_user must be a function, not str"),
    ({"get_user": who, "login_url": "/l", "authorize": True}, "authorize must be a function, not bool"),
])
def test_what_does_not(hooks: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AuthHooks(**hooks).check("--auth-module: auth.py")  # type: ignore[arg-type]
    assert str(caught.value) == f"--auth-module: auth.py: {told}"


@pytest.mark.parametrize(("source", "told"), [
    (None, "there is no file"),
    ("def get_user(:", "SyntaxError"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import sys; sys.exit('no')", "SystemExit: no"),
])
def test_a_file_that_is_no_module(tmp_path: Path, source: str | None, told: str) -> None:
    path = tmp_path / "auth.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(ConfigError, match=told) as caught:
        load_module(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "auth.txt").write_text("")
    with pytest.raises(ConfigError, match=r"its name must end in \.py"):
        load_module(tmp_path / "auth.txt")


def _module(tmp_path: Path, source: str) -> ModuleType:
    path = tmp_path / "auth.py"
    path.write_text(textwrap.dedent(source))
    return load_module(path)


def test_dataclasses_of_a_module_work(tmp_path: Path) -> None:
    _module(tmp_path, """
        from __future__ import annotations
        from dataclasses import dataclass

        @dataclass
        class Account:
            name: str
    """)


@pytest.mark.parametrize("header", ["", "from __future__ import annotations"])
def test_functions_of_a_request_are_handlers(tmp_path: Path, header: str) -> None:
    hooks = hooks_of_module(_module(tmp_path, header + """
from starlette.requests import HTTPConnection, Request
def get_user(connection: HTTPConnection): ...
async def login(request: Request): ...
async def logout(request: Request): ...
"""))
    hooks.check("x")
    assert (hooks.login_url, hooks.logout_url) == ("/login", "/logout")
    assert hooks.login_handler.__name__ == "login"
    assert takes_request(hooks.user_function)


def test_other_functions_of_those_names_are_none(tmp_path: Path) -> None:
    hooks = hooks_of_module(_module(tmp_path, """
        def get_user(handler): ...
        def login(name, password): ...
        def logout(): ...
        login_url = "/in"
    """))
    hooks.check("x")
    assert (hooks.login_url, hooks.login_handler, hooks.logout_url, hooks.logout_handler) == ("/in", None, None, None)


def test_an_object_with_the_names() -> None:
    hooks = hooks_of_object(SimpleNamespace(get_user=who, login_url="/l", login_handler=Handler))
    assert (hooks.user_function, hooks.login_url, hooks.login_handler, hooks.logout_url) == (who, "/l", Handler, None)


def test_styles() -> None:
    def untold(request): ...  # type: ignore[no-untyped-def]
    def handler(request: RequestHandler) -> None: ...
    def stock(request: HTTPServerRequest) -> None: ...
    def text(request: "RequestHandler") -> None: ...  # noqa: UP037
    def starlette(anything: Request) -> None: ...
    def connection(anything: "HTTPConnection") -> None: ...  # noqa: UP037

    assert [takes_request(f) for f in (untold, handler, stock, text, starlette, connection)] == [False] * 4 + [True] * 2
    assert not takes_request(int)
    assert is_tornado(Handler)
    assert not is_tornado(Page)
    assert is_starlette(Page)
    assert not is_starlette(int)

"""What an auth module defines, whatever it is: a file, a module, or an object with the same names."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from starlette.endpoints import HTTPEndpoint

from ..errors import ConfigError

_REQUESTS = ("Request", "HTTPConnection")


@dataclass(frozen=True, slots=True)
class AuthHooks:
    """The names that bokeh documents, and ``authorize``. Handlers are Tornado's classes or Starlette's endpoints."""

    get_user: Callable[..., Any] | None = None
    get_user_async: Callable[..., Any] | None = None
    login_url: str | None = None
    get_login_url: Callable[..., Any] | None = None
    login_handler: Any = None
    logout_url: str | None = None
    logout_handler: Any = None
    authorize: Callable[..., Any] | None = None

    @property
    def who(self) -> Callable[..., Any]:
        """The function that knows users."""
        function = self.get_user or self.get_user_async
        assert function is not None
        return function

    def check(self, where: str) -> None:
        """Raise ``ConfigError`` if the names do not go together; in the words of ``bokeh serve``."""
        if problem := self._problem():
            raise ConfigError(f"{where}: {problem}")

    def _problem(self) -> str | None:
        for name in ("get_user", "get_user_async", "get_login_url", "authorize"):
            if (function := getattr(self, name)) is not None and not callable(function):
                return f"{name} must be a function, not {type(function).__name__}"
        if self.get_user and self.get_user_async:
            return "Only one of get_user or get_user_async should be supplied"
        if not (self.get_user or self.get_user_async):
            return "One of get_user or get_user_async must be supplied, or everybody would be let in"
        if not (self.login_url or self.get_login_url):
            return "When user authentication is enabled, one of login_url or get_login_url must be supplied"
        if self.login_url and self.get_login_url:
            return "At most one of login_url or get_login_url should be supplied"
        return self._login_problem() or self._logout_problem()

    def _login_problem(self) -> str | None:
        if self.login_handler is None:
            return None
        if self.get_login_url:
            return "LoginHandler cannot be used with a get_login_url() function"
        if not is_handler(self.login_handler):
            return "LoginHandler must be a Tornado RequestHandler or a Starlette endpoint"
        if not is_path(self.login_url):
            return "LoginHandler can only be used with a relative login_url"
        return None

    def _logout_problem(self) -> str | None:
        if self.logout_handler is None:
            return None
        if not is_handler(self.logout_handler):
            return "LogoutHandler must be a Tornado RequestHandler or a Starlette endpoint"
        if not is_path(self.logout_url):
            return "LogoutHandler can only be used with a relative logout_url"
        return None


def load_module(path: Path) -> ModuleType:
    """The module in a file, run once. Raises ``ConfigError`` if there is none or it fails."""
    if not path.is_file():
        raise ConfigError(f"--auth-module: there is no file {path}")
    name = f"hotshoe_auth_{uuid4().hex}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--auth-module: {path} is no Python module; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look for it there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(f"--auth-module: {path} failed: {type(error).__name__}: {error}") from error
    return module


def hooks_of_module(module: ModuleType) -> AuthHooks:
    """What a module defines. Functions ``login`` and ``logout`` of Starlette's ``Request`` are handlers too."""
    login, logout = (_endpoint(module, name) for name in ("login", "logout"))
    found = AuthHooks(
        **{name: getattr(module, name, None) for name in
           ("get_user", "get_user_async", "login_url", "get_login_url", "logout_url", "authorize")},
        login_handler=getattr(module, "LoginHandler", login),
        logout_handler=getattr(module, "LogoutHandler", logout),
    )
    return AuthHooks(**{
        **{field.name: getattr(found, field.name) for field in fields(AuthHooks)},
        "login_url": found.login_url or ("/login" if login and not found.get_login_url else None),
        "logout_url": found.logout_url or ("/logout" if logout else None),
    })


def hooks_of_object(provider: Any) -> AuthHooks:
    """What an object like bokeh's ``AuthProvider`` has as its properties."""
    return AuthHooks(**{field.name: getattr(provider, field.name, None) for field in fields(AuthHooks)})


def _endpoint(module: ModuleType, name: str) -> Callable[..., Any] | None:
    function = getattr(module, name, None)
    return function if inspect.isfunction(function) and takes_request(function) else None


def takes_request(function: Any) -> bool:
    """Whether the first parameter is annotated as Starlette's ``Request`` or ``HTTPConnection``."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    if not parameters:
        return False
    annotation = parameters[0].annotation
    if isinstance(annotation, str):
        return annotation.strip("'\"").rpartition(".")[2] in _REQUESTS
    return getattr(annotation, "__name__", "") in _REQUESTS and getattr(
        annotation, "__module__", "").partition(".")[0] == "starlette"


def is_tornado(handler: Any) -> bool:
    """Whether it is a class of Tornado's handlers, without importing Tornado."""
    return inspect.isclass(handler) and any(
        (base.__module__, base.__name__) == ("tornado.web", "RequestHandler") for base in handler.__mro__)


def is_starlette(handler: Any) -> bool:
    """Whether it is an endpoint of Starlette's: a class, or a function of a ``Request``."""
    if inspect.isclass(handler):
        return issubclass(handler, HTTPEndpoint)
    return callable(handler)


def is_handler(handler: Any) -> bool:
    """Whether it can answer requests."""
    return is_tornado(handler) or is_starlette(handler)


def is_path(url: str | None) -> bool:
    """Whether a URL is one of this server."""
    return bool(url) and not str(url).startswith(("http://", "https://", "//"))

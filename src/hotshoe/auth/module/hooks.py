"""Reads the functions, handlers and URLs that an auth module (a file, a module or an object) defines."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from starlette.endpoints import HTTPEndpoint

from ...base.errors import ConfigError

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
    def user_function(self) -> Callable[..., Any]:
        """``get_user`` or ``get_user_async``."""
        function = self.get_user or self.get_user_async
        assert function is not None
        return function

    def check(self, where: str) -> None:
        """Raise ``ConfigError`` if the definitions contradict each other; the texts are those of ``bokeh serve``."""
        if problem := self._problem():
            raise ConfigError(f"{where}: {problem}")

    def _problem(self) -> str | None:
        for name in ("get_user", "get_user_async", "get_login_url", "authorize"):
            if (function := getattr(self, name)) is not None and not callable(function):
                return f"{name} must be a function, not {type(function).__name__}"
        if self.get_user and self.get_user_async:
            return "Only one of get_user or get_user_async should be supplied"
        if not (self.get_user or self.get_user_async):
            return "One of get_user or get_user_async must be supplied, or anybody could open the apps"
        if not (self.login_url or self.get_login_url):
            return "When user authentication is enabled, one of login_url or get_login_url must be supplied"
        if self.login_url and self.get_login_url:
            return "At most one of login_url or get_login_url should be supplied"
        if self.login_handler is not None and self.get_login_url:
            return "LoginHandler cannot be used with a get_login_url() function"
        return (_handler_problem("Login", self.login_handler, self.login_url)
                or _handler_problem("Logout", self.logout_handler, self.logout_url))


def _handler_problem(name: str, handler: Any, url: str | None) -> str | None:
    if handler is not None and not is_handler(handler):
        return f"{name}Handler must be a Tornado RequestHandler or a Starlette endpoint"
    if handler is not None and not is_path(url):
        return f"{name}Handler can only be used with a relative {name.lower()}_url"
    return None


def load_module(path: Path) -> ModuleType:
    """Run a file as a module. Raises ``ConfigError`` if there is no such file or it fails."""
    if not path.is_file():
        raise ConfigError(f"--auth-module: there is no file {path}")
    name = f"hotshoe_auth_{uuid4().hex}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--auth-module: {path} is not a Python module; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look for it there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(f"--auth-module: {path} failed: {type(error).__name__}: {error}") from error
    return module


def hooks_of_module(module: ModuleType) -> AuthHooks:
    """The hooks of a module. Functions ``login`` and ``logout`` that take Starlette's ``Request`` are handlers too."""
    login, logout = (_endpoint(module, name) for name in ("login", "logout"))
    found = hooks_of_object(module)
    return replace(
        found,
        login_url=found.login_url or ("/login" if login and not found.get_login_url else None),
        login_handler=getattr(module, "LoginHandler", login),
        logout_url=found.logout_url or ("/logout" if logout else None),
        logout_handler=getattr(module, "LogoutHandler", logout),
    )


def hooks_of_object(provider: Any) -> AuthHooks:
    """The hooks of an object like bokeh's ``AuthProvider``."""
    return AuthHooks(**{field.name: getattr(provider, field.name, None) for field in fields(AuthHooks)})


def _endpoint(module: ModuleType, name: str) -> Callable[..., Any] | None:
    function = getattr(module, name, None)
    return function if inspect.isfunction(function) and takes_request(function) else None


def takes_request(function: Any) -> bool:
    """Whether the first parameter is annotated as Starlette's ``Request`` or ``HTTPConnection``."""
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    annotation = None if first is None else first.annotation
    if isinstance(annotation, str):
        return annotation.strip("'\"").rpartition(".")[2] in _REQUESTS
    return getattr(annotation, "__name__", "") in _REQUESTS and getattr(
        annotation, "__module__", "").partition(".")[0] == "starlette"


def is_tornado(handler: Any) -> bool:
    """Whether it is a Tornado handler class; tells without importing Tornado."""
    return inspect.isclass(handler) and any(
        (base.__module__, base.__name__) == ("tornado.web", "RequestHandler") for base in handler.__mro__)


def is_starlette(handler: Any) -> bool:
    """Whether it is a Starlette endpoint: a class, or a function that takes a ``Request``."""
    if inspect.isclass(handler):
        return issubclass(handler, HTTPEndpoint)
    return callable(handler)


def is_handler(handler: Any) -> bool:
    """Whether it can respond to requests."""
    return is_tornado(handler) or is_starlette(handler)


def is_path(url: str | None) -> bool:
    """Whether a URL is a path on this server."""
    return bool(url) and not str(url).startswith(("http://", "https://", "//"))

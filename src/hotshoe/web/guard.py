"""What a program says of users beyond the settings, and the gatekeeper that comes of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..auth.access import Access
from ..auth.hooks import hooks_of_module, hooks_of_object
from ..auth.module import ModuleProvider
from ..auth.policy import PolicyProvider, is_policy
from ..auth.provider import Provider
from ..auth.providers import provider_of
from ..auth.user import User
from ..config.settings import LOGINS, Settings
from ..errors import ConfigError
from ..hosts.host import AppInfo
from ..tokens import derived
from .admission import Inquiry
from .gatekeeper import Gatekeeper
from .routes import Routes, normalized_prefix


@dataclass(frozen=True, slots=True)
class Guard:
    """Who knows the users, if not the settings, and a function that says whether one may open an app."""

    auth: Any = None
    """A ``Provider``, a value of ``--auth``, the path of an auth module, a module, or an object like bokeh's
    ``AuthPolicy`` or ``AuthProvider``."""
    authorize: Callable[..., Any] | None = None
    mounted: bool = False
    """Whether an outer framework may know the users."""

    def gatekeeper(self, settings: Settings, keys: Sequence[bytes], apps: Iterable[str],
                   on_logout: Callable[[User], None], inquiry: Inquiry | None = None) -> Gatekeeper:
        """The gatekeeper of a front; ``inquiry`` asks the site around it. Raises ``ConfigError``."""
        provider = self._provider(settings, keys, on_logout)
        if provider is None and inquiry is None and not self.mounted:
            for flag, given in (("--allow", settings.allow), ("--public", settings.public),
                                ("authorize=", self.authorize)):
                if given:
                    raise ConfigError(f"{flag} needs to know users: give --auth or --auth-module too")
        authorize = self.authorize or getattr(provider, "authorize", None)
        apps = list(apps)
        access = Access(settings.allow, settings.public, authorize=authorize, apps=apps)
        gate = Gatekeeper(provider, access, prefix=settings.prefix, max_body=settings.max_body_size,
                          inquiry=inquiry)
        gate.check_pages(Routes({url: AppInfo(url, url) for url in apps}, settings.prefix))
        return gate

    def _provider(self, settings: Settings, keys: Sequence[bytes],
                  on_logout: Callable[[User], None]) -> Provider | None:
        given = self.auth
        if isinstance(given, str) and given in LOGINS:
            return provider_of(settings.replace(auth=given), keys=keys, on_logout=on_logout)
        if given is None and settings.auth_module is None:
            return provider_of(settings, keys=keys, on_logout=on_logout)
        if given is not None and (settings.auth_module is not None or settings.auth != "none"):
            raise ConfigError("users are known in two ways: leave out auth=, or --auth and --auth-module")
        more: dict[str, Any] = {
            "prefix": normalized_prefix(settings.prefix), "cookie_secret": _cookie_secret(settings, keys),
            "xsrf": settings.enable_xsrf_cookies, "lifetime_s": settings.login_lifetime, "on_logout": on_logout}
        match given:
            case None:
                return ModuleProvider.load(str(settings.auth_module), **more)
            case str() | Path():
                return ModuleProvider.load(str(given), **more)
            case ModuleType():
                return ModuleProvider(hooks_of_module(given), name=given.__name__, **more)
        return _of_object(given, more)


def _of_object(given: Any, more: dict[str, Any]) -> Provider | None:
    if callable(getattr(given, "user_of", None)):
        provider: Provider = given
        return provider
    if is_policy(given):
        return PolicyProvider(given, prefix=more["prefix"])
    if not hasattr(given, "get_user") and not hasattr(given, "get_user_async"):
        raise ConfigError(f"auth= can't be {type(given).__name__}: give the path of an auth module, a Provider, or an "
                          "object like bokeh's AuthPolicy or AuthProvider")
    hooks = hooks_of_object(given)
    if hooks.get_user is None and hooks.get_user_async is None:
        return None  # bokeh's NullAuth
    return ModuleProvider(hooks, name=type(given).__name__, **more)


def _cookie_secret(settings: Settings, keys: Sequence[bytes]) -> str:
    """Given, or made of the server's key, so that logins outlive a restart."""
    if settings.cookie_secret:
        return settings.cookie_secret
    return derived(keys[0], "cookie secret").hex()

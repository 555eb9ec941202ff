"""Makes the gatekeeper from the settings and from a program's arguments ``auth``, ``authorize`` and ``guard``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ...auth.access import Access
from ...auth.module.hooks import hooks_of_module, hooks_of_object
from ...auth.module.module_login import ModuleProvider
from ...auth.module.policy import PolicyProvider, is_policy
from ...auth.provider import OnLogout, Provider
from ...auth.providers import provider_of
from ...base.errors import ConfigError
from ...base.shared import Shared
from ...config.settings import LOGINS, Settings
from ...hosts.host import AppInfo
from ...http.paths import normalized_prefix
from ...tokens import derived
from ..routes import Routes
from ..site.admission import SiteCheck
from ..site.extensions import Search
from ..site.guards import GuardCheck, is_function
from ..site.sites import Site
from .gatekeeper import Gatekeeper


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """The arguments ``auth``, ``authorize`` and ``guard`` of ``hotshoe.asgi``, ``hotshoe.wrap`` and ``Server``."""

    auth: Any = None
    """A ``Provider``, a value of ``--auth``, the path of an auth module, a module, or an object like bokeh's
    ``AuthPolicy`` or ``AuthProvider``."""
    authorize: Callable[..., Any] | None = None
    mounted: bool = False
    """Whether the front is mounted in another framework, which may identify the users."""
    extension: Any = field(default=Search.IN_SITE, kw_only=True)
    """The site's extension or the function that decides who may see the apps; ``None`` for none."""

    @property
    def checks_extensions(self) -> bool:
        """Whether startup fails if an extension exists that would not be asked. True unless ``guard=`` names one, or
        is ``None``."""
        return self.extension is Search.IN_SITE or is_function(self.extension)

    def site_check(self, site: Site | None, settings: Settings) -> SiteCheck | None:
        """Asks the site's extension or the function ``guard=`` who may see an app; ``None`` if there is neither."""
        if is_function(self.extension):
            return GuardCheck(self.extension, settings.prefix)
        return None if site is None or site.joined is None else SiteCheck(site, settings.prefix)

    def gatekeeper(self, settings: Settings, keys: Sequence[bytes], apps: Iterable[str], shared: Shared,
                   on_logout: OnLogout, site_check: SiteCheck | None = None) -> Gatekeeper:
        """The gatekeeper of a front. Raises ``ConfigError``."""
        provider = self._provider(settings, keys, shared, on_logout)
        if provider is None and site_check is None and not self.mounted:
            for flag, given in (("--allow", settings.allow), ("--public", settings.public),
                                ("authorize=", self.authorize)):
                if given:
                    raise ConfigError(f"{flag} needs a login: add --auth or --auth-module")
        authorize = self.authorize or getattr(provider, "authorize", None)
        apps = list(apps)
        access = Access(settings.allow, settings.public, authorize=authorize, apps=apps)
        gate = Gatekeeper(provider, access, prefix=settings.prefix, max_body=settings.max_body_size,
                          site_check=site_check)
        gate.check_pages(Routes({url: AppInfo(url, url) for url in apps}, settings.prefix))
        return gate

    def _provider(self, settings: Settings, keys: Sequence[bytes], shared: Shared,
                  on_logout: OnLogout) -> Provider | None:
        given = self.auth
        if isinstance(given, str) and given in LOGINS:
            return provider_of(settings.replace(auth=given), keys=keys, shared=shared, on_logout=on_logout)
        if given is None and settings.auth_module is None:
            return provider_of(settings, keys=keys, shared=shared, on_logout=on_logout)
        if given is not None and (settings.auth_module is not None or settings.auth != "none"):
            raise ConfigError("two logins are configured: leave out either auth=, or --auth and --auth-module")
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


def settings_of(settings: Settings | None, auth: Any, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a program: with ``overrides`` by name, and with ``auth`` if it is a value of ``--auth``."""
    if isinstance(auth, str) and auth in LOGINS:
        overrides = {**overrides, "auth": auth}
    return (settings or Settings()).replace(**overrides)


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
    """The secret of ``--cookie-secret``, or one derived from the server's key, so that logins survive a restart."""
    if settings.cookie_secret:
        return settings.cookie_secret
    return derived(keys[0], "cookie secret").hex()

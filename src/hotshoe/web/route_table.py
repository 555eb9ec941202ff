"""The routes of a front, which change with the host's apps."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..base.errors import UserError
from ..config import Settings
from ..hosts.host import AppInfo, Host
from .gate.gatekeeper import Gatekeeper
from .routes import Routes
from .site.sites import Site

_log = logging.getLogger(__name__)


class RouteTable:
    """The apps that are served, and the routes to them.

    It checks an app that is added while the server runs, as the apps at startup were checked: no login page may have
    its URL, and the extension of the site, if any, must be able to decide who may open it. Otherwise the app is not
    served.
    """

    def __init__(self, host: Host, settings: Settings, gate: Gatekeeper, site: Site | None) -> None:
        self._host = host
        self._prefix = settings.prefix
        self._gate = gate
        self._site = site
        self._checked = set(host.apps)  # the gatekeeper and the site check know these
        self.snapshot: Mapping[str, AppInfo] | None = None
        """The host's apps at the latest ``update``. Call ``update`` if the host has another mapping."""
        self.apps: Mapping[str, AppInfo] = {}
        """The apps that are served, by URL."""
        self.routes = Routes({})

    def check(self, url: str) -> None:
        """Raise ``ConfigError`` or ``AppError`` if no app can be at ``url``; otherwise tell the site about it."""
        if url in self._checked:
            return
        self._gate.check_pages(Routes({url: AppInfo(url, url)}, self._prefix))
        if self._site is not None and self._site.joined is not None:
            self._site.joined.join([*self._checked, url])
        self._checked.add(url)

    def update(self) -> None:
        """Make the routes from the host's apps."""
        self.snapshot = self._host.apps
        self.apps = {url: app for url, app in self.snapshot.items() if self._passes(url)}
        is_asked = self._site is not None and self._site.joined is not None
        self.routes = Routes(self.apps, self._prefix, login=self._gate.pages, has_site=self._site is not None,
                             withdrawn=self._checked - self.apps.keys() if is_asked else ())

    def _passes(self, url: str) -> bool:
        try:
            self.check(url)
        except UserError as error:
            _log.error("The app at %s is not served: %s", url, error)
            return False
        return True

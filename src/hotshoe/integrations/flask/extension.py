"""The public part of the Flask extension: it adds apps to each Flask app that it is initialized with.

In templates of the site, ``{{ bokeh_app("/sliders") }}`` shows an app in a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakSet

import flask
from flask import Blueprint, Flask

from ...apps import Target, load
from ...base.errors import AppError, ConfigError
from ...embed import app_tag
from ...embed.tags import Html, Resources
from ...http.paths import path_with
from ...web.site.extensions import declare_without_site, remove_without_site
from .site_apps import AppRoute, SiteApps

Fill = TypeVar("Fill", bound=Callable[..., Any])


class Hotshoe:
    """Bokeh apps as parts of a Flask site, behind the site's own logins.

    ``hotshoe.wrap(site)`` and ``hotshoe serve --wsgi`` serve the apps that are added here. They call the site's view
    at an app's URL to decide who may open it, so ``before_request`` and ``decorators`` (such as ``[login_required]``)
    guard an app as they guard a page. ``decorators`` of this class are for all apps, also for those of ``wrap`` and
    the command line.

    ``user()`` is called within the request and returns the user as text, mapping or object. The default is
    Flask-Login's ``current_user``, if the site has that. Apps get a copy of the user as ``session_context.user``, and
    a copy of Flask's session as ``session_context.request.session``.
    """

    def __init__(self, site: Flask | None = None, *, user: Callable[[], Any] | None = None,
                 decorators: Sequence[Callable[..., Any]] = ()) -> None:
        self._user = user
        self._decorators = tuple(decorators)
        self._routes: list[AppRoute] = []
        self._sites: WeakSet[SiteApps] = WeakSet()
        declare_without_site(self, "a Flask extension of hotshoe without a Flask app (call init_app)")
        if site is not None:
            self.init_app(site)

    @property
    def extensions(self) -> Mapping[str, SiteApps]:
        """The object for ``guard=``, as in a Flask app. Empty unless exactly one Flask app has the extension."""
        sites = list(self._sites)
        return {"hotshoe": sites[0]} if len(sites) == 1 else {}

    def init_app(self, site: Flask) -> None:
        """Add the apps to a Flask app.

        Raises ``ConfigError`` if it has such an extension, or ``host_matching``; ``AppError`` if the site uses a URL or
        endpoint already.
        """
        self._apps_of(site)

    def app(self, url: str, *, title: str = "", endpoint: str | None = None,
            decorators: Sequence[Callable[..., Any]] = (),
            blueprint: Blueprint | None = None) -> Callable[[Fill], Fill]:
        """Decorate a function ``fill(document)`` to make it the app at ``url``; the function itself is not changed.

        ``title`` is the title of the page. ``endpoint`` is the name for ``url_for``, by default the function's name.
        In a ``blueprint`` the URL is below the blueprint's URL, and its ``before_request`` guards the app too. Raises
        ``AppError``.
        """
        def add(fill: Fill) -> Fill:
            load(fill)  # raises errors at the line of the function
            self.add(url, _titled(fill, title) if title else fill, endpoint=endpoint or fill.__name__,
                     decorators=decorators, blueprint=blueprint)
            return fill

        return add

    def add(self, url: str, target: Target, *, endpoint: str | None = None,
            decorators: Sequence[Callable[..., Any]] = (), blueprint: Blueprint | None = None) -> None:
        """Add an app as in ``hotshoe.wrap``: a path (from the current directory) or a function of a document.

        The default ``endpoint`` is made from the URL: ``north_sales`` for ``/north/sales``. Raises ``AppError``.
        """
        route = AppRoute.of(url, target, endpoint, decorators)
        if blueprint is not None:
            self._add_to(blueprint, route)
            return
        for apps in self._sites:
            apps.add(route)
        self._routes.append(route)

    def _add_to(self, blueprint: Blueprint, route: AppRoute) -> None:
        def register(state: Any) -> None:
            name = ".".join(filter(None, (state.name_prefix, state.name, route.endpoint)))
            self._apps_of(state.app).add(route.below(state.url_prefix or "", name, state.subdomain))

        try:
            blueprint.record(register)
        except AssertionError:
            raise AppError(f"the app at {route.url} comes too late: the blueprint {blueprint.name} is already "
                           "registered") from None

    def _apps_of(self, site: Flask) -> SiteApps:
        apps = site.extensions.get("hotshoe")
        if isinstance(apps, SiteApps) and apps in self._sites:
            return apps
        if apps is not None:
            raise ConfigError(f"the Flask app {site.name} already has an extension named hotshoe: it can have one only")
        apps = SiteApps(site, self._user, self._decorators)
        for route in self._routes:
            apps.add(route)
        site.extensions["hotshoe"] = apps
        site.jinja_env.globals.setdefault("bokeh_app", bokeh_app)
        self._sites.add(apps)
        remove_without_site(self)
        return apps


def _titled(fill: Callable[..., Any], title: str) -> Callable[..., Any]:
    @wraps(fill)
    def fill_titled(document: Any) -> Any:
        document.title = title
        return fill(document)

    return fill_titled


def bokeh_app(app: str, *, arguments: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
              with_credentials: bool = False, resources: Resources = "default", nonce: str = "") -> Html:
    """The element of an app, by its URL in the site, its endpoint, or a result of ``url_for``.

    A URL of the site gets the path under which the site is mounted. For the rest see ``hotshoe.embed.app_tag``, which
    raises ``ValueError``; an unknown endpoint raises werkzeug's ``BuildError``.
    """
    return app_tag(_address(app), arguments=arguments, headers=headers, with_credentials=with_credentials,
                   resources=resources, nonce=nonce)


def _address(app: str) -> str:
    if not app.startswith("/"):
        return app if "://" in app else _quoted(flask.url_for(app))
    root = _root()
    is_of_app = (app.partition("?")[0].rstrip("/") or "/") in flask.current_app.extensions["hotshoe"].urls
    return _quoted(root + app if is_of_app else path_with(app, root))


def _root() -> str:
    """The path under which the site is mounted."""
    if flask.has_request_context():
        return flask.request.script_root
    return str(flask.current_app.config["APPLICATION_ROOT"]).rstrip("/")


def _quoted(url: str) -> str:
    """The URL without spaces: ``url_for`` quotes all but the path under which the site is mounted."""
    return url.replace(" ", "%20")

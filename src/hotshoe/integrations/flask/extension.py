"""The extension as its users see it: it is told of apps, and brings them to each Flask app that it is given to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakSet

from flask import Blueprint, Flask

from ...apps import Target, load
from ...errors import AppError, ConfigError
from .apps import Place, SiteApps
from .tags import bokeh_app

Fill = TypeVar("Fill", bound=Callable[..., Any])


class Hotshoe:
    """Bokeh apps as parts of a Flask site, behind the site's own logins.

    ``hotshoe.wrap(site)`` and ``hotshoe serve --wsgi`` serve what is added here, and ask the site's view at an app's
    URL who may open it: ``before_request`` and ``decorators`` (as ``[login_required]``) guard an app as they guard a
    page. ``decorators`` given here are for all apps, also for those of ``wrap`` and the command line.

    ``user()`` is called within the visitor's request and gives who it is, as text, mapping or object; without it, it
    is Flask-Login's ``current_user``, if the site has that. Apps have it as ``session_context.user``, and Flask's
    session as ``session_context.request.session``, both as copies.
    """

    def __init__(self, site: Flask | None = None, *, user: Callable[[], Any] | None = None,
                 decorators: Sequence[Callable[..., Any]] = ()) -> None:
        self._user = user
        self._decorators = tuple(decorators)
        self._places: list[Place] = []
        self._sites: WeakSet[SiteApps] = WeakSet()
        if site is not None:
            self.init_app(site)

    def init_app(self, site: Flask) -> None:
        """Bring the apps to a Flask app. Raises ``ConfigError`` if it has such an extension, ``AppError`` for a URL or
        an endpoint that is the site's own already."""
        self._apps_of(site)

    def app(self, url: str, *, title: str = "", endpoint: str | None = None,
            decorators: Sequence[Callable[..., Any]] = (),
            blueprint: Blueprint | None = None) -> Callable[[Fill], Fill]:
        """Make the function below, which fills the document that it gets, the app at ``url``; it stays what it is.

        ``title`` is that of its page. ``url_for`` knows it as ``endpoint``, the function's name unless given. In a
        ``blueprint`` the URL is below that of the blueprint, whose ``before_request`` guards it, too. Raises
        ``AppError``.
        """
        def add(fill: Fill) -> Fill:
            load(fill)  # raises here, where it stands
            self.add(url, _titled(fill, title) if title else fill, endpoint=endpoint or fill.__name__,
                     decorators=decorators, blueprint=blueprint)
            return fill

        return add

    def add(self, url: str, target: Target, *, endpoint: str | None = None,
            decorators: Sequence[Callable[..., Any]] = (), blueprint: Blueprint | None = None) -> None:
        """Add an app, as of ``hotshoe.wrap``: a path (from the current directory) or a function of a document.

        ``endpoint`` is made of the URL unless given: that of ``/north/sales`` is ``north_sales``. Raises ``AppError``.
        """
        place = Place.of(url, target, endpoint, decorators)
        if blueprint is not None:
            self._add_to(blueprint, place)
            return
        for apps in self._sites:
            apps.add(place)
        self._places.append(place)

    def _add_to(self, blueprint: Blueprint, place: Place) -> None:
        def register(state: Any) -> None:
            name = ".".join(filter(None, (state.name_prefix, state.name, place.endpoint)))
            self._apps_of(state.app).add(place.below(state.url_prefix or "", name))

        try:
            blueprint.record(register)
        except AssertionError:
            raise AppError(f"the app at {place.url} comes too late: the blueprint {blueprint.name} is registered "
                           "already") from None

    def _apps_of(self, site: Flask) -> SiteApps:
        apps = site.extensions.get("hotshoe")
        if isinstance(apps, SiteApps) and apps in self._sites:
            return apps
        if apps is not None:
            raise ConfigError(f"the Flask app {site.name} has an extension named hotshoe already: it can have one")
        apps = SiteApps(site, self._user, self._decorators)
        for place in self._places:
            apps.add(place)
        site.extensions["hotshoe"] = apps
        site.jinja_env.globals.setdefault("bokeh_app", bokeh_app)
        self._sites.add(apps)
        return apps


def _titled(fill: Callable[..., Any], title: str) -> Callable[..., Any]:
    @wraps(fill)
    def fill_titled(document: Any) -> Any:
        document.title = title
        return fill(document)

    return fill_titled

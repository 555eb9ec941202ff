"""The apps of one Flask app: each has a rule there, and the rule's view tells hotshoe the user.

The user and Flask's session are copied as plain data: no object of Flask's leaves the request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import flask

from ...apps import Target
from ...auth.identity import user_from
from ...base.errors import AppError, ConfigError
from ...base.users import User
from ...http.paths import normalized_url
from ...web.site.admission import ADMITTED, admission_of
from ...web.site.extensions import declare

View = Callable[..., Any]

_NOT_SERVED = """<!doctype html><meta charset="utf-8"><title>A Bokeh app</title>
<p>At {url} there is a Bokeh app. It needs a websocket, which Flask alone can't serve. Serve the site with hotshoe:
<code>hotshoe serve --wsgi site:app</code>, or <code>application = hotshoe.wrap(app)</code> under an ASGI server.
If you do that already, pass the Flask app itself, and put middleware around <code>app.wsgi_app</code>.</p>"""


@dataclass(frozen=True, slots=True)
class AppRoute:
    """An app, its URL and endpoint, and the decorators that guard it."""

    url: str
    target: Target
    endpoint: str
    decorators: tuple[Callable[[View], View], ...] = ()
    subdomain: str | None = None
    """The subdomain of its blueprint, for sites with ``subdomain_matching``."""

    @classmethod
    def of(cls, url: str, target: Target, endpoint: str | None, decorators: Iterable[Any]) -> AppRoute:
        """Raises ``AppError`` for a URL or endpoint that is not possible in Flask."""
        route = cls("", target, endpoint or _endpoint(url), tuple(decorators)).at(url)
        if "." in route.endpoint:
            raise AppError(f"the app at {url} can't have the endpoint {route.endpoint}: dots are for blueprints")
        return route

    def at(self, url: str) -> AppRoute:
        """The same at another URL. Raises ``AppError``."""
        if not isinstance(url, str) or not url.startswith("/") or "<" in url:
            raise AppError(f"an app's URL is a fixed path such as '/sliders', not {url!r}; an app gets variables as "
                           "arguments: /sliders?user=3")
        return replace(self, url=normalized_url(url))

    def below(self, prefix: str, endpoint: str, subdomain: str | None) -> AppRoute:
        """The same below the URL of a blueprint."""
        return replace(self.at(prefix.rstrip("/") + self.url), endpoint=endpoint, subdomain=subdomain)


class SiteApps:
    """The apps of a Flask app, as its ``extensions["hotshoe"]``, where the server finds it. Satisfies ``Joined``."""

    def __init__(self, site: flask.Flask, user: Callable[[], Any] | None, decorators: Sequence[Any]) -> None:
        """Raises ``ConfigError`` if no server could ask this site."""
        if site.url_map.host_matching:
            raise ConfigError(f"the Flask app {site.name} can't have hotshoe's extension, as it has "
                              "host_matching=True, and hotshoe serves an app at its path on every host: use "
                              "subdomain_matching=True, or put the apps into a Flask app of their own")
        self._site = site
        self._user = user
        self._decorators = tuple(decorators)
        self._routes: dict[str, AppRoute] = {}
        self._endpoints: dict[str, str] = {}
        self._is_joined = False
        declare(self, f"hotshoe's extension of the Flask app {site.name}")

    @property
    def apps(self) -> Mapping[str, Target]:
        """The apps of the site, by URL."""
        return {url: route.target for url, route in self._routes.items()}

    @property
    def urls(self) -> Collection[str]:
        """The URLs of all apps: of those of the site and of those that the server has in addition."""
        return self._endpoints.keys()

    def add(self, route: AppRoute) -> None:
        """Add an app. Raises ``AppError``."""
        if route.url in self._routes:
            raise AppError(f"there are two apps at {route.url}: give one of them another URL")
        if self._is_joined:
            raise AppError(f"the app at {route.url} comes too late: add it before hotshoe.wrap gets the site")
        self._add_rule(route)
        self._routes[route.url] = route

    def join(self, urls: list[str]) -> None:
        """Add rules for the apps that the server has in addition, also while it serves. Raises ``AppError``."""
        add_rule = self._add_late if self._is_joined else self._add_rule
        self._is_joined = True
        for url in urls:
            if url not in self._endpoints:
                # The prefix avoids a conflict: the endpoint of a page that embeds /sliders may be sliders.
                add_rule(AppRoute(url, None, f"hotshoe:{url}".replace(".", "_")))
            self._check_alone(url)

    def _add_late(self, route: AppRoute) -> None:
        """Add a rule after the first request. Flask's ``add_url_rule`` refuses that, since other processes of the site
        might not get the rule; but here each process adds it together with the app."""
        self._check_alone(route.url)
        rule = self._site.url_rule_class(route.url, endpoint=route.endpoint, methods={"GET", "OPTIONS"},
                                         strict_slashes=False)
        rule.provide_automatic_options = True  # type: ignore[attr-defined]
        self._site.view_functions[route.endpoint] = self._view(route)
        self._site.url_map.add(rule)
        self._endpoints[route.url] = route.endpoint

    def _add_rule(self, route: AppRoute) -> None:
        url, endpoint = route.url, route.endpoint
        self._check_alone(url)
        if endpoint in self._site.view_functions:
            raise AppError(f"the app at {url} can't have the endpoint {endpoint}, which is a view of the site: give "
                           "it another endpoint=")
        try:
            self._site.add_url_rule(url, endpoint, self._view(route), methods=["GET"], strict_slashes=False,
                                    subdomain=route.subdomain)
        except AssertionError:  # Flask raises it after the first request
            raise AppError(f"the app at {url} comes too late: the Flask app {self._site.name} has already answered "
                           "requests") from None
        self._endpoints[url] = endpoint

    def _check_alone(self, url: str) -> None:
        for rule in self._site.url_map.iter_rules():
            is_there = (rule.rule.rstrip("/") or "/") == url and "GET" in (rule.methods or {"GET"})
            if is_there and rule.endpoint != self._endpoints.get(url):
                raise AppError(f"the site already has a view at {url} ({rule.endpoint}): give the app another URL")

    def _view(self, route: AppRoute) -> View:
        def view(**_: Any) -> flask.Response:  # a subdomain may have variables
            admission = admission_of(flask.request.environ)
            if admission is None:
                return flask.Response(_NOT_SERVED.format(url=escape(route.url)), 501)
            proof = admission.admit(route.url, user=current_user(self._user), session=dict(flask.session))
            return flask.Response(status=ADMITTED, headers=proof)

        view.__name__ = route.endpoint.rpartition(".")[2]
        guarded: View = view
        for decorator in (*route.decorators, *self._decorators):
            guarded = decorator(guarded)
        return guarded


def _endpoint(url: str) -> str:
    return str(url).strip("/").replace("/", "_").replace(".", "_") or "bokeh_app"


def current_user(given: Callable[[], Any] | None) -> User | None:
    """The result of ``given``, else Flask-Login's user if the site has that; ``None`` if nobody has logged in."""
    if given is not None:
        return as_user(given())
    if getattr(flask.current_app, "login_manager", None) is None:
        return None
    import flask_login  # type: ignore[import-untyped]

    return as_user(flask_login.current_user)


def as_user(found: Any) -> User | None:
    """The user for an object; a user of Flask-Login has an id, whatever its other attributes are."""
    if found and not isinstance(found, Mapping) and callable(getattr(found, "get_id", None)):
        return user_from(_Identified(found))
    return user_from(found)


class _Identified:
    """A user whose ``id`` is the result of ``get_id``, unless it has an ``id``."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def __getattr__(self, name: str) -> Any:
        if name == "id" and getattr(self._user, name, None) is None:
            return self._user.get_id()
        return getattr(self._user, name)

"""The apps of one Flask app: each has a rule there, whose view says who visits it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import flask

from ...apps import Target
from ...errors import AppError
from ...web.admission import ADMISSION
from .visitors import session_now, user_now

View = Callable[..., Any]

_NOT_SERVED = """<!doctype html><meta charset="utf-8"><title>A Bokeh app</title>
<p>At {url} there is a Bokeh app, which needs a websocket that Flask alone can't serve. Serve the site with hotshoe:
<code>hotshoe serve --wsgi site:app</code>, or <code>application = hotshoe.wrap(app)</code> under an ASGI server.
Where that is done, give it the Flask app itself, and put middleware around <code>app.wsgi_app</code>.</p>"""


@dataclass(frozen=True, slots=True)
class Place:
    """An app, where it shall be, and what guards it."""

    url: str
    target: Target
    endpoint: str
    decorators: tuple[Callable[[View], View], ...] = ()

    @classmethod
    def of(cls, url: str, target: Target, endpoint: str | None, decorators: Iterable[Any]) -> Place:
        """Raises ``AppError`` for a URL or endpoint that Flask can't have."""
        place = cls("", target, endpoint or _endpoint(url), tuple(decorators)).at(url)
        if "." in place.endpoint:
            raise AppError(f"the app at {url} can't have the endpoint {place.endpoint}: dots are for blueprints")
        return place

    def at(self, url: str) -> Place:
        """The same at another URL. Raises ``AppError``."""
        if not isinstance(url, str) or not url.startswith("/") or "<" in url:
            raise AppError(f"an app's URL is a fixed path such as '/sliders', not {url!r}; what varies goes into its "
                           "arguments: /sliders?user=3")
        return replace(self, url="/" + url.strip("/"))

    def below(self, prefix: str, endpoint: str) -> Place:
        """The same below the URL of a blueprint."""
        return replace(self.at(prefix.rstrip("/") + self.url), endpoint=endpoint)


class SiteApps:
    """Flask has it as ``extensions["hotshoe"]``: the server finds the apps there (``web.sites.Joined``)."""

    def __init__(self, site: flask.Flask, user: Callable[[], Any] | None, decorators: Sequence[Any]) -> None:
        self._site = site
        self._user = user
        self._decorators = tuple(decorators)
        self._places: dict[str, Place] = {}
        self._endpoints: dict[str, str] = {}
        self._is_joined = False

    @property
    def apps(self) -> Mapping[str, Target]:
        """The apps that the site brings, by URL."""
        return {url: place.target for url, place in self._places.items()}

    @property
    def urls(self) -> Collection[str]:
        """Where there are apps, those that others have brought included."""
        return self._endpoints.keys()

    def add(self, place: Place) -> None:
        """Bring an app. Raises ``AppError``."""
        if place.url in self._places:
            raise AppError(f"there are two apps at {place.url}: give one of them another URL")
        if self._is_joined:
            raise AppError(f"the app at {place.url} comes too late: add it before hotshoe.wrap gets the site")
        self._add_rule(place)
        self._places[place.url] = place

    def join(self, urls: list[str]) -> None:
        """Hear of all apps: those that are not the site's get rules, too. Raises ``AppError``."""
        self._is_joined = True
        for url in urls:
            if url not in self._endpoints:
                # A name that no view has: a page that embeds /sliders may well be named sliders.
                self._add_rule(Place(url, None, f"hotshoe:{url}".replace(".", "_")))
            self._check_alone(url)

    def _add_rule(self, place: Place) -> None:
        url, endpoint = place.url, place.endpoint
        self._check_alone(url)
        if endpoint in self._site.view_functions:
            raise AppError(f"the app at {url} can't have the endpoint {endpoint}, which is a view of the site's: give "
                           "it another endpoint=")
        try:
            self._site.add_url_rule(url, endpoint, self._view(place), methods=["GET"], strict_slashes=False)
        except AssertionError:  # Flask's, after the first request
            raise AppError(f"the app at {url} comes too late: the Flask app {self._site.name} has answered requests "
                           "already") from None
        self._endpoints[url] = endpoint

    def _check_alone(self, url: str) -> None:
        for rule in self._site.url_map.iter_rules():
            is_there = (rule.rule.rstrip("/") or "/") == url and "GET" in (rule.methods or {"GET"})
            if is_there and rule.endpoint != self._endpoints.get(url):
                raise AppError(f"the site has a view at {url} already ({rule.endpoint}): give the app another URL")

    def _view(self, place: Place) -> View:
        def view() -> flask.Response:
            admission = flask.request.environ.get("asgi.scope", {}).get(ADMISSION)
            if admission is None:
                return flask.Response(_NOT_SERVED.format(url=escape(place.url)), 501)
            admission.admit(user=user_now(self._user), session=session_now())
            return flask.Response(status=204)

        view.__name__ = place.endpoint.rpartition(".")[2]
        guarded: View = view
        for decorator in (*place.decorators, *self._decorators):
            guarded = decorator(guarded)
        return guarded


def _endpoint(url: str) -> str:
    return str(url).strip("/").replace("/", "_").replace(".", "_") or "bokeh_app"

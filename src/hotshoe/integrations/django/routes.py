"""Where the apps are in a site's ``urls.py``, also below ``include()``. Apps have fixed URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver, get_resolver, path
from django.urls.resolvers import LocalePrefixPattern, RoutePattern

from .views import app_of, site_view

_LITERAL = re.compile(r"\^?((?:[^\\.*+?()\[\]{}|^$]|\\[^A-Za-z0-9])*)(?:\$|\\Z|\\z)?")
"""A regular expression that has one match, but for what may follow it."""


def find_apps() -> dict[str, Any]:
    """The apps by the path at which Django has them, ``/sliders/``. Raises ``ImproperlyConfigured``.

    Of two apps with one URL the first is it, as of any two views.
    """
    found: dict[str, Any] = {}
    for route, app in _walk(get_resolver().url_patterns, "/"):
        if all(url_of(route) != url_of(known) for known in found):
            found[route] = app
    return found


def url_of(route: str) -> str:
    """The URL by which hotshoe knows the app at ``route``: without a slash at its end."""
    return "/" + route.strip("/")


def add_route(url: str) -> None:
    """Have Django answer for ``url``, too; first of all, as the server has an app there."""
    resolver = get_resolver()
    # A property that is read once. The site's own urlpatterns stay as they are; they may be a tuple.
    resolver.url_patterns = [path(url.lstrip("/"), site_view), *resolver.url_patterns]


def _walk(patterns: Any, before: str | None) -> Iterator[tuple[str, Any]]:
    """``before`` is what all these begin with; ``None`` if that is not fixed."""
    for pattern in patterns:
        own = _fixed(pattern.pattern)
        route = None if before is None or own is None else before + own
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif (app := app_of(pattern.callback)) is not None:
            if route is None:
                raise ImproperlyConfigured(
                    f"the app {getattr(app, '__name__', app)} in urls.py can't have the URL pattern "
                    f"'{pattern.pattern}': an app's URL is fixed, without parameters and outside i18n_patterns(); an "
                    "app reads its arguments from the query")
            yield route, app


def _fixed(pattern: Any) -> str | None:
    """The one text that a pattern matches; ``None`` if there are several."""
    if isinstance(pattern, LocalePrefixPattern):
        return None
    if isinstance(pattern, RoutePattern):
        return None if pattern.converters else str(pattern)
    found = _LITERAL.fullmatch(pattern.regex.pattern)
    return None if found is None else re.sub(r"\\(.)", r"\1", found[1])

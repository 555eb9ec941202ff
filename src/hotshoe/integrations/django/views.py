"""Views of apps for Django, and the search for them in ``urls.py``, also below ``include()``.

hotshoe serves the app; a request that reaches the app's own view may open it. User and session are passed on as plain
data, so that nothing reads the database later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLResolver, get_resolver, path, resolve
from django.urls.resolvers import LocalePrefixPattern, RoutePattern

from ...http.paths import normalized_url

if TYPE_CHECKING:
    from ...base.users import User

_APP = "hotshoe_app"
"""The attribute of a view that holds its app. Decorators keep it: ``functools.wraps`` copies attributes."""
_NOT_SERVED = (
    "This Bokeh app is not served here: run an ASGI server on hotshoe.integrations.django.get_asgi_application() "
    "(see asgi.py), or manage.py runserver; WSGI has no websockets. If you do that already, a decorator hides the "
    "app's view: it has to use functools.wraps.\n"
)
OWN_VIEW = "hotshoe.django_view"
"""The key in the scope of a question for the view that is asked, as ``urls.py`` has it, with its decorators."""
FILES: set[Path] = set()
"""The scripts and directories of all apps so far."""

View = Callable[..., HttpResponse]

_LITERAL = re.compile(r"\^?((?:[^\\.*+?()\[\]{}|^$]|\\[^A-Za-z0-9])*)(?:\$|\\Z|\\z)?")
"""Matches the regular expressions that match one text only."""


def bokeh_view(app: Any) -> View:
    """A view of an app, for ``path()`` in ``urls.py``: ``app`` is the path of a script or directory, or ``f(doc)``.

    A relative path is relative to ``BASE_DIR`` of the settings, else to the current directory. The view can be
    decorated like any other: ``login_required(bokeh_view("sliders.py"))``. As a decorator, it makes a view of
    ``f(doc)``.
    """
    if isinstance(app, str | os.PathLike):
        app = Path(getattr(settings, "BASE_DIR", "") or "", app).absolute()
        FILES.add(app)

    def view(request: HttpRequest) -> HttpResponse:
        return site_view(request)

    view.__name__ = view.__qualname__ = str(getattr(app, "stem", getattr(app, "__name__", "bokeh_view")))
    setattr(view, _APP, app)
    return view


def site_view(request: HttpRequest) -> HttpResponse:
    """Admit the request to the app at this URL, if Django has found the app's own view for it.

    Another route may come first, and middleware may choose other routes, for instance by ``Host``. Such a view, which
    may have other decorators, says nothing about this app.
    """
    # Imported here: commands of manage.py that only load urls.py need no more of hotshoe.
    from ...http.scopes import ADMISSION
    from ...web.site.admission import ADMITTED

    scope = getattr(request, "scope", {})
    admission = scope.get(ADMISSION)
    if admission is None:
        return HttpResponse(_NOT_SERVED, status=501, content_type="text/plain; charset=utf-8")
    match = request.resolver_match
    if match is None or match.func is not scope.get(OWN_VIEW):
        admission.admit(f"the URL pattern '{match and match.route}'")
        return HttpResponse(status=404)
    proof = admission.admit(admission.app, user=user_of(request), session=session_of(request))
    # Django's caches keep responses of status 200 and 304 only, so the site is asked for each visitor.
    return HttpResponse(status=ADMITTED, headers={"Cache-Control": "no-store", **proof})


def app_of(view: Any) -> Any:
    """The app of a view, decorated or not; ``None`` for any other view."""
    while view is not None:
        if (app := getattr(view, _APP, None)) is not None:
            return app
        view = view.func if isinstance(view, partial) else getattr(view, "__wrapped__", None)
    return None


def user_of(request: HttpRequest) -> User | None:
    """The user who has logged in; ``None`` if nobody has, or if the site has no users."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    from ...base.users import User

    groups = getattr(user, "groups", None)  # a custom user model may have no groups
    return User(
        str(user.get_username()),
        email=_email(user),
        groups=frozenset() if groups is None else frozenset(groups.values_list("name", flat=True)),
        claims={
            "id": user.pk if isinstance(user.pk, int) else str(user.pk),
            "full_name": str(user.get_full_name()) if hasattr(user, "get_full_name") else "",
            "is_staff": bool(getattr(user, "is_staff", False)),
            "is_superuser": bool(getattr(user, "is_superuser", False)),
        },
    )


def session_of(request: HttpRequest) -> dict[str, Any] | None:
    """The data of Django's session; ``None`` if the site has no sessions."""
    session = getattr(request, "session", None)
    return None if session is None else dict(session.items())


def _email(user: Any) -> str:
    field = user.get_email_field_name() if hasattr(user, "get_email_field_name") else "email"
    return str(getattr(user, field, "") or "")


def find_apps() -> dict[str, Any]:
    """The apps by their path in Django, such as ``/sliders/``. Raises ``ImproperlyConfigured``.

    Of two apps at one URL the first one counts, as with any two views.
    """
    return {route: app_of(view) for route, view in find_views().items()}


def find_views() -> dict[str, View]:
    """The views of the apps of ``find_apps``, with their decorators."""
    found: dict[str, View] = {}
    for route, view in _walk(get_resolver().url_patterns, "/"):
        if all(normalized_url(route) != normalized_url(known) for known in found):
            found[route] = view
    return found


def find_hidden_apps() -> dict[str, str]:
    """The apps that nobody can open, as an earlier URL pattern takes their path; the pattern by the path."""
    hidden: dict[str, str] = {}
    for route, view in find_views().items():
        with suppress(Resolver404):
            if (match := resolve(route)).func is not view:
                hidden[route] = str(match.route)
    return hidden


def add_route(url: str) -> View:
    """Add a view of an app at ``url`` in front of all others, and return it: the server has an app there."""
    def view(request: HttpRequest) -> HttpResponse:
        return site_view(request)

    resolver = get_resolver()
    # A cached property. The site's own urlpatterns, which may be a tuple, stay as they are.
    resolver.url_patterns = [path(url.lstrip("/"), view), *resolver.url_patterns]
    return view


def _walk(patterns: Any, before: str | None) -> Iterator[tuple[str, View]]:
    """``before`` is the path in front of all these patterns; ``None`` if it is not fixed."""
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
            yield route, pattern.callback


def _fixed(pattern: Any) -> str | None:
    """The only text that a pattern matches; ``None`` if it matches several."""
    if isinstance(pattern, LocalePrefixPattern):
        return None
    if isinstance(pattern, RoutePattern):
        return None if pattern.converters else str(pattern)
    found = _LITERAL.fullmatch(pattern.regex.pattern)
    return None if found is None else re.sub(r"\\(.)", r"\1", found[1])

"""An app as a view of Django: whoever gets as far as the view may see the app. The app itself is served by hotshoe."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_APP = "hotshoe_app"
"""The attribute of a view. Decorators pass it on: ``functools.wraps`` copies attributes."""
_NOT_SERVED = (
    "This Bokeh app is not served here: run an ASGI server on hotshoe.integrations.django.get_asgi_application() "
    "(see asgi.py), or manage.py runserver; WSGI has no websockets. If that is so, a decorator hides the app's view: "
    "it has to use functools.wraps.\n"
)
_files: set[Path] = set()

View = Callable[..., HttpResponse]


def bokeh_view(app: Any) -> View:
    """A view of an app, for ``path()`` in ``urls.py``: ``app`` is the path of a script or directory, or ``f(doc)``.

    A relative path is below ``BASE_DIR`` of the settings, else below the current directory. The view can be decorated
    as any other: ``login_required(bokeh_view("sliders.py"))``; as a decorator it makes a view of ``f(doc)``.
    """
    if isinstance(app, str | os.PathLike):
        app = Path(getattr(settings, "BASE_DIR", "") or "", app).absolute()
        _files.add(app)

    def view(request: HttpRequest) -> HttpResponse:
        return _answer(request)

    view.__name__ = view.__qualname__ = str(getattr(app, "stem", getattr(app, "__name__", "bokeh_view")))
    setattr(view, _APP, app)
    return view


def site_view(request: HttpRequest) -> HttpResponse:
    """The view of an app that the server brings, and not the site."""
    return _answer(request)


def app_of(view: Any) -> Any:
    """The app that a view, decorated or not, is of; ``None`` for any other view."""
    while view is not None:
        if (app := getattr(view, _APP, None)) is not None:
            return app
        view = view.func if isinstance(view, partial) else getattr(view, "__wrapped__", None)
    return None


def files() -> frozenset[Path]:
    """The scripts and directories of all apps so far."""
    return frozenset(_files)


def _answer(request: HttpRequest) -> HttpResponse:
    # Late: commands of manage.py that only load urls.py need no more of hotshoe.
    from ...web.admission import ADMISSION
    from .visitors import session_of, user_of

    admission = getattr(request, "scope", {}).get(ADMISSION)
    if admission is None:
        return HttpResponse(_NOT_SERVED, status=501, content_type="text/plain; charset=utf-8")
    admission.admit(user=user_of(request), session=session_of(request))
    # Django's caches keep answers of status 200 and 304 only: each visitor is asked about anew.
    return HttpResponse(status=204, headers={"Cache-Control": "no-store"})

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from hotshoe.integrations.django import bokeh_view

if TYPE_CHECKING:
    from bokeh.document import Document


def hello(doc: Document) -> None:
    """Nothing to see."""


@bokeh_view
def decorated(doc: Document) -> None:
    """Nothing to see, either."""


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the site's own page")


urlpatterns = [
    path("page/", page),
    path("hello/", bokeh_view(hello), name="hello"),
    path("apps/", include([
        path("mine/", login_required(bokeh_view(hello)), name="mine"),
        path("decorated", decorated),
    ])),
]

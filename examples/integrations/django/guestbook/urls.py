from django.contrib.auth.decorators import login_required
from django.urls import path

from hotshoe.integrations.django import bokeh_view

from .plots import entries

urlpatterns = [
    path("entries/", bokeh_view(entries), name="entries"),
    path("welcome/", login_required(bokeh_view("guestbook/welcome.py")), name="welcome"),
]

"""What ``manage.py check`` says of hotshoe in a site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from .options import hotshoe_settings
from .routes import find_apps

_APP = "hotshoe.integrations.django"


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """``HOTSHOE`` has settings that there are."""
    try:
        hotshoe_settings()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint="`hotshoe settings` lists all.", id="hotshoe.E001")]
    return []


def check_apps(**_: Any) -> list[checks.CheckMessage]:
    """Apps have fixed URLs."""
    try:
        find_apps()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="hotshoe.E002")]
    return []


def check_runserver(**_: Any) -> list[checks.CheckMessage]:
    """``runserver`` is hotshoe's, and servers know what to serve."""
    found: list[checks.CheckMessage] = []
    if (other := get_commands().get("runserver")) != _APP:
        found.append(checks.Warning(
            f"manage.py runserver is that of {other}, which serves no websockets: apps do not work there.",
            hint=f"Put '{_APP}' before '{other}' in INSTALLED_APPS.", id="hotshoe.W001"))
    if not getattr(settings, "ASGI_APPLICATION", None):
        found.append(checks.Warning(
            "ASGI_APPLICATION is not set: runserver serves Django's own ASGI application with the apps.",
            hint="Set it to the application that asgi.py makes by hotshoe.integrations.django.get_asgi_application(), "
                 "such as 'project.asgi.application'.", id="hotshoe.W002"))
    return found

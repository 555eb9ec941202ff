# mypy: disable-error-code="misc"
"""hotshoe as one of Django's apps: its settings (``HOTSHOE = {"unused_session_lifetime_milliseconds": 60000}``), its
checks for ``manage.py check``, and the files that Django's autoreload watches.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands
from django.core.signals import request_started
from django.utils.autoreload import autoreload_started
from django.utils.crypto import salted_hmac

from ...base.errors import ConfigError, UserError
from ...config import Settings
from .views import FILES, find_apps, find_hidden_apps

_APP = "hotshoe.integrations.django"
_SALT = "hotshoe.integrations.django"


class HotshoeConfig(AppConfig):
    """Django's own description of an app."""

    name = "hotshoe.integrations.django"
    label = "hotshoe"
    verbose_name = "hotshoe"

    def ready(self) -> None:
        """Register checks and files; Django calls this once when it has read its settings."""
        register(check_settings)
        register(check_runserver)
        register(check_apps, Tags.urls)
        register(check_order, Tags.urls)
        autoreload_started.connect(_watch, dispatch_uid="hotshoe")
        request_started.connect(_close_unasked, dispatch_uid="hotshoe")


def _watch(sender: Any, **_: Any) -> None:
    """Let Django watch the scripts of apps; it does not know them, since they are not imported."""
    for file in FILES:
        if file.is_dir():
            sender.watch_dir(file, "**/*")
        else:
            sender.extra_files.add(file)


def _close_unasked(sender: Any, **_: Any) -> None:
    """Close the apps of a server whose site is Django's own application, made after the server had started."""
    # Imported late, since commands of manage.py should not wait for it. If nobody has imported it, there is no server.
    if (extensions := sys.modules.get("hotshoe.web.site.extensions")) is not None:
        extensions.close_unasked("Django's own application")


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Check that all settings in ``HOTSHOE`` exist."""
    try:
        hotshoe_settings()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint="`hotshoe settings` lists all.", id="hotshoe.E001")]
    return []


def check_apps(**_: Any) -> list[checks.CheckMessage]:
    """Check that all apps have fixed URLs."""
    try:
        find_apps()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="hotshoe.E002")]
    return []


def check_order(**_: Any) -> list[checks.CheckMessage]:
    """Check that no earlier URL pattern leads away from an app."""
    try:
        hidden = find_hidden_apps()
    except ImproperlyConfigured:  # told by check_apps
        return []
    return [checks.Warning(f"Nobody can open the app at {route}: the URL pattern '{pattern}' comes first.",
                           hint="Put the app's path() before it in urlpatterns.", id="hotshoe.W003")
            for route, pattern in hidden.items()]


def check_runserver(**_: Any) -> list[checks.CheckMessage]:
    """Check that ``runserver`` is hotshoe's, and that ``ASGI_APPLICATION`` is set."""
    found: list[checks.CheckMessage] = []
    if (other := get_commands().get("runserver")) != _APP:
        found.append(checks.Warning(
            f"manage.py runserver belongs to {other}, which serves no websockets: apps do not work with it.",
            hint=f"Put '{_APP}' before '{other}' in INSTALLED_APPS.", id="hotshoe.W001"))
    if not getattr(settings, "ASGI_APPLICATION", None):
        found.append(checks.Warning(
            "ASGI_APPLICATION is not set: runserver serves Django's own ASGI application with the apps.",
            hint="Set it to the name of the application in asgi.py, such as 'project.asgi.application', and make that "
                 "with hotshoe.integrations.django.get_asgi_application().", id="hotshoe.W002"))
    return found


def hotshoe_settings() -> Settings:
    """The settings in ``HOTSHOE``. If it has no key, one is derived from Django's ``SECRET_KEY``.

    So all processes of a site have the same key. Raises ``ImproperlyConfigured``.
    """
    given = getattr(settings, "HOTSHOE", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"HOTSHOE must be a dict of settings by name, not {type(given).__name__}")
    keys: dict[str, Any] = {}
    if not {"secret_key", "secret_file"} & given.keys():
        keys = {"secret_key": _key(settings.SECRET_KEY)}
        if "old_secret_keys" not in given:
            keys["old_secret_keys"] = tuple(_key(old) for old in settings.SECRET_KEY_FALLBACKS)
    try:
        return Settings().replace(**keys, **given)
    except (ConfigError, TypeError) as error:  # TypeError if a name is not a string
        raise ImproperlyConfigured(f"HOTSHOE: {error}") from None


@contextmanager
def with_django_errors() -> Generator[None]:
    """Raise ``ImproperlyConfigured`` for each ``UserError`` of hotshoe."""
    try:
        yield
    except UserError as error:
        raise ImproperlyConfigured(str(error)) from error


def _key(secret: Any) -> str:
    return str(salted_hmac(_SALT, "secret key", secret, algorithm="sha256").hexdigest())

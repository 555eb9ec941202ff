# mypy: disable-error-code="misc"
"""hotshoe as one of Django's apps: its checks, and what its autoreload looks at."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.autoreload import autoreload_started

from .checks import check_apps, check_runserver, check_settings
from .views import files


class HotshoeConfig(AppConfig):
    """Django's own description of an app."""

    name = "hotshoe.integrations.django"
    label = "hotshoe"
    verbose_name = "hotshoe"

    def ready(self) -> None:
        """Called once when Django has read its settings."""
        register(check_settings)
        register(check_runserver)
        register(check_apps, Tags.urls)
        autoreload_started.connect(_watch, dispatch_uid="hotshoe")


def _watch(sender: Any, **_: Any) -> None:
    """Scripts of apps are not imported, so that nobody else knows of them."""
    for file in files():
        if file.is_dir():
            sender.watch_dir(file, "**/*")
        else:
            sender.extra_files.add(file)

"""Django at work in this process. To be imported before anything that has models."""

from __future__ import annotations

import os
import types
from typing import Any

import django

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.integrations.django_site.settings"}

os.environ.update(SETTINGS)
django.setup()
for name in SETTINGS:  # processes that other tests start have settings of their own
    del os.environ[name]


def prepare() -> None:
    """Make the tables, if they are not there."""
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    connections.close_all()


def urls(*patterns: Any) -> types.ModuleType:
    """A ``urls.py``, to be the ``ROOT_URLCONF``."""
    module = types.ModuleType("urls")
    module.__dict__["urlpatterns"] = list(patterns)
    return module

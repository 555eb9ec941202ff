"""hotshoe's settings in Django's: ``HOTSHOE = {"unused_session_lifetime_milliseconds": 60000}``."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from ...config import Settings
from ...errors import ConfigError, UserError

_SALT = "hotshoe.integrations.django"


def hotshoe_settings() -> Settings:
    """What ``HOTSHOE`` sets; Django's ``SECRET_KEY`` signs, if no other key is given there.

    So all processes of a site sign alike. Raises ``ImproperlyConfigured`` in one line.
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
    except (ConfigError, TypeError) as error:  # a name may be no text
        raise ImproperlyConfigured(f"HOTSHOE: {error}") from None


@contextmanager
def in_words_of_django() -> Generator[None]:
    """A mistake in the site, found by hotshoe, is one of its configuration."""
    try:
        yield
    except UserError as error:
        raise ImproperlyConfigured(str(error)) from error


def _key(secret: Any) -> str:
    return str(salted_hmac(_SALT, "secret key", secret, algorithm="sha256").hexdigest())

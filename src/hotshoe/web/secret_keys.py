"""The secret keys of this server: those that are given, or one that is kept from the first start on."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from ..config import Settings
from ..errors import ConfigError
from ..tokens import kept_key
from ..tokens.keys import KEY_BYTES, SHORT_BYTES

_log = logging.getLogger(__name__)


def keys_of(settings: Settings) -> tuple[bytes, ...]:
    """The keys, the one that signs first. Raises ``ConfigError`` where one must be given and is not."""
    key = settings.secret_key
    if key is None and settings.session_ids in ("signed", "external-signed"):
        raise ConfigError(f"--session-ids={settings.session_ids} needs a key that all who sign share: make one with "
                          "`hotshoe secret`, and set the environment's BOKEH_SECRET_KEY to it")
    if key is not None and len(key) < SHORT_BYTES:
        _log.warning("BOKEH_SECRET_KEY is shorter than %d characters; make a better one with `hotshoe secret`",
                     SHORT_BYTES)
    old = (given.encode() for given in settings.old_secret_keys)
    return (_kept(settings) if key is None else key.encode(), *old)


def _kept(settings: Settings) -> bytes:
    file = state_folder() / "secret-key" if settings.secret_file is None else Path(settings.secret_file)
    try:
        return kept_key(file).encode()
    except OSError as error:
        if settings.secret_file is not None:
            raise ConfigError(f"--secret-file: {file} can't be read or made: {error.strerror}") from error
    _log.warning("No key can be kept in %s: pages and logins hold only until this process ends, and in no other; set "
                 "BOKEH_SECRET_KEY", file.parent)
    return secrets.token_bytes(KEY_BYTES)


def state_folder() -> Path:
    """Where this user's servers keep what outlives them."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base and Path(base).is_absolute() else Path("~/.local/state").expanduser()
    return home / "hotshoe"

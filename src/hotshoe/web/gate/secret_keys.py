"""The server's secret keys: those of the settings, or one that is made at the first start and kept in a file."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from ...base.errors import ConfigError
from ...base.folders import state_folder
from ...base.named_files import in_time, reason_of
from ...config import Settings
from ...tokens import SecretKeys, read_or_make_key
from ...tokens.keys import KEY_BYTES, SHORT_BYTES

_log = logging.getLogger(__name__)


def keys_of(settings: Settings, address: str = "") -> SecretKeys:
    """The keys of a server that listens at ``address``.

    Raises ``ConfigError`` if the settings require a key and have none.
    """
    key = settings.secret_key
    if key is None and settings.session_ids in ("signed", "external-signed"):
        raise ConfigError(f"--session-ids={settings.session_ids} needs a key that all programs that sign share: make "
                          "one with `hotshoe secret`, and put it into the environment variable BOKEH_SECRET_KEY")
    if key is not None and len(key) < SHORT_BYTES:
        _log.warning("BOKEH_SECRET_KEY is shorter than %d characters; make a better one with `hotshoe secret`",
                     SHORT_BYTES)
    if key is None and settings.secret_file is not None:
        key = _kept_in(settings.secret_file)
    old = tuple(given.encode() for given in settings.old_secret_keys)
    if key is None:
        return SecretKeys(old, _found(), settings.server_name, address)
    return SecretKeys((key.encode(), *old), None, settings.server_name, address)


def _kept_in(file: str) -> str:
    try:
        return in_time(lambda: read_or_make_key(Path(file)))
    except OSError as error:
        raise ConfigError(f"--secret-file: {file} can't be read or made: {reason_of(error)}") from error


def _found() -> bytes:
    try:
        return in_time(lambda: read_or_make_key(state_folder() / "secret-key")).encode()
    except OSError as error:
        _log.warning("Could not keep a secret key (%s): pages and logins are valid in this process only; set "
                     "BOKEH_SECRET_KEY", error)
    return secrets.token_bytes(KEY_BYTES)

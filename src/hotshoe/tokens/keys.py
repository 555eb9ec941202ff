"""The secret keys of a server: the newest signs, all are believed; each purpose has a key of its own.

Session ids and tokens use the keys as they are, since bokeh's own programs must be able to make and check them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError

KEY_BYTES = 48
SHORT_BYTES = 32
"""A key with less is warned of, as by bokeh."""
CLAIM_S = 5.0
"""How long the file of a key that another process is about to make may take."""


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose only, which tells nothing of the others."""
    return hmac.digest(key, f"hotshoe:{purpose}".encode(), hashlib.sha256)


def new_key() -> str:
    """A random key, as text."""
    return secrets.token_urlsafe(KEY_BYTES)


def kept_key(file: Path) -> str:
    """The key in the file, which is made if there is none; only its owner may read it.

    Several processes may start at once: one of them makes it. Raises ``ConfigError`` if the file is not what it
    should be, ``OSError`` if it can be neither read nor made.
    """
    with suppress(FileExistsError):
        _make(file)
    with file.open("rb") as opened:
        _check(file, os.fstat(opened.fileno()))
        key = opened.read(4096).decode("utf-8", "replace").strip()
    if len(key) < SHORT_BYTES:
        raise ConfigError(f"The secret key in {file} is not whole; delete the file, and a new one is made")
    return key


def _make(file: Path) -> None:
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{new_key()}\n")
        _publish(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, file: Path) -> None:
    """Give the draft its name unless somebody was faster; nobody ever sees half a key."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        _rename_once(draft, file)


def _rename_once(draft: Path, file: Path) -> None:
    """Give the draft its name, as only one of several processes does."""
    claim = file.with_name(f".{file.name}.claim")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        end = time.monotonic() + CLAIM_S
        while time.monotonic() < end:
            if file.exists():
                raise
            time.sleep(0.01)  # whoever has claimed it has only to rename; or has been killed
    try:
        if file.exists():
            raise FileExistsError(file)
        draft.rename(file)
    finally:
        claim.unlink(missing_ok=True)


def _check(file: Path, status: os.stat_result) -> None:
    if hasattr(os, "getuid") and (stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in (os.getuid(), 0)):
        raise ConfigError(f"Others may read the secret key in {file}; run: chmod 600 {file}, and own it")

"""The secret keys of a server, and signatures.

A signature has Bokeh's format: HMAC-SHA256 of text, in URL-safe base64 without padding. Session ids and tokens of other
programs are signed with the keys themselves, as bokeh signs them. Each other purpose has a derived key: the ids and
tokens of a server's own pages have one for each app.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import ConfigError
from ..base.files import open_regular

_BASE64 = re.compile(r"[A-Za-z0-9_-]*={0,2}")

KEY_BYTES = 48
SHORT_BYTES = 32
"""The server warns of a shorter key, as bokeh does."""
CLAIM_S = 5.0
"""How long to wait for another process that is making the file."""


def sign(text: str, key: bytes) -> str:
    """The signature of ``text``."""
    if not key:
        raise ValueError("an empty key signs nothing")
    return to_base64(hmac.digest(key, _bytes_of(text), hashlib.sha256))


def is_signed(text: str, signature: str, key: bytes) -> bool:
    """Whether ``signature`` is right for ``text``; takes the same time for right and wrong ones."""
    return hmac.compare_digest(_bytes_of(sign(text, key)), _bytes_of(signature))


def to_base64(data: bytes) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The inverse of ``to_base64``. Raises ``ValueError`` for text that is not URL-safe base64, padded or not."""
    if not _BASE64.fullmatch(text):  # b64decode would skip characters outside of the alphabet
        raise ValueError("not URL-safe base64")
    bare = text.rstrip("=")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # so that any text of a client can be checked


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose only; it reveals nothing about the others."""
    return hmac.digest(key, f"hotshoe:{purpose}".encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The keys of one server. The first one signs; all of them verify.

    Each app signs its session ids and tokens with keys of its own, derived from these. Servers to which one key was
    given may take each other's tokens, as processes of one server do. But all servers of a user find the key that the
    first of them has made. So keys that are derived from that one differ by server, too.
    """

    given: tuple[bytes, ...] = field(default=(), repr=False)
    """Those of the settings. Other programs may have them, too, and sign session ids and tokens for any app."""
    found: bytes | None = field(default=None, repr=False)
    """The server's own, if no key was given."""
    name: str = ""
    """The server's name. Servers with one name and one key are processes of the same server."""
    address: str = ""
    """Where the server listens; empty if that is unknown."""

    @property
    def all(self) -> tuple[bytes, ...]:
        """All keys."""
        return self.given if self.found is None else (self.found, *self.given)

    def of_app(self, mount: str, url: str, origin: str) -> tuple[bytes, ...]:
        """The keys of the app at ``url`` below a ``mount``; ``origin`` tells what the app is made from."""
        given = tuple(self._derived(key, mount, url) for key in self.given)
        if self.found is None:
            return given
        server = () if self.name else (self.address, origin)
        return self._derived(self.found, mount, url, *server), *given

    def _derived(self, key: bytes, *place: str) -> bytes:
        return derived(key, json.dumps(["app", self.name, *place]))


def new_key() -> str:
    """A random key, as text."""
    return secrets.token_urlsafe(KEY_BYTES)


def read_or_make_key(file: Path) -> str:
    """The key in the file. Makes the file if it is missing; only its owner may read it.

    If several processes start at once, one of them makes it. Raises ``ConfigError`` if the file is not safe or not
    complete, ``OSError`` if it can be neither read nor made.
    """
    with suppress(FileExistsError):
        _make(file)
    with open_regular(file, follow_links=True) as opened:  # does not wait for a pipe
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        _check(file, status)
        key = opened.read(4096).decode("utf-8", "replace").strip()
    if len(key) < SHORT_BYTES:
        raise ConfigError(f"The secret key in {file} is incomplete: delete the file, and the server makes a new one")
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
    """Give the draft its final name, unless another process was faster. No process ever sees half a key."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        _rename_once(draft, file)


def _rename_once(draft: Path, file: Path) -> None:
    """Rename the draft; of several processes only one does so."""
    claim = file.with_name(f".{file.name}.claim")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        end = time.monotonic() + CLAIM_S
        while time.monotonic() < end:
            if file.exists():
                raise
            time.sleep(0.01)  # the other process has only to rename, unless it was killed
    try:
        if file.exists():
            raise FileExistsError(file)
        draft.rename(file)
    finally:
        claim.unlink(missing_ok=True)


def _check(file: Path, status: os.stat_result) -> None:
    if hasattr(os, "getuid") and (stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in (os.getuid(), 0)):
        raise ConfigError(f"Other users may read the secret key in {file}: make the server's user its owner, and run: "
                          f"chmod 600 {file}")

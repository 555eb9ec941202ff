"""Passwords and their hashes (argon2id). A check takes 64 MiB and much of a core, so only few run at once."""

from __future__ import annotations

import asyncio
import unicodedata
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ...base.errors import RequestError
from ...base.threads import ThreadPool

SHORTEST = 8
"""In characters (NIST SP 800-63B, section 3.1.1.2)."""
LONGEST = 1024

_AT_ONCE = 2
_MOST_WAITING = 50


def hash_password(password: str, hasher: PasswordHasher | None = None) -> str:
    """The hash to store. Raises ``ValueError``, with the reason, for a password that is too short or too long."""
    if len(password) < SHORTEST:
        raise ValueError(f"a password needs at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise ValueError(f"a password has at most {LONGEST} characters")
    return (hasher or PasswordHasher()).hash(_bytes_of(password))


class Passwords:
    """Checks passwords, on threads of its own."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPool(_AT_ONCE, name="hotshoe-passwords")
        self._waiting = 0

    @cached_property
    def _dummy_hash(self) -> str:
        return self._hasher.hash(b"nobody has this password")

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether this is the password. For an unknown user, ``hashed`` is ``None``; the check then takes as long.

        Raises ``RequestError`` if too many checks wait already.
        """
        if self._waiting >= _AT_ONCE + _MOST_WAITING:
            raise RequestError("Too many people are logging in at this moment. Please try again soon.", status=503)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._matches, hashed, password)
        finally:
            self._waiting -= 1

    async def stronger_hash(self, hashed: str, password: str) -> str | None:
        """The hash to store in place of ``hashed``, if that was made with weaker parameters; else ``None``."""
        if not self._hasher.check_needs_rehash(hashed):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, _bytes_of(password))

    def close(self) -> None:
        """End the threads. Checks that wait are cancelled."""
        self._threads.shutdown(cancel_futures=True)

    def _matches(self, hashed: str | None, password: str) -> bool:
        if len(password) > LONGEST:
            hashed = None
        try:
            return self._hasher.verify(hashed or self._dummy_hash, _bytes_of(password)) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


def _bytes_of(password: str) -> bytes:
    """The same bytes for all Unicode forms in which keyboards send a letter."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace")

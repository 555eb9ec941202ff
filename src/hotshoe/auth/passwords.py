"""Passwords and their hashes (argon2id). A check takes 64 MiB and a good part of a core, so few run at once."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..errors import RequestError

SHORTEST = 8
"""In characters (NIST SP 800-63B, section 3.1.1.2)."""
LONGEST = 1024

_AT_ONCE = 2
_MOST_WAITING = 50


def hash_password(password: str, hasher: PasswordHasher | None = None) -> str:
    """The hash to keep. Raises ``ValueError``, which says what is wrong, for a password that can't be one."""
    if len(password) < SHORTEST:
        raise ValueError(f"a password needs at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise ValueError(f"a password has at most {LONGEST} characters")
    return (hasher or PasswordHasher()).hash(_bytes_of(password))


class Passwords:
    """Checks passwords on threads of its own."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hotshoe-passwords")
        self._waiting = 0

    @cached_property
    def _of_nobody(self) -> str:
        return self._hasher.hash(b"nobody has this password")

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password. For a user that does not exist, ``None``, it takes as long to say no.

        Raises ``RequestError`` if too many wait already.
        """
        if self._waiting >= _AT_ONCE + _MOST_WAITING:
            raise RequestError("Too many people are logging in at this moment. Please try again soon.", status=503)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._matches, hashed, password)
        finally:
            self._waiting -= 1

    async def renewed(self, hashed: str, password: str) -> str | None:
        """The hash to keep from now on, if this one was made with weaker parameters."""
        if not self._hasher.check_needs_rehash(hashed):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, _bytes_of(password))

    def close(self) -> None:
        """Let the threads end. Nothing is checked any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, hashed: str | None, password: str) -> bool:
        if len(password) > LONGEST:
            hashed = None
        try:
            return self._hasher.verify(hashed or self._of_nobody, _bytes_of(password)) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


def _bytes_of(password: str) -> bytes:
    """Keyboards write the same letter in several ways."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace")

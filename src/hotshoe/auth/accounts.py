"""The interface to accounts, the users with a password. ``basic/users_file.py`` keeps them in a file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

_NAME = re.compile(r"(?!@)[\w.@+-]{1,64}")
_EMAIL = re.compile(r"[^\s:,@]{1,64}@[^\s:,@]{1,190}")
_GROUP = re.compile(r"(?!@)[\w.@+/-]{1,64}")
"""A rule like ``--allow app=@ada`` means the user ada, so no name begins with @."""
_HASH = re.compile(r"\$argon2(id|i|d)\$[A-Za-z0-9+/=$,]{10,500}")


@dataclass(frozen=True, slots=True)
class Account:
    """A user who has a password. Raises ``ValueError``, with the reason, for values that no account can have."""

    name: str
    hash: str = field(repr=False)
    email: str = ""
    groups: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_user(self.name, self.email, self.groups)
        if not _HASH.fullmatch(self.hash):
            raise ValueError(f"the hash of {self.name} is not one of argon2")


def check_user(name: str, email: str, groups: Iterable[str]) -> None:
    """Raise ``ValueError``, with the reason, if there can't be an account with these values."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name: it has up to 64 letters, digits and . _ - + @, and does not begin "
                         "with @")
    if email and not (_EMAIL.fullmatch(email) and email.isprintable()):
        raise ValueError(f"{email!r} is not an e-mail address")
    for group in groups:
        if not _GROUP.fullmatch(group):
            raise ValueError(f"{group!r} is not the name of a group: it has up to 64 letters, digits and . _ - + @ /, "
                             "and does not begin with @")


class Accounts(Protocol):
    """The accounts of a server. No method blocks the event loop; several processes may change the same accounts."""

    async def find(self, name: str) -> Account | None:
        """The account of this name. After ``change`` has returned, this finds its result."""

    async def all(self) -> Mapping[str, Account]:
        """All accounts, by name."""

    async def change(self, old: Account | None, new: Account | None) -> bool:
        """Replace ``old`` by ``new``, if the stored account still equals ``old``; return whether it did.

        ``None`` means no account: ``old=None`` adds one if its name is free, ``new=None`` removes one. Of several
        concurrent changes of the same ``old``, one succeeds. Raises ``ValueError`` if the two have different names, and
        ``OSError`` if the change can't be stored.
        """

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """Watch for changes by any process: yields the names of accounts that were added, changed or removed.

        No change is missed once this has returned. The iterator does not end; it raises ``OSError`` if the accounts
        can't be reached any more.
        """

    async def close(self) -> None:
        """Release threads and connections. The next call opens them again."""

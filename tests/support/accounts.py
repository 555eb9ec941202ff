"""Accounts for tests: a users file at once, and accounts that are in no file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from hotshoe.auth.accounts import Account


def write_users(path: Path, *accounts: Account) -> None:
    """Make the users file of these accounts."""
    path.touch(0o600)
    path.write_text("".join(f"{account.name}:{account.hash}:{account.email}:{','.join(sorted(account.groups))}\n"
                            for account in accounts))


class MemoryAccounts:
    """``Accounts`` that end with the process."""

    def __init__(self, *accounts: Account) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._watches: list[asyncio.Queue[str | None]] = []

    async def find(self, name: str) -> Account | None:
        return self._accounts.get(name)

    async def all(self) -> Mapping[str, Account]:
        return dict(self._accounts)

    async def change(self, old: Account | None, new: Account | None) -> bool:
        names = {account.name for account in (old, new) if account is not None}
        if len(names) > 1:
            raise ValueError("a change can't rename an account")
        for name in names:
            if self._accounts.get(name) != old:
                return False
            self._accounts.pop(name, None)
            if new is not None:
                self._accounts[name] = new
            for queue in self._watches:
                queue.put_nowait(name)
        return True

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._watches.append(queue)

        async def changes() -> AsyncIterator[frozenset[str]]:
            while (name := await queue.get()) is not None:
                yield frozenset({name})
            raise ConnectionError("they can't be reached")

        return changes()

    def break_watches(self) -> None:
        """As when the place of the accounts can't be reached."""
        for queue in self._watches:
            queue.put_nowait(None)
        self._watches.clear()

    async def close(self) -> None:
        pass

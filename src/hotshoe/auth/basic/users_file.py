"""The file with the users of ``--auth basic``: a line for each, ``NAME:HASH:EMAIL:GROUP,GROUP``.

The file is replaced as a whole, so that nobody reads half of it, and read again when it has changed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from ...base.errors import ConfigError
from ...base.files import read_regular
from ...base.folders import stamp_of
from ...base.locks import locked
from ...base.named_files import in_time, reason_of
from ...base.process_threads import in_thread
from ..accounts import Account
from ..calls import Calls

_log = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""How long the server waits for the disk."""
CHANGE_S = 30.0
"""How long a change may take, which waits for the disk and for other processes that change the file."""
MOST_BYTES = 64 << 20
"""Of a file that is read: there is room for 300,000 accounts."""
LOOK_EVERY_S = 2.0
"""How often ``watch`` looks at the file."""

_HEADING = "# Users of hotshoe serve --auth basic; made by hotshoe user."
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_ByName = dict[str, Account]


class UsersFile:
    """``Accounts`` in a file.

    A thread looks at the file, once for all concurrent callers. If that takes longer than ``PATIENCE_S``, the accounts
    of the last look are used: nobody can change a file on a disk that does not respond.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.absolute()  # an app may change the folder
        self._calls = Calls(threads=1)
        self._look: asyncio.Task[_ByName] | None = None
        self._began_s = 0.0
        self._known: _ByName = {}
        self._reading = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._accounts: _ByName = {}
        """As they were read last; ``_reading`` guards this and the fingerprint."""

    def check(self) -> None:
        """Raise ``ConfigError`` if the file does not exist or can't be read. This blocks."""
        hint = f"make it with hotshoe user add NAME --users-file {self._path}"
        try:
            text = in_time(partial(_text_of, self._path))
        except FileNotFoundError:
            raise ConfigError(f"the users file {self._path} does not exist; {hint}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the users file {self._path} can't be read: {_reason(error)}") from error
        for number, line in _lines(text):
            if isinstance(found := _account_of(line), str):
                raise ConfigError(f"{self._path}, line {number}: {found}")
        if not _is_private(self._path):
            _log.warning("The users file %s can be read by others than its owner; chmod 600 prevents it", self._path)

    async def find(self, name: str) -> Account | None:
        """See ``Accounts``."""
        return (await self.all()).get(name)

    async def all(self) -> Mapping[str, Account]:
        """See ``Accounts``."""
        loop = asyncio.get_running_loop()
        if self._look is None:
            self._began_s = loop.time()
            self._look = loop.create_task(self._calls.unlimited(self._read))
            self._look.add_done_callback(self._keep)
        await asyncio.wait([self._look], timeout=max(0.0, self._began_s + PATIENCE_S - loop.time()))
        return self._known

    async def change(self, old: Account | None, new: Account | None) -> bool:
        """See ``Accounts``."""
        names = {account.name for account in (old, new) if account is not None}
        if len(names) > 1:
            raise ValueError("a change can't rename an account")
        try:
            async with asyncio.timeout(CHANGE_S):
                return not names or await in_thread(_change, self._file, names.pop(), old, new)
        except TimeoutError as error:
            raise OSError(f"the disk does not respond within {CHANGE_S:g} s") from error
        finally:
            self._look = None  # it may have begun before the change

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """See ``Accounts``."""
        return self._changes(await self.all())

    async def close(self) -> None:
        """See ``Accounts``."""
        if self._look is not None:
            self._look.cancel()
        self._calls.stop()

    async def _changes(self, before: Mapping[str, Account]) -> AsyncIterator[frozenset[str]]:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = await self.all()
            if names := frozenset(name for name in {**before, **now} if before.get(name) != now.get(name)):
                yield names
            before = now

    def _keep(self, look: asyncio.Task[_ByName]) -> None:
        if self._look is look:
            self._look = None
        if not look.cancelled() and look.exception() is None:
            self._known = look.result()

    def _read(self) -> _ByName:
        """The accounts of the file now. Runs on a thread."""
        with self._reading:
            seen = stamp_of(self._file)
            if seen != self._stamp:
                self._stamp, self._accounts = seen, _read_accounts(self._file)
            return self._accounts


def _text_of(path: Path) -> str:
    """The file's text. Raises ``OSError``, ``UnicodeDecodeError``."""
    return read_regular(path, MOST_BYTES).decode("utf-8")


def _read_accounts(path: Path) -> _ByName:
    accounts: _ByName = {}
    try:
        text = _text_of(path)
    except (OSError, UnicodeDecodeError) as error:
        _log.error("The users file %s can't be read, so nobody can log in: %s", path, _reason(error))
        return accounts
    for number, line in _lines(text):
        found = _account_of(line)
        if isinstance(found, str):
            _log.error("%s, line %d, is ignored: %s", path, number, found)
        else:
            accounts[found.name] = found
    return accounts


def _change(path: Path, name: str, old: Account | None, new: Account | None) -> bool:
    """``UsersFile.change``, blocking. All other lines stay: one that can't be read may be somebody's account."""
    with locked(path):
        try:
            lines = _text_of(path).splitlines()
        except UnicodeDecodeError as error:
            raise OSError(_reason(error)) from error
        accounts = [_account_named(name, line) for line in lines]
        if next(filter(None, reversed(accounts)), None) != old:
            return False
        kept = [line for line, account in zip(lines, accounts, strict=True) if account is None]
        if not any(line.startswith("#") for line in kept):
            kept.insert(0, _HEADING)
        if new is not None:
            kept.append(_line_of(new))
        _replace(path, "".join(f"{line}\n" for line in kept))
        return True


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines that should be accounts."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _account_named(name: str, line: str) -> Account | None:
    """The account of a line, if it has this name."""
    found = None if line.startswith("#") else _account_of(line)
    return found if isinstance(found, Account) and found.name == name else None


def _account_of(line: str) -> Account | str:
    """The account of a line, or what is wrong with the line."""
    fields = line.strip().split(":")
    if len(fields) != 4:
        return "it is not NAME:HASH:EMAIL:GROUP,GROUP"
    name, hashed, email, groups = fields
    if any("$argon2" in each for each in (name, email, groups)):
        return "its hash is not in the second place"  # no other error may show it
    try:
        return Account(name, hashed, email, frozenset(filter(None, groups.split(","))))
    except ValueError as error:
        return str(error)


def _line_of(account: Account) -> str:
    return f"{account.name}:{account.hash}:{account.email}:{','.join(sorted(account.groups))}"


def _is_private(path: Path) -> bool:
    return os.name == "nt" or not path.stat().st_mode & _OPEN_TO_OTHERS


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"


def _replace(path: Path, text: str) -> None:
    """Put a new file with this text in the place of the old one."""
    path = path.resolve()  # so that a link stays a link
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(path, name)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _keep_owner(path: Path, name: str) -> None:
    """Give the new file the owner and mode of the old one: root may run ``hotshoe user``, another user the server."""
    if os.name == "nt":
        return
    old = path.stat()
    Path(name).chmod(stat.S_IMODE(old.st_mode))
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(name, old.st_uid, old.st_gid)

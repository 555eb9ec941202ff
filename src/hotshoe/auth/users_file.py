"""The file with the users of ``--auth basic``: a line for each, ``NAME:HASH:EMAIL:GROUP,GROUP``.

It is replaced as a whole, so that nobody reads half of it, and read again when it has changed.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[\w.@+-]{1,64}")
_EMAIL = re.compile(r"[^\s:,@]{1,64}@[^\s:,@]{1,190}")
_GROUP = re.compile(r"[\w.@+/-]{1,64}")
_HASH = re.compile(r"\$argon2(id|i|d)\$[A-Za-z0-9+/=$,]{10,500}")
_HEADING = "# Users of hotshoe serve --auth basic; made by hotshoe user.\n"
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Account:
    """A user who has a password. Raises ``ValueError``, which says what is wrong, if the file can't hold it."""

    name: str
    hash: str = field(repr=False)
    email: str = ""
    groups: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_user(self.name, self.email, self.groups)
        if not _HASH.fullmatch(self.hash):
            raise ValueError(f"the hash of {self.name} is not one of argon2")

    @classmethod
    def parse(cls, line: str) -> Account:
        """What a line of the file says."""
        name, hashed, email, groups = line.split(":")
        return cls(name, hashed, email, frozenset(filter(None, groups.split(","))))

    @property
    def line(self) -> str:
        """Its line in the file."""
        return f"{self.name}:{self.hash}:{self.email}:{','.join(sorted(self.groups))}"


Accounts = dict[str, Account]


def check_user(name: str, email: str, groups: Iterable[str]) -> None:
    """Raise ``ValueError``, which says what is wrong, if the file can't hold such a user."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name: it has up to 64 letters, digits and . _ - + @")
    if email and not _EMAIL.fullmatch(email):
        raise ValueError(f"{email!r} is not an e-mail address")
    for group in groups:
        if not _GROUP.fullmatch(group):
            raise ValueError(f"{group!r} is not a name of a group: it has up to 64 letters, digits and . _ - + @ /")


class UsersFile:
    """The accounts, as they are in the file now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._accounts: Accounts = {}
        self._seen: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise ``ConfigError`` if the file is not there or can't be read."""
        hint = f"make it with hotshoe user add NAME --users-file {self._path}"
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(f"the users file {self._path} does not exist; {hint}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the users file {self._path} can't be read: {_reason(error)}") from error
        for number, line in _lines(text):
            if isinstance(found := _account(line), str):
                raise ConfigError(f"{self._path}, line {number}: {found}")
        if not _is_private(self._path):
            _log.warning("The users file %s can be read by others than its owner; chmod 600 prevents it", self._path)

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        self._refresh()
        return self._accounts.get(name)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """All of them, by name."""
        self._refresh()
        return self._accounts

    @contextmanager
    def change(self) -> Iterator[Accounts]:
        """The accounts, to be changed and then written; nobody else changes them meanwhile. Raises ``OSError``."""
        with _locked(self._path):
            text = self._path.read_text(encoding="utf-8")
            # A line that can't be read stays as it is: it may be somebody's.
            foreign = [line for line in text.splitlines() if isinstance(_account(line), str)]
            read = [_account(line) for _, line in _lines(text)]
            accounts = {found.name: found for found in read if isinstance(found, Account)}
            yield accounts
            lines = [*foreign, *(account.line for account in accounts.values())]
            comments = "".join(line + "\n" for line in text.splitlines() if line.startswith("#")) or _HEADING
            _replace(self._path, comments + "".join(line + "\n" for line in lines))

    def _refresh(self) -> None:
        seen = _fingerprint(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        self._accounts = {}
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            _log.error("The users file %s can't be read, so nobody can log in: %s", self._path, _reason(error))
            return
        for number, line in _lines(text):
            found = _account(line)
            if isinstance(found, str):
                _log.error("%s, line %d, does not count: %s", self._path, number, found)
            elif found is not None:
                self._accounts[found.name] = found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _account(line: str) -> Account | str | None:
    """The account of a line; what is wrong with it; nothing if it is none."""
    if not line.strip() or line.startswith("#"):
        return None
    if line.count(":") != 3:
        return "it is not NAME:HASH:EMAIL:GROUP,GROUP"
    try:
        return Account.parse(line.strip())
    except ValueError as error:
        return str(error)


def _fingerprint(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_private(path: Path) -> bool:
    return os.name == "nt" or not path.stat().st_mode & _OPEN_TO_OTHERS


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"


def _replace(path: Path, text: str) -> None:
    """Put a new file in its place, with the owner and mode of the old one."""
    path = path.resolve()  # a link stays one
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
    """``hotshoe user`` may be run by root, and the server by somebody else."""
    if os.name == "nt":
        return
    old = path.stat()
    Path(name).chmod(stat.S_IMODE(old.st_mode))
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(name, old.st_uid, old.st_gid)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file. It is made if it is not there."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if fcntl is None:  # two changes at once can lose one; an open file can't be replaced there
            os.close(descriptor)
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                yield
                return
            # Somebody has replaced it while we waited: what is locked is the old one.
        finally:
            os.close(descriptor)

"""The users file: never half, never open, read again when it changes."""

from __future__ import annotations

import logging
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from hotshoe.auth.users_file import Account, UsersFile
from hotshoe.errors import ConfigError

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


def add(path: Path, *names: str) -> None:
    with UsersFile(path).change() as accounts:
        for name in names:
            accounts[name] = Account(name, HASH, f"{name.partition('@')[0]}@example.org", frozenset({"staff", "a"}))


def test_accounts_come_back(path: Path) -> None:
    add(path, "ada", "grace@navy.mil", "jürgen")
    users = UsersFile(path)
    users.check()
    assert list(users.accounts) == ["ada", "grace@navy.mil", "jürgen"]
    assert users.find("ada") == Account("ada", HASH, "ada@example.org", frozenset({"staff", "a"}))
    assert users.find("Ada") is None


def test_only_the_owner_reads_it(path: Path) -> None:
    old = os.umask(0)
    try:
        add(path, "ada")
        add(path, "bob")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["users"], "nothing else is left there"


def test_a_mode_that_was_chosen_is_kept_and_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add(path, "ada")
    path.chmod(0o640)
    add(path, "bob")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    UsersFile(path).check()
    assert "chmod 600" in caplog.text


def test_changes_are_seen(path: Path) -> None:
    add(path, "ada")
    users = UsersFile(path)
    assert users.find("bob") is None
    add(path, "bob")
    assert users.find("bob") is not None
    with UsersFile(path).change() as accounts:
        del accounts["ada"]
    assert users.find("ada") is None


def test_without_the_file_nobody_is_known(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add(path, "ada")
    users = UsersFile(path)
    assert users.find("ada") is not None
    path.unlink()
    assert users.find("ada") is None
    assert "nobody can log in" in caplog.text


def test_a_line_that_is_wrong_does_not_count_and_stays(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add(path, "ada")
    users = UsersFile(path)
    with path.open("a") as file:
        file.write(f"# by hand\neve:plain password::\nbob:{HASH}:\nmal\x1bory:{HASH}::\n")
    with caplog.at_level(logging.ERROR):
        assert list(users.accounts) == ["ada"]
    assert "line 4" in caplog.text
    assert "plain password" not in caplog.text
    with pytest.raises(ConfigError, match=r"line 4: the hash of eve is not one of argon2"):
        users.check()
    add(path, "zoe")
    text = path.read_text()
    assert all(part in text for part in ("# by hand", "eve:plain", f"bob:{HASH}:\n", "zoe:"))


@pytest.mark.parametrize(("fields", "words"), [
    ({"name": "a:b"}, "not a name"), ({"name": ""}, "not a name"), ({"name": "a\nroot"}, "not a name"),
    ({"name": "x" * 65}, "not a name"), ({"name": "a b"}, "not a name"), ({"email": "nobody"}, "e-mail"),
    ({"email": "a@b:c"}, "e-mail"), ({"email": "a@b\nroot"}, "e-mail"), ({"groups": frozenset({"a,b"})}, "group"),
    ({"groups": frozenset({"a:b"})}, "group"), ({"hash": "secret"}, "argon2"), ({"hash": HASH + "\n"}, "argon2"),
])
def test_nothing_breaks_out_of_its_line(fields: dict[str, object], words: str) -> None:
    values: dict[str, object] = {"name": "ada", "hash": HASH, "email": "", "groups": frozenset(), **fields}
    with pytest.raises(ValueError, match=words):
        Account(**values)  # type: ignore[arg-type]


def test_no_change_is_lost(path: Path) -> None:
    def many(start: int) -> None:
        for number in range(start, start + 10):
            add(path, f"user{number}")
    threads = [threading.Thread(target=many, args=(start,)) for start in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(UsersFile(path).accounts) == 60


def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    add(path, "ada")
    before = path.read_bytes()
    with suppress(RuntimeError), UsersFile(path).change() as accounts:
        accounts.clear()
        raise RuntimeError
    assert path.read_bytes() == before


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    add(path, "ada")
    link = tmp_path / "link"
    link.symlink_to(path)
    add(link, "bob")
    assert link.is_symlink()
    assert list(UsersFile(path).accounts) == ["ada", "bob"]


def test_a_file_that_is_missing_or_odd_is_told_in_a_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; make it with hotshoe user add NAME --users-file"):
        UsersFile(path).check()
    with pytest.raises(ConfigError, match="can't be read"):
        UsersFile(tmp_path).check()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        UsersFile(path).check()
    assert UsersFile(path).find("ada") is None

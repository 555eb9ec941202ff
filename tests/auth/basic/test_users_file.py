"""The users file: never half, never open, read again when it changes. Its contract is in ``../test_accounts.py``."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import write_users

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic import users_file
from hotshoe.auth.basic.users_file import UsersFile
from hotshoe.base import folders
from hotshoe.base.errors import ConfigError

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def set_mode(path: Path, mode: int) -> None:
    path.chmod(mode)


def lines_of(path: Path) -> list[str]:
    return path.read_text().split("\n")


def names_beside(path: Path) -> list[str]:
    return [found.name for found in path.parent.iterdir()]


def remove(path: Path) -> None:
    path.unlink()


def is_pipe(path: Path) -> bool:
    return stat.S_ISFIFO(path.stat().st_mode)


def linked(path: Path) -> Path:
    link = path.with_name("link")
    link.symlink_to(path)
    return link


def overwrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


@pytest.fixture
async def users(path: Path) -> AsyncIterator[UsersFile]:
    found = UsersFile(path)
    yield found
    await found.close()


async def add(users: UsersFile, *names: str) -> None:
    for name in names:
        groups = frozenset({"staff", "a"})
        assert await users.change(None, Account(name, HASH, f"{name.partition('@')[0]}@example.org", groups))


async def test_accounts_come_back(users: UsersFile, path: Path) -> None:
    await add(users, "ada", "grace@navy.mil", "jürgen")
    users.check()
    assert list(await UsersFile(path).all()) == ["ada", "grace@navy.mil", "jürgen"]
    assert lines_of(path)[1] == f"ada:{HASH}:ada@example.org:a,staff"


async def test_only_the_owner_reads_it(users: UsersFile, path: Path) -> None:
    old = os.umask(0)
    try:
        await add(users, "ada", "bob")
    finally:
        os.umask(old)
    assert mode_of(path) == 0o600
    assert names_beside(path) == ["users"], "nothing else is left there"


async def test_a_mode_that_was_chosen_is_kept_and_told(users: UsersFile, path: Path,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    await add(users, "ada")
    set_mode(path, 0o640)
    await add(users, "bob")
    assert mode_of(path) == 0o640
    users.check()
    assert "chmod 600" in caplog.text


async def test_without_the_file_nobody_is_known(users: UsersFile, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await add(users, "ada")
    assert await users.find("ada") is not None
    remove(path)
    assert await users.find("ada") is None
    assert "nobody can log in" in caplog.text


async def test_a_line_that_is_wrong_is_ignored_and_stays(users: UsersFile, path: Path,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    await add(users, "ada")
    append(path, f"# by hand\neve:plain password::\nbob:{HASH}:\nmal\x1bory:{HASH}::\n")
    with caplog.at_level(logging.ERROR):
        assert list(await users.all()) == ["ada"]
    assert "line 4" in caplog.text
    assert "plain password" not in caplog.text
    with pytest.raises(ConfigError, match=r"line 4: the hash of eve is not one of argon2"):
        users.check()
    await add(users, "zoe")
    ada = await users.find("ada")
    assert ada is not None
    assert await users.change(ada, replace(ada, email=""))
    lines = lines_of(path)
    assert lines[1:4] == ["# by hand", "eve:plain password::", f"bob:{HASH}:"]
    assert [line.partition(":")[0] for line in lines[5:]] == ["zoe", "ada", ""]


async def test_a_hash_in_a_wrong_place_is_not_shown(users: UsersFile, path: Path,
                                                    caplog: pytest.LogCaptureFixture) -> None:
    append(path, f"{HASH}:ada::\nada:ada@example.org:{HASH}:\nada:{HASH}:{HASH}:{HASH}\nada:{HASH}::{HASH},a\n")
    assert not await users.all()
    assert caplog.text.count("its hash is not in the second place") == 4
    assert "$argon2" not in caplog.text
    with pytest.raises(ConfigError, match="its hash is not in the second place"):
        users.check()


async def test_of_two_lines_of_a_user_the_last_counts(users: UsersFile, path: Path) -> None:
    append(path, f"ada:{HASH}:old@example.org:\nada:{HASH}::\nbob:{HASH}::\n")
    ada = await users.find("ada")
    assert ada == Account("ada", HASH)
    assert await users.change(ada, None)
    assert list(await users.all()) == ["bob"]


async def test_a_change_that_fails_changes_nothing(users: UsersFile, path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    await add(users, "ada")
    before = lines_of(path)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        await add(users, "bob")
    assert lines_of(path) == before
    assert names_beside(path) == ["users"], "nothing else is left there"


async def test_a_link_stays_one(users: UsersFile, path: Path, tmp_path: Path) -> None:
    await add(users, "ada")
    link = UsersFile(linked(path))
    await add(link, "bob")
    await link.close()
    assert (tmp_path / "link").is_symlink()
    assert list(await users.all()) == ["ada", "bob"]


async def test_a_file_that_is_missing_or_odd_is_told_in_a_line(users: UsersFile, path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; make it with hotshoe user add NAME --users-file"):
        users.check()
    with pytest.raises(ConfigError, match="can't be read"):
        UsersFile(tmp_path).check()
    overwrite(path, b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        users.check()
    assert await users.find("ada") is None
    with pytest.raises(OSError, match="not UTF-8"):
        await add(users, "ada")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
async def test_a_pipe_is_neither_waited_for_nor_replaced(users: UsersFile, path: Path) -> None:
    """As root, hotshoe user would otherwise put a file in the place of a device."""
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="can't be read: it is not a regular file"):
        users.check()
    with pytest.raises(OSError, match="not a regular file"):
        await add(users, "ada")
    assert await users.find("ada") is None
    assert is_pipe(path)
    assert names_beside(path) == [path.name]


async def test_a_file_that_is_too_large_is_not_read(users: UsersFile, path: Path) -> None:
    write_users(path, Account("ada", HASH))
    os.truncate(path, users_file.MOST_BYTES + 1)
    with pytest.raises(ConfigError, match=f"{users_file.MOST_BYTES + 1} bytes, more than {users_file.MOST_BYTES}"):
        users.check()
    with pytest.raises(OSError, match="more than"):
        await add(users, "bob")
    assert await users.find("ada") is None


async def test_a_disk_that_hangs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_users(path, Account("ada", HASH))
    monkeypatch.setattr(users_file, "PATIENCE_S", 0.05)
    answers, looks = threading.Event(), []
    answers.set()
    real = folders.stamp_of

    def slow(path: Path) -> Any:
        looks.append(threading.get_ident())
        assert answers.wait(20)
        return real(path)

    monkeypatch.setattr(users_file, "stamp_of", slow)
    users = UsersFile(path)
    try:
        assert await users.find("ada") is not None
        answers.clear()
        found = await asyncio.gather(*(users.find("ada") for _ in range(100)))
        assert all(account is not None for account in found), "what was seen last counts"
        assert len(looks) == 2, "one look for all who ask meanwhile"
        assert threading.get_ident() not in looks
    finally:
        answers.set()
        await users.close()


async def test_what_was_changed_is_found_though_a_look_had_begun_before(path: Path, monkeypatch: pytest.MonkeyPatch
                                                                        ) -> None:
    write_users(path, Account("ada", HASH))
    users, read, go_on = UsersFile(path), threading.Event(), threading.Event()
    real = users_file._read_accounts

    def slow(path: Path) -> Any:
        accounts = real(path)
        read.set()
        assert go_on.wait(20)
        return accounts

    monkeypatch.setattr(users_file, "_read_accounts", slow)
    early = asyncio.create_task(users.all())
    try:
        await asyncio.get_running_loop().run_in_executor(None, read.wait, 20)
        assert await users.change(None, Account("bob", HASH))
        late = asyncio.create_task(users.find("bob"))
        await asyncio.sleep(0.01)
        go_on.set()
        await early
        assert await late is not None
        assert await users.find("bob") is not None
    finally:
        go_on.set()
        await users.close()

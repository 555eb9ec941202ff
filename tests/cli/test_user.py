"""`hotshoe user` makes and changes the file that a server reads."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import select
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic.passwords import Passwords
from hotshoe.auth.basic.users_file import UsersFile
from hotshoe.cli.main import main

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def user(monkeypatch: pytest.MonkeyPatch, *arguments: str, password: str | None = None) -> int:
    more = []
    if password is not None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\nnext line\n"))
        more = ["--password-stdin"]
    return main(["user", *arguments, *more])


def accounts_in(file: str) -> Mapping[str, Account]:
    async def read() -> Mapping[str, Account]:
        users = UsersFile(Path(file))
        try:
            return await users.all()
        finally:
            await users.close()

    return asyncio.run(read())


def has_password(name: str, password: str, file: str = "hotshoe.users") -> bool:
    account = accounts_in(file).get(name)

    async def matches(hashed: str) -> bool:
        passwords = Passwords()
        try:
            return await passwords.matches(hashed, password)
        finally:
            passwords.close()
    return account is not None and asyncio.run(matches(account.hash))


def test_a_user_from_first_to_last(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert user(monkeypatch, "add", "ada", "staff", "admins", "--email", "ada@example.org", password=PASSWORD) == 0
    assert stat.S_IMODE(Path("hotshoe.users").stat().st_mode) == 0o600
    assert PASSWORD not in Path("hotshoe.users").read_text()
    assert has_password("ada", PASSWORD)
    assert user(monkeypatch, "list") == 0
    assert capsys.readouterr().out == "ada\tada@example.org\tadmins, staff\n"
    assert user(monkeypatch, "passwd", "ada", password="another password") == 0
    assert has_password("ada", "another password")
    assert user(monkeypatch, "group", "ada", "board") == 0
    assert has_password("ada", "another password")
    user(monkeypatch, "list")
    assert capsys.readouterr().out == "ada\tada@example.org\tboard\n"
    assert user(monkeypatch, "group", "ada") == 0
    assert user(monkeypatch, "remove", "ada") == 0
    user(monkeypatch, "list")
    assert capsys.readouterr().out == ""


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    assert user(monkeypatch, "add", "a", "--users-file", "by-flag", password=PASSWORD) == 0
    (here / "hotshoe.toml").write_text('users-file = "by-file"\n')
    assert user(monkeypatch, "add", "b", password=PASSWORD) == 0
    monkeypatch.setenv("HOTSHOE_USERS_FILE", "by-variable")
    assert user(monkeypatch, "add", "c", password=PASSWORD) == 0
    for file, name in (("by-flag", "a"), ("by-file", "b"), ("by-variable", "c")):
        assert list(accounts_in(file)) == [name]


@pytest.mark.parametrize(("arguments", "password", "words"), [
    (["add", "a:b"], PASSWORD, "is not a name"),
    (["add", "zoe", "a,b"], PASSWORD, "is not the name of a group"),
    (["add", "@zoe"], PASSWORD, "'@zoe' is not a name"),
    (["add", "zoe", "@staff"], PASSWORD, "'@staff' is not the name of a group"),
    (["group", "ada", "@staff"], None, "'@staff' is not the name of a group"),
    (["add", "zoe", "--email", "nobody"], PASSWORD, "is not an e-mail address"),
    (["add", "zoe", "--email", "zoe@\x1b[31m.org"], PASSWORD, r"'zoe@\x1b[31m.org' is not an e-mail address"),
    (["passwd", "\x1b[31mzoe\n\u202e"], PASSWORD, r"there is no user \x1b[31mzoe\n\u202e; hotshoe"),
    (["add", "zoe"], "short", "at least 8 characters"),
    (["add", "zoe"], "", "at least 8 characters"),
    (["add", "ada"], PASSWORD, "the user ada already exists; hotshoe user passwd ada"),
    (["passwd", "zoe"], PASSWORD, "there is no user zoe; hotshoe user list"),
    (["remove", "zoe"], None, "there is no user zoe"),
    (["group", "zoe", "x"], None, "there is no user zoe"),
    (["list", "--users-file", "none"], None, "does not exist; make it with hotshoe user add"),
    (["add", "zoe", "--users-file", "no/folder"], PASSWORD, "make the folder no first"),
    (["add", "zoe"], None, "--password-stdin"),
])
def test_mistakes_are_told_in_a_line_and_change_nothing(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
        password: str | None, words: str) -> None:
    user(monkeypatch, "add", "ada", password=PASSWORD)
    before = Path("hotshoe.users").read_text()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert user(monkeypatch, *arguments, password=password) == 1
    err = capsys.readouterr().err
    assert err.startswith("ERROR: ")
    assert words in err
    assert err.count("\n") == 1
    assert Path("hotshoe.users").read_text() == before


@pytest.mark.parametrize(("arguments", "words"), [
    ([], "an ACTION is missing: add, passwd, group, remove or list"),
    (["add"], "add needs the NAME of a user"),
    (["frobnicate", "ada"], "'frobnicate'"),
    (["list", "ada"], "takes no name"),
    (["remove", "ada", "group"], "takes no groups"),
    (["passwd", "ada", "--email", "a@b"], "takes no --email"),
    (["remove", "ada", "--password-stdin"], "takes no --password-stdin"),
])
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["user", *arguments])
    assert raised.value.code == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith("hotshoe user: error: ")
    assert words in error


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe"])
@pytest.mark.parametrize("arguments", [["list"], ["add", "zoe"], ["passwd", "ada"], ["group", "ada", "a"],
                                       ["remove", "ada"]])
def test_what_is_not_a_file_is_not_waited_for(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str) -> None:
    place = Path("pipe" if kind.endswith("pipe") else "hotshoe.users")
    if kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
        if kind == "pipe":
            place.rename("hotshoe.users")
        else:
            Path("hotshoe.users").symlink_to(place)
    assert user(monkeypatch, *arguments, password=PASSWORD if arguments[0] in ("add", "passwd") else None) == 1
    reason = "Is a directory" if kind == "folder" else "it is not a regular file"
    assert capsys.readouterr().err == f"ERROR: the users file hotshoe.users can't be read: {reason}\n"


def test_a_line_that_others_have_written_does_not_control_the_terminal(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("hotshoe.users").write_text("ada\x1b[31m:x:y:z\n")
    assert user(monkeypatch, "list") == 1
    assert "\x1b" not in capsys.readouterr().err


def test_a_file_of_somebody_else(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(os, "open", refuse)
    assert user(monkeypatch, "add", "ada", password=PASSWORD) == 1
    assert "run this as its owner" in capsys.readouterr().err


@pytest.mark.real
@pytest.mark.parametrize(("typed", "status"), [((PASSWORD, PASSWORD), 0), ((PASSWORD, "another one"), 1)])
def test_a_password_is_typed_unseen(typed: tuple[str, str], status: int) -> None:
    control, terminal = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "hotshoe", "user", "add", "ada"], stdin=terminal, stdout=terminal,
                               stderr=terminal, start_new_session=True)
    os.close(terminal)
    seen = ""
    for prompt, answer in zip(("Password of ada: ", "Repeat it: "), typed, strict=True):
        seen += read_until(control, prompt)
        os.write(control, f"{answer}\n".encode())
    assert process.wait(40) == status
    os.close(control)
    assert PASSWORD not in seen
    assert has_password("ada", PASSWORD) == (status == 0)


def read_until(control: int, text: str) -> str:
    seen, deadline = "", time.monotonic() + 40
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([control], [], [], 1)[0]:
            seen += os.read(control, 1000).decode()
    return seen

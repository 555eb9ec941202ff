"""The users file of ``--auth basic``."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable
from pathlib import Path
from unittest import mock

from tests.fuzz.driver import Parser

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic.users_file import UsersFile, _account_of, _change, _line_of, _read_accounts
from hotshoe.base.errors import ConfigError

NEW = Account("new", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo", "new@example.org", frozenset({"g"}))


def run(data: bytes) -> Hashable:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "users")
        path.write_bytes(data)
        accounts = _read_accounts(path)
        for name, account in accounts.items():
            assert account.name == name
            assert _account_of(_line_of(account)) == account
        fault = _fault_of(path)
        _check_change(path, accounts)
        return len(accounts), fault[:20]


def _fault_of(path: Path) -> str:
    try:
        UsersFile(path).check()
    except ConfigError as error:
        text = str(error)
        assert "\n" not in text
        assert text.startswith((f"{path}, line ", f"the users file {path} "))
        assert "$argon2" not in text, "a hash is shown"
        return text.rpartition(": ")[2]
    return ""


def _check_change(path: Path, accounts: dict[str, Account]) -> None:
    """Adding an account changes no other one."""
    with mock.patch("os.fsync"):
        try:
            assert _change(path, "new", accounts.get("new"), NEW)
        except OSError as error:
            assert str(error) == "it is not UTF-8"
            return
    assert _read_accounts(path) == {**accounts, "new": NEW}


PARSER = Parser(
    "users", run, inputs=2500,
    words=(b":", b"::", b"\n", b"\r\n", b"\r", b"#", b" ", b"\t", b",", b"\xc2\x85", b"\xe2\x80\xa8", b"\x0b",
           b"\x0c", b"\x1c", b"\xef\xbb\xbf", b"\xff", b"\0", b"new", b"ann", b"a@b",
           b"$argon2id$v=19$m=1,t=1,p=1$aaaa$bbbb", b"\xc3\xa4", b"new:$argon2id$v=19$m=1,t=1,p=1$aaaa$bbbb::\n"),
)

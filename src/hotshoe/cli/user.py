"""``hotshoe user``: the users of ``--auth basic``, their passwords and groups."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import ConfigError, UserError
from ..config import Settings, SettingSources
from .arguments import Parser, local_file
from .printing import printable

if TYPE_CHECKING:
    from ..auth.accounts import Account, Accounts

_ACTIONS = ("add", "passwd", "group", "remove", "list")
_MOST_CHARACTERS = 4096


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the action. Returns the exit status; raises ``UserError`` for a mistake in the arguments."""
    from ..base.extras import need

    values = _checked(make_parser(), arguments)
    need("hotshoe user", "auth", "argon2")
    from ..auth.basic.users_file import UsersFile

    path = _path(values, environ)
    users = UsersFile(path)
    try:
        if values.action != "add" or path.exists():
            users.check()
        asyncio.run(_act(users, values))
    except ValueError as error:
        raise UserError(str(error)) from None
    except PermissionError:
        raise ConfigError(f"the users file {path} can't be written: run this as its owner") from None
    except FileNotFoundError:
        folder = _target(path).parent
        raise ConfigError(f"the users file {path} can't be made: make the folder {folder} first") from None
    except OSError as error:
        raise ConfigError(f"the users file {path} can't be written: {error.strerror or error}") from error
    return 0


def _target(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def make_parser() -> Parser:
    """The parser of ``hotshoe user``."""
    parser = Parser(
        "user", "add|passwd|group|remove|list [NAME] [GROUP ...] [options]",
        description="Manage the users of hotshoe serve --auth basic. add: add a user, and ask for a password; passwd: "
                    "ask for a new password, and end the user's logins; group: replace the user's groups; remove: "
                    "remove a user; list: list all users. A running server uses each change at once.")
    parser.add_argument("action", nargs="?", choices=_ACTIONS, metavar="ACTION",
                        help="add, passwd, group, remove or list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="Name of the user")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="Groups of the user, for add and group")
    parser.add_argument("--email", metavar="ADDRESS", default="", help="E-mail address, for add")
    parser.add_argument("--password-stdin", action="store_true",
                        help="Read the password from the first line of standard input, instead of asking for it")
    parser.add_argument("--users-file", metavar="FILE", help=f"File to change (default: {Settings().users_file})")
    return parser


def _checked(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    values = parser.parse_intermixed_args(arguments)
    if values.action is None:
        parser.error("an ACTION is missing: add, passwd, group, remove or list")
    if values.action != "list" and values.name is None:
        parser.error(f"{values.action} needs the NAME of a user")
    if values.action == "list" and values.name is not None:
        parser.error("list takes no name; it lists all users")
    if values.groups and values.action not in ("add", "group"):
        parser.error(f"{values.action} takes no groups; use hotshoe user group")
    if values.email and values.action != "add":
        parser.error(f"{values.action} takes no --email; add does")
    if values.password_stdin and values.action not in ("add", "passwd"):
        parser.error(f"{values.action} takes no --password-stdin; add and passwd do")
    return values


def _path(values: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """The users file that ``hotshoe serve`` would read here."""
    if values.users_file is not None:
        return Path(values.users_file)
    found = SettingSources({}, environ, local_file()).gather().get("users_file")
    return Path(Settings().users_file if found is None else found.value)


async def _act(accounts: Accounts, values: argparse.Namespace) -> None:
    if values.action == "list":
        for name, account in sorted((await accounts.all()).items()):
            print("\t".join((name, account.email, ", ".join(sorted(account.groups)))).rstrip())
    elif values.action == "add":
        await _add(accounts, values)
    else:
        await _change(accounts, values)


async def _add(accounts: Accounts, values: argparse.Namespace) -> None:
    from ..auth.accounts import Account, check_user

    if await accounts.find(values.name) is not None:
        raise UserError(_exists(values.name))
    check_user(values.name, values.email, values.groups)  # before the question for the password
    account = Account(values.name, _new_hash(values), values.email, frozenset(values.groups))
    if not await accounts.change(None, account):
        raise UserError(_exists(values.name))


async def _change(accounts: Accounts, values: argparse.Namespace) -> None:
    await _existing(accounts, values.name)  # before the question for the password
    changed: dict[str, Any] = {}
    if values.action == "passwd":
        changed["hash"] = _new_hash(values)
    elif values.action == "group":
        changed["groups"] = frozenset(values.groups)
    while True:  # until no other process changes the account at the same moment
        old = await _existing(accounts, values.name)
        if await accounts.change(old, replace(old, **changed) if changed else None):
            return


async def _existing(accounts: Accounts, name: str) -> Account:
    account = await accounts.find(name)
    if account is None:
        raise UserError(f"there is no user {printable(name)}; hotshoe user list lists them")
    return account


def _exists(name: str) -> str:
    return f"the user {name} already exists; hotshoe user passwd {name} changes the password"


def _new_hash(values: argparse.Namespace) -> str:
    from ..auth.basic.passwords import hash_password

    return hash_password(_password(values))


def _password(values: argparse.Namespace) -> str:
    if values.password_stdin:
        return sys.stdin.readline(_MOST_CHARACTERS).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UserError("can't ask for a password without a terminal; use --password-stdin")
    try:
        password = getpass.getpass(f"Password of {values.name}: ")
        again = getpass.getpass("Repeat it: ")
    except EOFError:
        raise UserError("no password was given; nothing has changed") from None
    if password != again:
        raise UserError("the two passwords differ; nothing has changed")
    return password

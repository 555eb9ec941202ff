"""``hotshoe user``: the users of ``--auth basic``, their passwords and groups."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import ConfigError, UserError
from .loading import Sources, local_file
from .options import Parser

if TYPE_CHECKING:
    from ..auth.users_file import Accounts, UsersFile

_ACTIONS = ("add", "passwd", "group", "remove", "list")
_MOST_CHARACTERS = 4096


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments say. Returns the exit status; raises ``UserError`` for a mistake in them."""
    from ..extras import need

    values = _checked(make_parser(), arguments)
    need("hotshoe user", "auth", "argon2")
    from ..auth.users_file import UsersFile

    path = _path(values, environ)
    users = UsersFile(path)
    try:
        if values.action == "list":
            _list(users)
        elif values.action == "add":
            _add(users, values)
        else:
            _change(users, values)
    except PermissionError:
        raise ConfigError(f"the users file {path} can't be written: run this as its owner") from None
    except FileNotFoundError:
        raise ConfigError(f"the users file {path} can't be made: there is no folder {path.parent}") from None
    except OSError as error:
        raise ConfigError(f"the users file {path} can't be written: {error.strerror or error}") from error
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe user``."""
    parser = Parser(
        prog="hotshoe user",
        usage="hotshoe user add|passwd|group|remove|list [NAME] [GROUP ...] [options]",
        description="The users of hotshoe serve --auth basic. add makes one and asks for a password; passwd asks for "
                    "another one, which ends the user's logins; group sets the groups, none if none is given; remove "
                    "takes a user away; list shows all. A server that runs sees each change at once.")
    parser.add_argument("action", nargs="?", choices=_ACTIONS, metavar="ACTION",
                        help="add, passwd, group, remove or list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="Name of the user")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="Groups of the user, with add and group")
    parser.add_argument("--email", metavar="ADDRESS", default="", help="E-mail address, with add")
    parser.add_argument("--password-stdin", action="store_true",
                        help="Read the password from the first line of the input instead of asking for it")
    parser.add_argument("--users-file", metavar="FILE", help=f"File to change (default: {Settings().users_file})")
    return parser


def _checked(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    values = parser.parse_intermixed_args(arguments)
    if values.action is None:
        parser.error("say what to do: add, passwd, group, remove or list")
    if values.action != "list" and values.name is None:
        parser.error(f"{values.action} needs the NAME of a user")
    if values.action == "list" and values.name is not None:
        parser.error("list shows all users and takes no name")
    if values.groups and values.action not in ("add", "group"):
        parser.error(f"{values.action} takes no groups")
    if values.email and values.action != "add":
        parser.error(f"{values.action} takes no --email")
    if values.password_stdin and values.action not in ("add", "passwd"):
        parser.error(f"{values.action} needs no password")
    return values


def _path(values: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """The file that a server started here would read."""
    if values.users_file is not None:
        return Path(values.users_file)
    found = Sources({}, environ, local_file()).gather().get("users_file")
    return Path(Settings().users_file if found is None else found.value)


def _list(users: UsersFile) -> None:
    users.check()
    for name, account in sorted(users.accounts.items()):
        print("\t".join((name, account.email, ", ".join(sorted(account.groups)))).rstrip())


def _add(users: UsersFile, values: argparse.Namespace) -> None:
    from ..auth.users_file import Account, check_user

    if values.name in users.accounts:
        raise UserError(_exists(values.name))
    try:
        check_user(values.name, values.email, values.groups)  # before it asks
        account = Account(values.name, _new_hash(values), values.email, frozenset(values.groups))
    except ValueError as error:
        raise UserError(str(error)) from None
    with users.change() as accounts:
        if values.name in accounts:
            raise UserError(_exists(values.name))
        accounts[values.name] = account


def _change(users: UsersFile, values: argparse.Namespace) -> None:
    from ..auth.users_file import Account

    users.check()
    _known(users.accounts, values.name)
    hashed = _new_hash(values) if values.action == "passwd" else None
    with users.change() as accounts:
        _known(accounts, values.name)
        old = accounts.pop(values.name)
        if values.action == "remove":
            return
        groups = old.groups if hashed else frozenset(values.groups)
        try:
            accounts[old.name] = Account(old.name, hashed or old.hash, old.email, groups)
        except ValueError as error:
            raise UserError(str(error)) from None


def _known(accounts: Accounts | Mapping[str, object], name: str) -> None:
    if name not in accounts:
        raise UserError(f"there is no user {name}; hotshoe user list shows all")


def _exists(name: str) -> str:
    return f"there is a user {name} already; hotshoe user passwd {name} gives another password"


def _new_hash(values: argparse.Namespace) -> str:
    from ..auth.passwords import hash_password

    try:
        return hash_password(_password(values))
    except ValueError as error:
        raise UserError(str(error)) from None


def _password(values: argparse.Namespace) -> str:
    if values.password_stdin:
        return sys.stdin.readline(_MOST_CHARACTERS).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UserError("nobody can be asked for a password here; give it with --password-stdin")
    try:
        password = getpass.getpass(f"Password of {values.name}: ")
        again = getpass.getpass("The same again: ")
    except EOFError:
        raise UserError("no password was given") from None
    if password != again:
        raise UserError("these are two different passwords; nothing has been changed")
    return password

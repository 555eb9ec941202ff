"""The table of commands: the only place where a command is declared. Its module is imported when it is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

from .options import Parser


class Chapter(Enum):
    """What commands are for; they stand together in ``--help``."""

    SERVE = "Serve"
    EXPORT = "Export"
    LOOK = "Look around"
    SET_UP = "Set up"


class Module(Protocol):
    """What the module of a command has."""

    def run(self, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
        """Do what the arguments say. Returns the exit status; raises ``UserError`` for a mistake in them."""

    def make_parser(self) -> Parser:
        """The parser of its arguments."""


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table."""

    name: str
    chapter: Chapter
    summary: str
    """What it does, in at most 60 characters."""

    @property
    def module(self) -> Module:
        """``hotshoe.cli.NAME``."""
        return cast(Module, importlib.import_module(f".{self.name}", __package__))


TABLE = (
    Command("serve", Chapter.SERVE, "Serve scripts, notebooks and directories with a main.py"),
    Command("static", Chapter.SERVE, "Serve BokehJS, for pages of other servers"),
    Command("html", Chapter.EXPORT, "Write an app as a page that needs no server"),
    Command("json", Chapter.EXPORT, "Write an app's document as JSON"),
    Command("settings", Chapter.LOOK, "Show every setting, and where its value comes from"),
    Command("doctor", Chapter.LOOK, "Say what is wrong on the way to an app, and what to change"),
    Command("info", Chapter.LOOK, "Show versions and folders"),
    Command("deploy", Chapter.SET_UP, "Print configurations of proxies, services, containers"),
    Command("secret", Chapter.SET_UP, "Make a key that signs sessions"),
    Command("user", Chapter.SET_UP, "Add, change and list the users of --auth basic"),
    Command("completion", Chapter.SET_UP, "Write completion for bash, zsh or fish"),
)
COMMANDS: Mapping[str, Command] = {command.name: command for command in TABLE}
"""By name, in the order of ``--help``."""

"""One setting: its type, default and help, and the names that it has as flag, environment variable and file key.

A setting is declared once, as a field of ``Settings``. A value is checked where it comes from, so that what is
wrong with it is said with the name that its author used.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from enum import Enum
from typing import Any, TypeVar

_T = TypeVar("_T")
_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})
_METADATA_KEY = "setting"


class Group(Enum):
    """What settings are about; they stand together in ``--help`` and in the docs."""

    PLACE = "where it listens"
    APPS = "apps"
    SESSIONS = "sessions"
    SECURITY = "security"
    LOGIN = "users and login"
    LIMITS = "limits"
    LOG = "log"
    FILES = "files of settings"


class Kind(Enum):
    """What values a setting has; the value is the annotation of its field."""

    INTEGER = "int"
    OPTIONAL_INTEGER = "int | None"
    SWITCH = "bool"
    TEXT = "str"
    OPTIONAL_TEXT = "str | None"
    TEXTS = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a field of ``Settings`` says of itself beyond its type and default."""

    help: str
    group: Group
    unit: str | None = None
    metavar: str | None = None
    flag: str | None = None
    bokeh_environment: str | None = None
    platform_environment: str | None = None
    bokeh_wins: bool = False
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    separator: str | None = None
    check: Callable[[str], str | None] | None = None
    secret: bool = False
    from_bokeh: Callable[[str], str] | None = None
    many: bool = False


def setting(default: _T, help: str, group: Group, *, unit: str | None = None, metavar: str | None = None,  # noqa: A002
            flag: str | None = None, bokeh_environment: str | None = None, platform_environment: str | None = None,
            bokeh_wins: bool = False, least: int | None = None, most: int | None = None, choices: tuple[str, ...] = (),
            separator: str | None = ",", check: Callable[[str], str | None] | None = None, secret: bool = False,
            from_bokeh: Callable[[str], str] | None = None, many: bool = False) -> _T:
    """Declare a field of ``Settings``.

    ``flag`` is the option if it is not the field's name. ``platform_environment`` is a variable that platforms set for
    every program, and so the weakest of all. ``bokeh_wins`` says that the ``BOKEH_…`` variable
    replaces even the flag, as in ``bokeh serve``. ``separator`` splits a list in an environment variable; ``None``
    splits at white space. ``check`` returns what is wrong with a text, or ``None``. What is ``secret`` has no option
    unless it has a ``flag``, since anyone can list a command's arguments, and is never shown. ``from_bokeh`` makes a
    value of what the ``BOKEH_…`` variable says, where that has words of its own. ``many`` values may follow one option.
    """
    declaration = Declaration(help, group, unit, metavar, flag, bokeh_environment, platform_environment, bokeh_wins,
                              least, most, choices, separator, check, secret, from_bokeh, many)
    return field(default=default, repr=not secret, metadata={_METADATA_KEY: declaration})


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table: a field of ``Settings`` and what it declares."""

    name: str
    kind: Kind
    default: Any
    declaration: Declaration

    @classmethod
    def of(cls, field: Field[Any]) -> Setting:
        """The setting that a field declares."""
        return cls(field.name, Kind(field.type), field.default, field.metadata[_METADATA_KEY])

    @property
    def flag(self) -> str:
        """The option on the command line. Of a switch that is on by default, it is the one that turns it off."""
        refusal = "no-" if self.default is True else ""
        return self.declaration.flag or f"--{refusal}{self.name.replace('_', '-')}"

    @property
    def has_option(self) -> bool:
        """Whether the command line takes it: not if it is secret, unless stock has an option for it."""
        return not self.declaration.secret or self.declaration.flag is not None

    @property
    def key(self) -> str:
        """The key in ``hotshoe.toml``."""
        return self.flag.removeprefix("--no-" if self.default is True else "--")

    @property
    def environment(self) -> tuple[str, ...]:
        """The names of its environment variables, the stronger one first."""
        own = "HOTSHOE_" + self.key.replace("-", "_").upper()
        others = (self.declaration.bokeh_environment, self.declaration.platform_environment)
        return (own, *(name for name in others if name is not None))

    @property
    def allowed(self) -> str:
        """Which values it can have, in words."""
        if self.declaration.choices:
            *others, last = self.declaration.choices
            return f"{', '.join(others)} or {last}"
        match self.kind:
            case Kind.INTEGER | Kind.OPTIONAL_INTEGER:
                return f"{self._bounds()}{f' ({self.declaration.unit})' if self.declaration.unit else ''}"
            case Kind.SWITCH:
                return "yes or no"
            case Kind.TEXTS:
                return "a list of texts"
            case Kind.TEXT | Kind.OPTIONAL_TEXT:
                return "a text"

    def _bounds(self) -> str:
        match self.declaration.least, self.declaration.most:
            case None, None:
                return "a whole number"
            case least, None:
                return f"a whole number from {least}"
            case least, most:
                return f"a whole number from {least} to {most}"

    def parse(self, text: str) -> Any:
        """The value that a text stands for. Raises ``ValueError``, which says what is wrong; see also ``problem``."""
        match self.kind:
            case Kind.INTEGER | Kind.OPTIONAL_INTEGER:
                return self._integer(text)
            case Kind.SWITCH:
                return self._switch(text)
            case Kind.TEXTS:
                return tuple(part.strip() for part in text.split(self.declaration.separator) if part.strip())
            case Kind.TEXT | Kind.OPTIONAL_TEXT:
                return self._choice(text)

    def _integer(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not {self.allowed}") from None

    def _switch(self, text: str) -> bool:
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(f"{text!r} is not {self.allowed}")
        return word in _TRUE

    def _choice(self, text: str) -> str:
        """Choices count in any case; the value is as they are written in the table."""
        return next((choice for choice in self.declaration.choices if choice.lower() == text.lower()), text)

    def read(self, value: object) -> Any:
        """The value that a program or a file gives. Lists become tuples; ``ValueError`` if the type is wrong."""
        if self.kind is Kind.TEXTS and isinstance(value, (list, tuple)):
            value = tuple(value)
        if not self.fits(value):
            raise ValueError(f"{value!r} is not {self.allowed}")
        return self._choice(value) if isinstance(value, str) else value

    def fits(self, value: object) -> bool:
        """Whether the value has the setting's type."""
        match self.kind:
            case Kind.INTEGER:
                return isinstance(value, int) and not isinstance(value, bool)
            case Kind.OPTIONAL_INTEGER:
                return value is None or (isinstance(value, int) and not isinstance(value, bool))
            case Kind.SWITCH:
                return isinstance(value, bool)
            case Kind.TEXT:
                return isinstance(value, str)
            case Kind.OPTIONAL_TEXT:
                return value is None or isinstance(value, str)
            case Kind.TEXTS:
                return isinstance(value, tuple) and all(isinstance(part, str) for part in value)

    def problem(self, value: Any) -> str | None:
        """Why the setting can't have this value of the right type, or ``None`` if it can."""
        if isinstance(value, int):
            return self._out_of_bounds(value)
        texts = value if isinstance(value, tuple) else () if value is None else (value,)
        return next(filter(None, map(self._text_problem, texts)), None)

    def _out_of_bounds(self, value: int) -> str | None:
        declaration = self.declaration
        least = -math.inf if declaration.least is None else declaration.least
        most = math.inf if declaration.most is None else declaration.most
        return None if least <= value <= most else f"{value} is not {self.allowed}"

    def _text_problem(self, text: str) -> str | None:
        if self.declaration.choices and text not in self.declaration.choices:
            close = difflib.get_close_matches(text.lower(), self.declaration.choices, n=1)
            return f"{text!r} is not {self.allowed}{f'; did you mean {close[0]}?' if close else ''}"
        return self.declaration.check(text) if self.declaration.check else None

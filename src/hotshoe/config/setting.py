"""One setting: its type, default and help, and its names as flag, environment variable and file key.

A setting is declared once, as a field of ``Settings``. A value is checked where it comes from, so that an error has
the name that its author used.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta

from ..base.errors import ConfigError

SWITCHES = {**dict.fromkeys(("1", "yes", "true", "on"), True), **dict.fromkeys(("0", "no", "false", "off"), False)}
ALL_APPS = "*"
"""In place of an app's name: all apps without a value of their own."""
_UNITS = {"s": "seconds", "ms": "milliseconds"}


class Group(Enum):
    """Subjects of settings; ``--help`` and the docs list the settings of each together."""

    LISTEN = "listening"
    APPS = "apps"
    SESSIONS = "sessions"
    SECURITY = "security"
    LOGIN = "users and login"
    LIMITS = "limits"
    LOG = "log"
    FILES = "settings files"


@dataclass(frozen=True, slots=True)
class Doc:
    """The declaration of a setting, beside its type and default."""

    group: Group
    help: str
    metavar: str | None = None
    """Stands for a value in ``--help``, if the type does not say it (the ``title`` of its ``Meta``)."""
    unit: str | None = None
    bokeh: str | None = None
    """The ``BOKEH_…`` variable that means the same."""
    bokeh_wins: bool = False
    """Whether that variable overrides even the flag, as in ``bokeh serve``."""
    from_bokeh: Callable[[str], str] = str
    """Translates that variable, if it has values of its own."""
    platform: str | None = None
    """A variable that platforms set for every program, so that all other sources override it."""
    secret: bool = False
    """Never shown, and has no option, since every user of the machine can list a command's arguments."""
    secret_option: bool = False
    """A secret that has an option, because ``bokeh serve`` has it."""
    many: bool = False
    """Whether several values may follow one option; else a list repeats its option."""
    separator: str | None = ","
    """Splits a list in an environment variable; ``None`` is white space."""
    of_app: str | None = None
    """The key in the tables of ``hotshoe.toml`` for single apps, if apps may have different values. The setting is then
    a list: a value for all apps, and ``APP=VALUE`` for single ones. A program or file may give one value, or a mapping;
    True and False are yes and no."""
    alone: str | None = None
    """The value of the option without one; another value then follows it after ``=``."""


class Given(NamedTuple):
    """A value, and the place where it was given, for errors."""

    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table: a field of ``Settings`` and its declaration."""

    name: str
    type: Any
    """The type of a value, or of each value of a list, with its bounds: msgspec converts and checks by it."""
    default: Any
    doc: Doc

    @classmethod
    def of(cls, field: Field[Any]) -> Setting:
        """The setting that a field declares: ``name: Annotated[type, Doc(…)] = default``."""
        declared: Any = field.type
        (doc,) = (each for each in declared.__metadata__ if isinstance(each, Doc))
        if field.default is None or isinstance(field.default, tuple):  # type | None, or tuple[type, ...]
            declared = get_args(declared.__origin__)[0]
        return cls(field.name, declared, field.default, doc)

    @property
    def is_switch(self) -> bool:
        """Whether its values are yes and no."""
        return self._base is bool

    @property
    def is_text(self) -> bool:
        """Whether a value, or each value of a list, may be any text: no number, switch or choice."""
        return self._base is str

    @property
    def is_list(self) -> bool:
        """Whether it has any number of values."""
        return isinstance(self.default, tuple)

    @property
    def choices(self) -> tuple[str, ...]:
        """All allowed values, if they can be listed."""
        return get_args(self._base) if get_origin(self._base) is Literal else ()

    @property
    def flag(self) -> str:
        """The option on the command line. A switch that is on by default has an option that turns it off."""
        return f"--no-{self.key}" if self.default is True else f"--{self.key}"

    @property
    def usage(self) -> str:
        """The option with its value."""
        if self.doc.alone is not None:
            return f"{self.flag}[={self.metavar}]"
        return f"{self.flag} {self.metavar}" if self.metavar else self.flag

    @property
    def is_repeatable(self) -> bool:
        """Whether the option is given once for each value."""
        return self.is_list and not self.doc.many

    @property
    def has_option(self) -> bool:
        """Whether the command line has an option for it."""
        return not self.doc.secret or self.doc.secret_option

    @property
    def metavar(self) -> str | None:
        """Stands for a value in ``--help``."""
        return self.doc.metavar or self._bounds.title or ((self.doc.unit or "n").upper() if self._base is int else None)

    @property
    def key(self) -> str:
        """The key in ``hotshoe.toml``: the name, without the unit at the end of some of bokeh's names."""
        return self.name.removesuffix("_milliseconds").replace("_", "-")

    @property
    def environment(self) -> tuple[str, ...]:
        """Its environment variables; an earlier one overrides a later one."""
        own = "HOTSHOE_" + self.key.replace("-", "_").upper()
        return (own, *filter(None, (self.doc.bokeh, self.doc.platform)))

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if not self.is_list:
            return self._allowed
        return "a list of text values" if self._bounds == Meta() else f"a list; each is {self._allowed}"

    def read(self, value: object, where: str, *, text: bool = False) -> Given:
        """As ``convert``, but raises ``ConfigError``, which begins with ``where``."""
        try:
            return Given(self.convert(value, text=text), where)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None

    def convert(self, value: object, *, text: bool = False) -> Any:
        """Check and convert a value of a program or a file or, with ``text``, the text of an option or a variable.

        Raises ``ValueError``, which says what is wrong.
        """
        if value is None and self.default is None:
            return None
        if not self.is_list:
            return self._convert(value, text)
        if self.doc.of_app is not None:
            value = _entries(value)
        if text or (self.doc.of_app is not None and isinstance(value, str)):
            value = [part.strip() for part in str(value).split(self.doc.separator) if part.strip()]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{self._shown(value)} is not a list")
        return tuple(self._convert(part, text) for part in value)

    def _convert(self, value: object, text: bool) -> Any:
        if isinstance(value, str):
            value = self._word(value, text)
        try:
            converted = msgspec.convert(value, self.type, strict=not text)
        except msgspec.ValidationError:
            hint = did_you_mean(str(value).lower(), self.choices)
            raise ValueError(f"{self._shown(value)} is not {self._allowed}{hint}") from None
        for check in filter(callable, getattr(self.type, "__metadata__", ())):
            if problem := check(converted):
                raise ValueError(problem)
        return converted

    def _word(self, text: str, means_value: bool) -> object:
        """Upper and lower case are the same in a choice. msgspec accepts neither yes and no, nor spaces in a number."""
        if self._base is bool and means_value:
            return SWITCHES.get(text.strip().lower(), text)
        if self._base is int and means_value:
            return text.strip()
        return next((choice for choice in self.choices if choice.lower() == text.lower()), text)

    @property
    def _allowed(self) -> str:
        if self.choices:
            *others, last = self.choices
            return f"{', '.join(others)} or {last}"
        if self._base is int:
            least, most = self._bounds.ge, self._bounds.le
            unit = f" of {_UNITS.get(self.doc.unit, self.doc.unit)}" if self.doc.unit else ""
            return f"a whole number{unit}" + (f", {least} or more" if most is None else f" from {least} to {most}")
        return "yes or no" if self._base is bool else self._bounds.description or "text"

    @property
    def _base(self) -> Any:
        return self.type.__origin__ if get_origin(self.type) is Annotated else self.type

    @property
    def _bounds(self) -> Meta:
        return next((each for each in getattr(self.type, "__metadata__", ()) if isinstance(each, Meta)), Meta())

    def _shown(self, value: object) -> str:
        return "the value" if self.doc.secret else repr(value)


def _entries(value: object) -> object:
    """The entries ``APP=VALUE`` of a mapping, whose key ``*`` is all apps; a switch as a text."""
    if isinstance(value, bool):
        return _yes_or_no(value)
    if isinstance(value, Mapping):
        return [_yes_or_no(each) if app == ALL_APPS else f"{app}={_yes_or_no(each)}" for app, each in value.items()]
    return value


def _yes_or_no(value: object) -> object:
    """``yes`` or ``no`` for True and False; anything else as it is."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def value_for(entries: Iterable[str], url: str) -> str | None:
    """The value of a setting that apps may have different values of (``Doc.of_app``), for the app at ``url``."""
    found: dict[str, str] = {}
    for entry in entries:
        app, _, value = entry.rpartition("=")
        found[app.strip().strip("/") if app else ALL_APPS] = value.strip()
    return found.get(url.strip("/"), found.get(ALL_APPS))


def apps_in(entries: Iterable[str]) -> list[str]:
    """The URLs of the apps that have entries of their own."""
    named = (entry.rpartition("=")[0].strip() for entry in entries)
    return ["/" + app.strip("/") for app in named if app not in ("", ALL_APPS)]


def read_switch(text: str, where: str) -> bool:
    """Whether a text means yes. Raises ``ConfigError`` if it means neither yes nor no."""
    value = SWITCHES.get(text.strip().lower())
    if value is None:
        raise ConfigError(f"{where}: {text!r} is not yes or no")
    return value


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """A hint for the end of an error: the known word that is most like ``word``. Empty if none is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"; did you mean {close[0]}?" if close else ""

"""What the doctor says of one hop, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .words import clean


class Hop(Enum):
    """The stations of a browser's way, in order; the value is what reports call it."""

    NAME = "name"
    CONNECTION = "connection"
    TLS = "tls"
    REDIRECT = "redirect"
    PAGE = "page"
    RESOURCES = "resources"
    EMBEDDING = "embedding"
    COOKIES = "cookies"
    HEADERS = "headers"
    WEBSOCKET = "websocket"
    IDLE = "idle"
    BUFFERING = "buffering"
    BACKENDS = "backends"


class Severity(Enum):
    """How bad it is; only a problem makes the exit status 1."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was seen."""

    id: str
    """``hop.what``, the same in every version; remedies are found by it."""
    severity: Severity
    hop: Hop
    seen: str
    """What was seen, in one sentence."""
    change: str = ""
    """What to change, in one sentence; empty if nothing."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What lines of configuration need to know: ``host``, ``origin``, ``path``."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Lines for a configuration."""

    kind: str
    """Whose configuration it is, as ``nginx``."""
    place: str
    """Where the lines go."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding with its remedies."""

    finding: Finding
    remedies: tuple[Remedy, ...] = ()


def ok(id: str, seen: str, **facts: str) -> Finding:  # noqa: A002 - it is a finding's
    """All is well."""
    return _finding(id, Severity.OK, seen, "", facts)


def info(id: str, seen: str, change: str = "", **facts: str) -> Finding:  # noqa: A002
    """Worth knowing."""
    return _finding(id, Severity.INFO, seen, change, facts)


def warning(id: str, seen: str, change: str, **facts: str) -> Finding:  # noqa: A002
    """Works, but not for everyone or not for long."""
    return _finding(id, Severity.WARNING, seen, change, facts)


def problem(id: str, seen: str, change: str, **facts: str) -> Finding:  # noqa: A002
    """Does not work in a browser."""
    return _finding(id, Severity.PROBLEM, seen, change, facts)


def _finding(id: str, severity: Severity, seen: str, change: str, facts: Mapping[str, str]) -> Finding:  # noqa: A002
    return Finding(id, severity, Hop(id.partition(".")[0]), clean(seen, 600), clean(change, 600), facts)

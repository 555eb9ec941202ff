"""Findings and remedies as plain data, and the report of them as text or JSON.

Servers' own words are made safe to print: no escape sequences, and a limited length.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from .bounds import GUESSED
from .products import Sighting

_MAX_CHARACTERS = 300
_MAX_SENTENCE = 600
_MAX_LINE = 500
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_HOP_WIDTH = 12
_INDENT = " " * (_HOP_WIDTH + 4)
_MIN_WIDTH = 60
_MAX_WIDTH = 110


class Hop(Enum):
    """The steps of a browser, in order, by their names in reports."""

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
    """How bad a finding is; only a problem makes the exit status 1."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Remedy:
    """Lines for a configuration."""

    kind: str
    """The product that is configured, such as ``nginx``."""
    place: str
    """Where the lines go."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of an examination."""

    id: str
    """``hop.what``. It is the same in every version, and remedies are found by it."""
    severity: Severity
    hop: Hop
    seen: str
    """One sentence about what was seen."""
    change: str = ""
    """One sentence about what to change; empty if nothing."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Values for lines of configuration, such as ``host``, ``origin`` and ``prefix``."""
    remedies: tuple[Remedy, ...] = ()


class Sentences(msgspec.Struct, array_like=True, frozen=True):
    """The sentences of a finding in the table, with names of facts in braces."""

    seen: str
    change: str = ""


@cache
def table() -> Mapping[str, tuple[Severity, Sentences]]:
    """All possible findings (``findings.toml``). Keys are ids, or ``id/case``."""
    file = Path(__file__).with_suffix(".toml").read_bytes()
    found = msgspec.toml.decode(file, type=dict[Severity, dict[str, Sentences]])
    return {key: (severity, sentences) for severity, rows in found.items() for key, sentences in rows.items()}


def finding(key: str, facts: Mapping[str, str] | None = None, severity: Severity | None = None,
            **words: object) -> Finding:
    """The finding at ``key`` in the table, with its sentences filled in; ``severity`` replaces the table's.

    Words may come from any server, since they are only shown. Facts also go into lines of configuration, so they are
    made with ``facts_of``.
    """
    usual, sentences = table()[key]
    name = key.partition("/")[0]
    known = {**(facts or {}), **words}
    seen, change = (clean(text.format_map(known), _MAX_SENTENCE) for text in (sentences.seen, sentences.change))
    return Finding(name, severity or usual, Hop(name.partition(".")[0]), seen, change, facts or {})


def clean(text: str, longest: int = _MAX_CHARACTERS) -> str:
    """The text on one line, at most so long, with ``?`` for characters that could affect a terminal."""
    cut = text[:longest + 1]
    words = " ".join(visible(cut).split())
    return words if len(cut) <= longest else f"{words[:longest - 1]}…"


def visible(text: str) -> str:
    """The text with ``?`` for each invisible character but tabs and line ends.

    Such characters could move the cursor, colour the terminal or change the reading order.
    """
    return "".join("?" if letter not in "\t\n\r" and unicodedata.category(letter) in _UNSEEN else letter
                   for letter in text)


def duration(seconds: float) -> str:
    """Such as ``300 ms``, ``40 s``, ``5 minutes``, ``3 days``."""
    if seconds < 1:
        return f"{max(seconds * 1000, 1):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """A number of bytes, such as ``700 bytes``, ``8 KB``, ``1.2 MB``."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.0f} KB"


MARKS = {Severity.OK: "✓", Severity.INFO: "·", Severity.WARNING: "!", Severity.PROBLEM: "✗"}
_COLOURS = {Severity.OK: "32", Severity.INFO: "2", Severity.WARNING: "33", Severity.PROBLEM: "31"}


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """The result of ``hotshoe doctor``."""

    url: str
    sightings: tuple[Sighting, ...]
    """The proxies, platforms and servers that were recognised, nearest to the browser first."""
    findings: tuple[Finding, ...]
    """In the order of hops."""

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(each for each in self.findings if each.severity is Severity.PROBLEM)

    @property
    def status(self) -> int:
        """The exit status: 0 no problems (there may be warnings), 1 problems, 3 no connection to the server.

        2 is for a wrong command line.
        """
        if any(each.hop in (Hop.NAME, Hop.CONNECTION) for each in self.problems):
            return 3
        return 1 if self.problems else 0

    def ids(self, severity: Severity | None = None) -> tuple[str, ...]:
        """The ids of the findings, of one severity or of all."""
        return tuple(each.id for each in self.findings if severity in (None, each.severity))


def as_json(report: DoctorReport) -> Mapping[str, Any]:
    """The report as data for JSON."""
    return {
        "url": report.url,
        "status": report.status,
        "recognised": [{"kind": sighting.kind.value, "by": clean(sighting.evidence)} for sighting in report.sightings],
        "findings": [{
            "id": each.id,
            "hop": each.hop.value,
            "severity": each.severity.value,
            "seen": each.seen,
            "change": each.change,
            "remedies": [{"for": remedy.kind, "where": remedy.place, "lines": list(remedy.lines)}
                         for remedy in each.remedies],
        } for each in report.findings],
    }


Style = Callable[[str, str], str]
"""Takes an SGR code and a text, and returns the text, coloured or not."""


def _style(colour: bool, code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text


def render(report: DoctorReport, *, colour: bool = False, width: int = 100) -> str:
    """The report as lines of at most ``width`` characters; lines of configuration may be longer."""
    style = partial(_style, colour)
    width = max(_MIN_WIDTH, min(width, _MAX_WIDTH)) - len(_INDENT)
    lines = [style("1", clean(report.url))]
    if report.sightings:
        names = (f"{sighting.kind.label} ({clean(sighting.evidence, 60)})" for sighting in report.sightings)
        lines.append(style("2", "answered by " + ", then ".join(names)))
    lines.append("")
    hop = ""
    for each in report.findings:
        name = each.hop.value
        lines.extend(_finding_lines(each, style, width, "" if name == hop else name))
        hop = name
    if lines[-1]:
        lines.append("")
    if any(GUESSED in line for each in report.findings for remedy in each.remedies for line in remedy.lines):
        lines.extend([style("2", f"The lines use {GUESSED} for the server; change it with --upstream HOST:PORT."), ""])
    return "\n".join([*lines, _summary(report, style)]) + "\n"


def _finding_lines(finding: Finding, style: Style, width: int, hop: str) -> Iterator[str]:
    start = f"  {style(_COLOURS[finding.severity], MARKS[finding.severity])} {hop:{_HOP_WIDTH}}"
    for line in textwrap.wrap(finding.seen, width, break_on_hyphens=False) or [""]:
        yield start + (style("1", line) if finding.severity is Severity.PROBLEM else line)
        start = _INDENT
    if finding.change and finding.severity is not Severity.OK:
        yield from (_INDENT + style("2", line) for line in textwrap.wrap(
            finding.change, width, initial_indent="→ ", subsequent_indent="  ", break_on_hyphens=False))
    for remedy in finding.remedies:
        yield ""
        yield f"{_INDENT}{style('1;36', remedy.kind)}{style('36', f', {clean(remedy.place)}:')}"
        yield from (f"{_INDENT}  {style('36', _safe_line(line))}" for line in remedy.lines)
    if finding.remedies:
        yield ""


def _safe_line(text: str) -> str:
    """A line of configuration without characters that could affect a terminal."""
    return visible(re.sub(r"\s", " ", text[:_MAX_LINE]))


def _summary(report: DoctorReport, style: Style) -> str:
    problems, warnings = len(report.problems), len(report.ids(Severity.WARNING))
    noted = f" {_count(warnings, 'warning')}." if warnings else ""
    if problems:
        return style("1;31", f"{_count(problems, 'problem')}.") + noted
    return style("1;32", "No problems.") + noted


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"

"""A report as text: a line per finding, under it what to change, and the lines to add."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from .findings import Advice, Severity
from .options import GUESSED
from .report import Report
from .words import clean, visible

_MARKS = {Severity.OK: "✓", Severity.INFO: "·", Severity.WARNING: "!", Severity.PROBLEM: "✗"}
_COLOURS = {Severity.OK: "32", Severity.INFO: "2", Severity.WARNING: "33", Severity.PROBLEM: "31"}
_HOP_WIDTH = 12
_LEAST_WIDTH = 60
_MOST_WIDTH = 110
_LONGEST_LINE = 500


class _Style:
    """Escape sequences, or none."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text


def render(report: Report, *, colour: bool = False, width: int = 100) -> str:
    """The report as lines of at most ``width`` characters, but for lines of configuration."""
    style = _Style(colour)
    width = max(_LEAST_WIDTH, min(width, _MOST_WIDTH))
    lines = [f"{style('1', clean(report.url))}", *_recognised(report, style), ""]
    hop = ""
    for advice in report.advice:
        name = advice.finding.hop.value
        lines.extend(_advice(advice, style, width, "" if name == hop else name))
        hop = name
    if lines[-1]:
        lines.append("")
    if any(GUESSED in line for advice in report.advice for remedy in advice.remedies for line in remedy.lines):
        lines.extend([style("2", f"Lines name {GUESSED}; --upstream HOST:PORT sets that."), ""])
    return "\n".join([*lines, *_summary(report, style)]) + "\n"


def _recognised(report: Report, style: _Style) -> Iterator[str]:
    if report.sightings:
        names = (f"{sighting.kind.label} ({clean(sighting.evidence, 60)})" for sighting in report.sightings)
        yield style("2", "answered by " + ", then ".join(names))


def _advice(advice: Advice, style: _Style, width: int, hop: str) -> Iterator[str]:
    finding = advice.finding
    mark = style(_COLOURS[finding.severity], _MARKS[finding.severity])
    indent = " " * (_HOP_WIDTH + 4)
    first, *rest = textwrap.wrap(finding.seen, width - len(indent), break_on_hyphens=False) or [""]
    words = style("1", first) if finding.severity is Severity.PROBLEM else first
    yield f"  {mark} {hop:{_HOP_WIDTH}}{words}"
    for line in rest:
        yield indent + (style("1", line) if finding.severity is Severity.PROBLEM else line)
    if finding.change and finding.severity is not Severity.OK:
        yield from (indent + style("2", line) for line in _change(finding.change, width - len(indent)))
    for remedy in advice.remedies:
        yield ""
        yield f"{indent}{style('1;36', remedy.kind)}{style('36', f', {clean(remedy.place)}:')}"
        yield from (f"{indent}  {style('36', _line(line))}" for line in remedy.lines)
    if advice.remedies:
        yield ""


def _change(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="→ ", subsequent_indent="  ", break_on_hyphens=False)


def _line(text: str) -> str:
    """A line of configuration: as it is, but for what a terminal must not get."""
    return visible(re.sub(r"\s", " ", text[:_LONGEST_LINE]))


def _summary(report: Report, style: _Style) -> Iterator[str]:
    problems = len(report.problems)
    warnings = len(report.ids(Severity.WARNING))
    noted = f" {_count(warnings, 'warning')}." if warnings else ""
    if problems:
        yield style("1;31", f"{_count(problems, 'problem')}.") + noted
    else:
        yield style("1;32", "Nothing is wrong.") + noted


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"

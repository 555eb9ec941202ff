"""The results as a table in Markdown: medians over the rounds, and how many times better with its spread."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import psutil

from .measures import Row, Scenario
from .ratios import Comparison


@dataclass(slots=True)
class Results:
    """What each peer gave for each row, round by round; ``None`` where a round failed."""

    peers: Sequence[str]
    values: dict[tuple[str, str], list[float | None]] = field(default_factory=dict)
    """By (row, peer)."""
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """By (row, peer): why the last round that failed did."""

    def add(self, peer: str, rows: Sequence[Row], values: Mapping[str, float]) -> None:
        """Note a round that went well."""
        for row in rows:
            self.values.setdefault((row.name, peer), []).append(values[row.name])

    def fail(self, peer: str, rows: Sequence[Row], reason: str) -> None:
        """Note a round that did not."""
        for row in rows:
            self.values.setdefault((row.name, peer), []).append(None)
            self.failures[row.name, peer] = reason

    def good(self, row: Row, peer: str) -> list[float]:
        """The values of the rounds that went well."""
        return [value for value in self.values.get((row.name, peer), []) if value is not None]

    def ratios(self, row: Row, peer: str) -> list[float]:
        """How many times better than the first peer, for each round that went well with both."""
        values, bases = (self.values.get((row.name, name), []) for name in (peer, self.peers[0]))
        return [row.times_better(value, base) for value, base in zip(values, bases, strict=True)
                if value is not None and base is not None]


def markdown(results: Results, scenarios: Sequence[Scenario]) -> str:
    """The whole table."""
    base, *others = results.peers
    header = ["measure", "unit", base]
    for other in others:
        header += [other, "times better (from, to)"]
    header.append("target")
    lines = [header, ["---"] * len(header)]
    lines += [_line(row, results) for scenario in scenarios for row in scenario.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def compared_versions(results: Results, scenarios: Sequence[Scenario]) -> str:
    """The table of two versions: the first is the older one."""
    lines = [["measure", "unit", *results.peers, "times better", "quartiles", "rounds", "more than 3 % worse"]]
    lines.append(["---"] * len(lines[0]))
    lines += [_version_line(row, results) for scenario in scenarios for row in scenario.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _version_line(row: Row, results: Results) -> list[str]:
    cells = [row.name, row.unit, *(_value(row, peer, results) for peer in results.peers)]
    ratios = results.ratios(row, results.peers[1])
    if not ratios:
        return [*cells, "-", "-", "0", ""]
    comparison = Comparison.of(ratios)
    return [*cells, f"{comparison.median:.3f}",
            f"{comparison.lower_quartile:.3f}, {comparison.upper_quartile:.3f}",
            str(comparison.rounds), comparison.verdict.value]


def _line(row: Row, results: Results) -> list[str]:
    base, *others = results.peers
    cells = [row.name, row.unit, _value(row, base, results)]
    for other in others:
        cells += [_value(row, other, results), _spread(results.ratios(row, other))]
    cells.append("" if row.target is None else f"{row.target:g}")
    return cells


def _value(row: Row, peer: str, results: Results) -> str:
    good = results.good(row, peer)
    failure = results.failures.get((row.name, peer))
    number = _number(median(good)) if good else "-"
    return number if failure is None else f"{number} (failed: {failure})"


def _spread(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    middle = f"**{_number(median(ratios))}**"
    return middle if len(ratios) == 1 else f"{middle} ({_number(min(ratios))}, {_number(max(ratios))})"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> str:
    """Where the table was made, in one line."""
    return ", ".join(_facts())


def _facts() -> Iterator[str]:
    yield f"{datetime.now(UTC):%Y-%m-%d}"
    yield f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB"
    yield f"{platform.system()} {platform.release().split('-')[0]}"
    yield f"Python {platform.python_version()}"
    for package in ("bokeh", "tornado", "uvicorn", "uvloop", "numpy", "hotshoe"):
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

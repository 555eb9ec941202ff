"""An examination with what follows from it, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .findings import Advice, Severity
from .kinds import Sighting
from .words import clean

HEALTHY, SICK, UNREACHABLE = 0, 1, 3
"""Exit statuses; 2 is a wrong command line."""
_UNREACHED = ("name.", "connection.")


@dataclass(frozen=True, slots=True)
class Report:
    """What ``hotshoe doctor`` says."""

    url: str
    sightings: tuple[Sighting, ...]
    """Proxies, platforms and servers that were recognised, nearest first."""
    advice: tuple[Advice, ...]
    """In the order of a browser's way."""

    @property
    def problems(self) -> tuple[Advice, ...]:
        """What does not work."""
        return tuple(each for each in self.advice if each.finding.severity is Severity.PROBLEM)

    @property
    def status(self) -> int:
        """The exit status: 0 nothing is wrong (warnings do not count), 1 something is, 3 nothing could be asked."""
        if any(each.finding.id.startswith(_UNREACHED) for each in self.problems):
            return UNREACHABLE
        return SICK if self.problems else HEALTHY

    def ids(self, severity: Severity | None = None) -> tuple[str, ...]:
        """The ids of the findings, of one severity or of all."""
        return tuple(each.finding.id for each in self.advice if severity in (None, each.finding.severity))


def as_json(report: Report) -> Mapping[str, Any]:
    """The report as JSON can say it."""
    return {
        "url": report.url,
        "status": report.status,
        "recognised": [{"kind": sighting.kind.value, "by": clean(sighting.evidence)} for sighting in report.sightings],
        "findings": [_finding(each) for each in report.advice],
    }


def _finding(advice: Advice) -> dict[str, Any]:
    finding = advice.finding
    return {
        "id": finding.id,
        "hop": finding.hop.value,
        "severity": finding.severity.value,
        "seen": finding.seen,
        "change": finding.change,
        "remedies": [{"for": remedy.kind, "where": remedy.place, "lines": list(remedy.lines)}
                     for remedy in advice.remedies],
    }

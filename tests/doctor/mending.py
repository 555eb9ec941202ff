"""What the tests ask of a report, and how its lines get into a configuration."""

from __future__ import annotations

from hotshoe.doctor import Options, Report, Severity, examine, render


def examined(url: str, options: Options) -> Report:
    """The doctor's report. It can always be printed, with nothing in it that moves a cursor."""
    report = examine(url, options)
    text = render(report)
    assert "\x1b" not in text
    return report


def severities(report: Report) -> dict[str, str]:
    """All that is not well: the severity of each finding by its id."""
    return {each.finding.id: each.finding.severity.value for each in report.advice
            if each.finding.severity in (Severity.WARNING, Severity.PROBLEM)}


def lines_for(report: Report, finding: str, kind: str) -> list[str]:
    """The lines for a finding in one kind's configuration."""
    found = [remedy.lines for each in report.advice if each.finding.id == finding for remedy in each.remedies
             if remedy.kind == kind]
    assert found, f"no lines of {kind} for {finding} in:\n{render(report)}"
    return list(found[0])

"""What the tests ask of a report, and how its lines get into a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from tests.support.cases import every_case
from tests.support.proxies import Running, Site

from hotshoe.doctor import DoctorOptions, DoctorReport, Severity, examine, render

FAULTS: dict[str, dict[str, str]] = {
    "no-upgrade": {"websocket.no-upgrade": "problem"},
    "origin": {"websocket.origin": "problem", "resources.uncompressed": "warning"},
    "uncompressed": {"resources.uncompressed": "warning"},
    "stripped": {"page.redirect-lost-prefix": "problem", "resources.wrong-prefix": "problem"},
    "no-static": {"resources.missing": "problem"},
    "types": {"resources.type": "problem"},
    "subprotocol": {"websocket.subprotocol": "problem"},
    "headers": {"headers.too-large": "problem"},
    "path": {"cookies.path": "problem"},
    "domain": {"cookies.domain": "problem"},
    "cached": {"page.cached": "problem"},
    "expired": {"page.cached": "problem", "resources.cdn": "problem", "websocket.token-expired": "problem"},
    "mixed": {"page.mixed-content": "problem", "embedding.mixed-content": "problem"},
    "swallowed": {"websocket.swallowed": "problem"},
    "ws-404": {"websocket.not-found": "problem"},
    "ws-426": {"websocket.upgrade-required": "problem"},
    "ws-403": {"websocket.forbidden": "problem"},
    "404": {"page.not-found": "problem"},
    "loop": {"page.redirect-loop": "problem"},
    "login": {"page.login": "problem"},
    "basic": {"page.login": "problem"},
    "to-http": {"page.redirect-insecure": "problem"},
}
"""What can be wrong behind nginx and behind Apache: the name of the site, and what is not well there."""


def examined(url: str, options: DoctorOptions) -> DoctorReport:
    """The doctor's report. It can always be printed, with nothing in it that moves a cursor."""
    report = examine(url, options)
    text = render(report)
    assert "\x1b" not in text
    return report


def severities(report: DoctorReport) -> dict[str, str]:
    """All that is not well: the severity of each finding by its id."""
    return {each.id: each.severity.value for each in report.findings
            if each.severity in (Severity.WARNING, Severity.PROBLEM)}


def lines_for(report: DoctorReport, finding: str, kind: str) -> list[str]:
    """The lines for a finding in one kind's configuration."""
    found = [remedy.lines for each in report.findings if each.id == finding for remedy in each.remedies
             if remedy.kind == kind]
    assert found, f"no lines of {kind} for {finding} in:\n{render(report)}"
    return list(found[0])


def assert_lines_mend(kind: str, start: Callable[[Mapping[str, Site]], AbstractContextManager[Running]],
                      running: Running, sites: Mapping[str, Site], faults: Sequence[tuple[str, str]],
                      put_in: Callable[[Site, list[str]], Site], options: Callable[[str], DoctorOptions]) -> None:
    """Put the lines for a finding into the site that has it: behind a proxy with all of these sites, all is well.

    ``options`` gives those with which the doctor looks at a site.
    """
    mended = {"setting": sites["setting"]}
    for name, finding in faults:
        asked = replace(options(name), idle_s=20 if name == "idle" else 0)
        mended[name] = put_in(sites[name], lines_for(examined(running.url(name, "/amounts"), asked), finding, kind))
    with start(mended) as after, every_case() as case:
        for name, finding in faults:
            with case(name):
                asked = replace(options(name), idle_s=4 if name == "idle" else 0)
                report = examined(after.url(name, "/amounts"), asked)
                assert finding not in severities(report), severities(report)
                assert report.status == 0, severities(report)

"""Findings from observations. All functions are pure, and yield findings of one hop."""

from __future__ import annotations

from ..findings import Finding, Hop
from ..observations import Examination
from ..urls import facts_of
from .app_page import check_cache, check_page
from .app_websocket import check_backends, check_buffering, check_idle, check_websocket
from .https import check_name, check_redirect, check_tls
from .request_headers import check_cookies, check_sizes
from .resources import check_embedding, check_mixed_content, check_resources

_OF_APPS = (check_cache, check_resources, check_embedding, check_sizes, check_websocket, check_idle,
            check_buffering, check_backends)
_ORDER = {hop: number for number, hop in enumerate(Hop)}


def check(seen: Examination, *, insecure: bool = False) -> tuple[Finding, ...]:
    """All findings in the order of hops, without repetitions."""
    findings = [*check_name(seen), *check_tls(seen, insecure=insecure), *check_redirect(seen), *check_page(seen),
                *check_mixed_content(seen), *check_cookies(seen)]
    for mount in seen.mounts:
        facts = facts_of(mount.app, page_host=mount.page.netloc, page_origin=mount.page.origin)
        for check_app in _OF_APPS:
            findings.extend(check_app(seen, mount, facts))
    distinct: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        distinct.setdefault((finding.id, finding.seen), finding)
    return tuple(sorted(distinct.values(), key=lambda finding: _ORDER[finding.hop]))

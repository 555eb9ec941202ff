"""What observations mean: pure functions from an ``Examination`` to findings, in the order of a browser's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..findings import Finding, Hop
from ..observations import Examination
from .connection import check_name, check_redirect, check_tls
from .cookies import check_cookies, check_sizes
from .duration import check_backends, check_buffering, check_idle
from .embedding import check_embedding
from .page import check_page, check_starts
from .resources import check_mixed_content, check_resources
from .websocket import check_websocket

CHECKS: tuple[Callable[[Examination], Iterator[Finding]], ...] = (
    check_name, check_tls, check_redirect, check_starts, check_page, check_mixed_content, check_resources,
    check_embedding, check_cookies, check_sizes, check_websocket, check_idle, check_buffering, check_backends,
)
_ORDER = {hop: number for number, hop in enumerate(Hop)}


def check(seen: Examination, *, insecure: bool = False) -> tuple[Finding, ...]:
    """All findings, by hops; each id once per app at most."""
    found: dict[tuple[str, str], Finding] = {}
    for each in CHECKS:
        findings = check_tls(seen, insecure=insecure) if each is check_tls else each(seen)
        for finding in findings:
            found.setdefault((finding.id, finding.seen), finding)
    return tuple(sorted(found.values(), key=lambda finding: _ORDER[finding.hop]))


__all__ = ["CHECKS", "check"]

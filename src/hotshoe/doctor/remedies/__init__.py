"""What to write into whose configuration: pure, from a finding's id and a kind to exact lines.

Each table has, by the id, where the lines go and the lines. ``{name}`` and the like in them are a finding's facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..findings import Advice, Finding, Remedy, Severity
from ..kinds import Kind
from .apache import APACHE
from .caddy import CADDY
from .haproxy import HAPROXY
from .nginx import NGINX
from .platforms import PLATFORMS
from .servers import SERVERS

Table = Mapping[str, tuple[str, str]]

TABLES: Mapping[Kind, Table] = {Kind.NGINX: NGINX, Kind.APACHE: APACHE, Kind.CADDY: CADDY, Kind.HAPROXY: HAPROXY,
                                **PLATFORMS, **SERVERS}


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"YOUR-{key.upper().replace('_', '-')}"


def remedy(finding: str, kind: Kind, facts: Mapping[str, str]) -> Remedy | None:
    """The lines for a finding in a kind's configuration; ``None`` if there is nothing to write there."""
    entry = TABLES.get(kind, {}).get(finding)
    if entry is None:
        return None
    place, lines = entry
    if any(f"{{{name}}}" in lines and not facts.get(name) for name in ("keep_alive", "bare_prefix")):
        return None  # more pings would not help, or there is no prefix
    known = _Facts({**facts, **_told_prefix(facts)})
    text = lines.strip("\n").format_map(known)
    return Remedy(kind.label, place.format_map(known), tuple(text.split("\n")))


def _told_prefix(facts: Mapping[str, str]) -> dict[str, str]:
    """What stands by a line that tells the server of no prefix: whether the proxy cuts one off is not seen."""
    prefix = facts.get("bare_prefix", "")
    if not prefix:
        return {"cut_prefix": "", "prefix_note": "no prefix to tell of"}
    return {"cut_prefix": f"   # {prefix} instead, if the proxy cuts that off",
            "prefix_note": f"set it to {prefix} instead, if the proxy cuts that off"}


def advise(findings: Iterable[Finding], kinds: Iterable[Kind], upstream: str) -> Iterator[Advice]:
    """Put the remedies for these kinds to each finding that asks for a change."""
    present = tuple(kinds)
    for finding in findings:
        if finding.severity in (Severity.OK,):
            yield Advice(finding)
            continue
        facts = {**finding.facts, "upstream": upstream}
        found = (remedy(finding.id, kind, facts) for kind in present)
        yield Advice(finding, tuple(each for each in found if each is not None))

"""Each line of the threats in docs/threats.md names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.cases import every_case
from tests.support.named_tests import check_place

DOCS = Path(__file__).parents[1] / "docs" / "threats.md"


def _rows() -> list[tuple[str, str]]:
    threats = DOCS.read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in threats.splitlines() if line.startswith("| ")]
    return [(cells[0], cells[-1]) for cells in lines if cells[0] not in ("an attacker", "---")]


def test_each_threat_has_a_test() -> None:
    rows = _rows()
    assert len(rows) > 30
    with every_case() as case:
        for threat, named in rows:
            with case(threat):
                places = re.findall(r"`([\w/]+\.py(?:::\w+)?)`", named)
                assert places, "no test is named"
                for place in places:
                    check_place(place)

"""Each line of the threats in docs/security.md names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs" / "security.md"


def _rows() -> list[tuple[str, str]]:
    _, threats = DOCS.read_text().split("## Threats")
    lines = [line.strip("| ").split(" | ") for line in threats.splitlines() if line.startswith("| ")]
    return [(cells[0], cells[-1]) for cells in lines if cells[0] not in ("an attacker", "---")]


@pytest.mark.parametrize(("threat", "named"), _rows())
def test_a_threat_has_a_test(threat: str, named: str) -> None:
    tests = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", named)
    assert tests, threat
    for file, function in tests:
        source = (TESTS / file).read_text()
        assert not function or re.search(rf"^\s*(async )?def {function}\(", source, re.MULTILINE), f"{file}::{function}"


def test_there_are_threats() -> None:
    assert len(_rows()) > 30

"""Write docs/findings.md from the table of the doctor's findings; with --check, only say whether it is up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hotshoe.doctor.findings import MARKS, Hop, table

PAGE = Path(__file__).parent.parent / "docs" / "findings.md"

INTRODUCTION = """\
# Findings of hotshoe doctor

*Made by `make docs` from `src/hotshoe/doctor/findings.toml`.*

All findings of [`hotshoe doctor`](doctor.md), in the order in which a browser would meet them.

| mark | meaning |
| --- | --- |
| `✗` | a problem: the app does not work in a browser |
| `!` | a warning: the app works, but not for everyone or not for long |
| `·` | a note: worth knowing |
| `✓` | all is well |

Some findings can be milder than listed here: about embedding there are only notes if no page embeds the app yet, and a
missing style sheet is only a warning. Words in *italics* stand for details of the case, and `[…]` for details that may
be missing. If an id has several rows, it has several cases.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *map(chapter, Hop)])


def chapter(hop: Hop) -> str:
    """All findings of a hop."""
    rows = [f"| `{key.partition('/')[0]}` | {MARKS[severity]} | {text(sentences.seen)} | {text(sentences.change)} |"
            for key, (severity, sentences) in table().items() if key.startswith(f"{hop.value}.")]
    return "\n".join([f"## {hop.value}\n", "| id | | what was seen | what to change |", "| --- | --- | --- | --- |",
                      *rows, ""])


def text(sentence: str) -> str:
    """A sentence as Markdown. What follows a word without a space may be empty."""
    escaped = re.sub(r"([*_<>|])", r"\\\1", re.sub(r"(?<=[\w.)”}])\{\w+\}", " […]", sentence))
    return re.sub(r"\{(.*?)\}", lambda fact: f"*{fact[1]}*".replace("\\_", " "), escaped)


def main() -> int:
    """Write the page, or compare it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE} is not what the table says: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

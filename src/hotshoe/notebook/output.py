"""What stands in the cell: a note for those who run no scripts, and the script that puts the app in its place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

from hotshoe.pages.scripting import script_json

_NOTE = "An app is shown here while its kernel runs. If it is not, run the cell again."


def output(port: int, path: str, session: str, *, height: int | None = None) -> Mapping[str, str]:
    """The cell's output by MIME type, for the app at a port of the kernel's machine.

    The session has its id from here: a notebook that is loaded again finds its app as it was.
    """
    plan = {"port": port, "path": path, "session": session, "height": height}
    return {"text/html": _html(session, script_json(plan)), "text/plain": "<an app of hotshoe>"}


def _html(name: str, plan: str) -> str:
    return (
        f'<div class="hotshoe-app" data-session="{escape(name)}"><p>{_NOTE}</p>'
        f"<script>{_code()}({plan});</script></div>"
    )


@cache
def _code() -> str:
    lines = (Path(__file__).parent / "show.js").read_text(encoding="utf-8").rstrip().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))

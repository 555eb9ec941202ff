"""The documented Flask site, run as it stands there: it gives out the tag, and imports nothing of a server of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs/embedding.md"
ASK = """
import sys
print(site.test_client().get("/").get_data(as_text=True))
names = ("hotshoe", "starlette", "uvicorn", "tornado")
print("imported:", *sorted(name for name in sys.modules if name.startswith(names)))
"""


def test_a_flask_site() -> None:
    snippet = re.search(r"```python\n(from flask.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert snippet is not None
    said = subprocess.check_output([sys.executable, "-c", snippet[1] + ASK], text=True, encoding="utf-8")
    page, _, imported = said.partition("imported:")
    assert '<h1>Sales</h1><bokeh-app src="/sliders">' in page
    assert '<script src="/sliders/embed.js" async></script>' in page
    home = {"hotshoe.base", "hotshoe.base.home"}  # looked for before bokeh is imported
    assert set(imported.split()) == {"hotshoe", "hotshoe.embed", "hotshoe.embed.tags"} | home

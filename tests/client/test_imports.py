"""A program that only uses the client loads none of the server."""

from __future__ import annotations

import subprocess
import sys

FOREIGN = ("starlette", "uvicorn", "httptools", "uvloop", "jinja2.sandbox", "tornado", "bokeh.server", "bokeh.client",
           "hotshoe.web", "hotshoe.hosts", "hotshoe.sessions", "hotshoe.apps", "hotshoe.pages", "hotshoe.auth",
           "hotshoe.cli", "hotshoe.embed", "panel")


def test_no_part_of_the_server_is_imported() -> None:
    code = "import hotshoe.client, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "hotshoe.client" in loaded
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{part}." for part in FOREIGN))] == []


def test_a_part_that_an_app_of_another_server_imports_leaves_it_its_document() -> None:
    code = (
        "from bokeh.document import Document\n"
        "from bokeh.io.doc import curdoc, patch_curdoc\n"
        "document = Document()\n"
        "with patch_curdoc(document):\n"
        "    import hotshoe.client\n"
        "    assert curdoc() is document\n"
        "assert curdoc() is not document\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

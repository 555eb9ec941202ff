"""Files and scripts of pages: the folder of BokehJS, our own scripts, and the text of script elements.

Each file is read once per process. Data gets into a script only as JSON made by ``script_json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bokeh.settings import settings

from ..seams.needs import models_of_bundles

STATIC = "static"
"""The path of BokehJS below the prefix, as in ``bokeh serve``: proxies may map it to bokeh's own folder."""
OWN_STATIC = "_hotshoe/static"
"""A second path of BokehJS, for pages inside a site, which has its own ``static``."""

PAGE_SCRIPTS = ("address.js", "signs.js", "busy.js", "sending.js", "failures.js", "blank.js", "closing.js",
                "framed.js", "shims.js", "missing.js", "hotshoe.js")
COMPONENT_SCRIPTS = ("shims.js", "loads.js", "sending.js", "shows.js", "notices.js", "plans.js", "component.js")

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

# Read at import: later reads would block the event loop.
_SCRIPTS = {file.name: file.read_text(encoding="utf-8")
            for file in (Path(__file__).parent / "scripts").iterdir() if file.suffix == ".js"}

_EMBED = """\
(function() {{
  function embed() {{ {call} }}
  function start(attempts) {{
    if (window.Bokeh !== undefined) embed();
    else if (attempts > 0) setTimeout(start, 10, attempts - 1);
    else console.error("Bokeh: BokehJS is not loaded, so the app can't be shown");
  }}
  if (document.readyState != "loading") start(100);
  else document.addEventListener("DOMContentLoaded", function() {{ start(100); }}, {{once: true}});
}})();"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of ours, ready to send."""

    body: bytes
    version: str
    """For ``?v=`` and the ETag; changes with the content."""
    content_type: str


@cache
def page_script() -> Asset:
    """The file ``_hotshoe/page.js``."""
    return _join(PAGE_SCRIPTS, f"const MODEL_BUNDLES = {script_json(models_of_bundles())};\n")


@cache
def component_script() -> Asset:
    """The file ``_hotshoe/embed.js``, also below each app: the ``<bokeh-app>`` element."""
    return _join(COMPONENT_SCRIPTS)


def _join(names: Sequence[str], data: str = "") -> Asset:
    """Several scripts as one function, so that their names are not global."""
    parts = data + "\n".join(map(read_script, names))
    body = f'(function () {{\n"use strict";\n\n{parts}}})();\n'.encode()
    return Asset(body, hashlib.sha512(body).hexdigest(), "application/javascript")


def bokehjs_dir() -> Path:
    """The folder served as ``static/``."""
    return Path(settings.bokehjs_path())


@cache
def file_version(path: Path) -> str:
    """The hexadecimal SHA-512 of a file, for ``?v=``, as in ``bokeh serve``; the file is read once per process."""
    return hashlib.sha512(path.read_bytes()).hexdigest()


def script_json(value: Any) -> str:
    """JSON in ASCII that cannot end a script element, start a comment in it, or break a line of JavaScript."""
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


def script_tag(code: str, *, nonce: str) -> str:
    """An inline script; ``code`` is ours or comes from ``script_json``."""
    return f'<script nonce="{nonce}">\n{code}\n</script>'


def embed_script(item: Any, *, guarded: bool = True) -> str:
    """Shows a render item when the page is parsed; ``guarded`` shows errors in the page, not only in the console."""
    code = f"Bokeh.embed.embed_items({{}}, {script_json([item])});"
    return _EMBED.format(call=f"Bokeh.safely(function() {{ {code} }});" if guarded else code)


def dev_script(app_url: str, version: str, *, nonce: str) -> str:
    """The element with which a page in dev mode follows changes of its app; the page shows ``version`` of it."""
    plan = {"app": app_url, "version": version}
    data = f'<script type="application/json" id="hotshoe-dev">{script_json(plan)}</script>'
    return f'\n{data}\n<script nonce="{nonce}">{dev_code()}</script>'


@cache
def dev_code() -> str:
    """The exact text of the script in ``dev_script``."""
    return f"\n{read_script('dev.js')}\n"


@cache
def compact_code(*names: str) -> str:
    """Some of the scripts as one, without comments and blank lines."""
    lines = "\n".join(map(read_script, names)).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("//"))


def read_script(name: str) -> str:
    """The text of one of the scripts beside this module."""
    return _SCRIPTS[name]

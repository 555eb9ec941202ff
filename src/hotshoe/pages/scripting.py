"""Text that is safe inside a ``<script>`` element, and the scripts of pages.

Data reaches a script only as JSON of ``script_json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

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


def script_json(value: Any) -> str:
    """JSON in ASCII that can't end a script element, start a comment in it, or break a line of JavaScript."""
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


def script_tag(code: str, *, nonce: str) -> str:
    """An inline script; ``code`` is ours or comes from ``script_json``."""
    return f'<script nonce="{nonce}">\n{code}\n</script>'


def embed_script(items: Sequence[Any], *, app_path: str | None = None, absolute_url: str | None = None,
                 guarded: bool = True) -> str:
    """Shows render items once the page is parsed; ``guarded`` puts errors on the page, not only in the console."""
    arguments = [{}, list(items)] if app_path is None else [{}, list(items), app_path]
    if absolute_url is not None:
        arguments.append(absolute_url)
    # An app path alone may be given, an address alone not: BokehJS takes them by position.
    code = f"Bokeh.embed.embed_items({', '.join(script_json(argument) for argument in arguments)});"
    return _EMBED.format(call=f"Bokeh.safely(function() {{ {code} }});" if guarded else code)


def dev_script(app_url: str, version: str, *, nonce: str) -> str:
    """What makes a page in dev mode follow the changes of the app at ``app_url``, of which it shows ``version``."""
    plan = {"app": app_url, "version": version}
    data = f'<script type="application/json" id="hotshoe-dev">{script_json(plan)}</script>'
    return f'\n{data}\n<script nonce="{nonce}">{dev_code()}</script>'


@cache
def dev_code() -> str:
    """The text of the script that ``dev_script`` makes, exactly."""
    return f"\n{read_script('dev.js')}\n"


@cache
def read_script(name: str) -> str:
    """The text of one of the scripts beside this module."""
    return (Path(__file__).parent / "scripts" / name).read_text(encoding="utf-8")

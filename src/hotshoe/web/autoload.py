"""What ``autoload.js`` is asked with, its CORS headers, and the script that shows an error where the app would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import RequestError
from ..pages.scripting import script_json
from .answers import Answer, Scope, script
from .origins import Origins, same_origin
from .requests import header, last


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where an app is to be embedded."""

    element_id: str
    app_path: str
    absolute_url: str | None
    resources: bool

    @classmethod
    def of(cls, arguments: Mapping[str, list[bytes]]) -> Embedding:
        """Read the arguments of the request; only that there is an element is checked. Raises ``RequestError``."""
        element_id = last(arguments, "bokeh-autoload-element")
        if not element_id:
            raise RequestError("No bokeh-autoload-element query parameter")
        return cls(
            element_id=element_id,
            app_path=last(arguments, "bokeh-app-path") or "/",
            absolute_url=last(arguments, "bokeh-absolute-url") or None,
            resources=last(arguments, "resources") != "none",
        )


def cors_headers(scope: Scope, origins: Origins) -> dict[str, str]:
    """Anyone may load the script; with cookies only pages of our own and of the allow list.

    (``bokeh serve`` echoes any origin together with credentials.)
    """
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*", "Vary": "Origin"}
    origin = header(scope, b"origin")
    if origin and (same_origin(origin, header(scope, b"host")) or origins.names(origin)):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
    if scope["method"] == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "PUT, GET, OPTIONS"
    return headers


_SHOW = """\
(function(id, text) {
  const place = document.getElementById(id);
  const note = document.createElement("div");
  note.setAttribute("role", "alert");
  note.style.cssText = "margin:8px 0;padding:12px 16px;border:1px solid #c2410c;border-radius:8px;" +
    "font:15px/1.5 system-ui,sans-serif;color:#1c1d1f;background:#fff7ed;white-space:pre-line";
  note.textContent = text;
  if (place === null) document.body.appendChild(note);
  else if (place.tagName === "SCRIPT") place.after(note);
  else place.appendChild(note);
  console.error("Bokeh: " + text);
})"""


def error_script(element_id: str, detail: str, status: int, headers: Mapping[str, str]) -> Answer:
    """A script that writes ``detail`` where the app would stand.

    Embedding pages run what they get whatever its status is (they load it by XMLHttpRequest), so the status can be
    the true one.
    """
    return script(f"{_SHOW}({script_json(element_id)}, {script_json(detail)});\n", status, headers)

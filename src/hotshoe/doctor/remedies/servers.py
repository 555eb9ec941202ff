"""Options of the servers that run the apps."""

from __future__ import annotations

from collections.abc import Mapping

from ..kinds import Kind

_OPTIONS = "its options"
_ENVIRONMENT = "its environment"
_KEYS = "BOKEH_SECRET_KEY=…   # one for all servers, from: hotshoe secret\nBOKEH_SIGN_SESSIONS=yes"

_SAME: Mapping[str, tuple[str, str]] = {
    "page.redirect-lost-prefix": (_OPTIONS, "--prefix {bare_prefix} --use-xheaders"),
    "page.redirect-insecure": (_OPTIONS, "--use-xheaders"),
    "page.redirect-loop": (_OPTIONS, "--use-xheaders"),
    "page.mixed-content": (_OPTIONS, "--use-xheaders"),
    "resources.wrong-prefix": (_OPTIONS, "--prefix {bare_prefix}"),
    "resources.cdn": (_ENVIRONMENT, "BOKEH_RESOURCES=server"),
    "embedding.refused": (_OPTIONS, "--allow-websocket-origin {page_host}"),
    "cookies.samesite": (_OPTIONS, "--use-xheaders"),
    "websocket.origin": (_OPTIONS, "--allow-websocket-origin {page_host}"),
    "websocket.token-refused": (_ENVIRONMENT, _KEYS),
    "websocket.token-expired": (_OPTIONS, "--session-token-expiration 3600"),
    "backends.refused": (_ENVIRONMENT, _KEYS),
    "idle.cut": (_OPTIONS, "--keep-alive {keep_alive}"),
    "idle.short": (_OPTIONS, "--keep-alive {keep_alive}"),
}
_TRUST = "--use-xheaders --trusted-proxies ADDRESS-OF-THE-PROXY"
_HOTSHOE: Mapping[str, tuple[str, str]] = {
    "page.redirect-insecure": (_OPTIONS, _TRUST),
    "page.mixed-content": (_OPTIONS, _TRUST),
    "headers.too-large": (_OPTIONS, "--max-header-size 131072"),
}

SERVERS: Mapping[Kind, Mapping[str, tuple[str, str]]] = {
    Kind.BOKEH: _SAME, Kind.PANEL: _SAME, Kind.HOTSHOE: {**_SAME, **_HOTSHOE}}

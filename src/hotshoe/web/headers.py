"""The headers that make browsers careful with every answer, and the content security policy of apps' pages."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, MutableMapping
from typing import Any

from ..config import Settings
from .answers import Scope, Send
from .origins import is_local_name
from .requests import header

_KEYWORDS = {"self": "'self'", "none": "'none'"}
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})

# Browsers' own default, said aloud: servers of map tiles want to know the site, and nobody else learns the path.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)

# BokehJS and Panel put style elements into shadow roots, draw pictures from data and blobs, and load maps' tiles and
# fonts from wherever the author says. What a script with the nonce loads may run ('strict-dynamic').
_PAGE = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'strict-dynamic'{eval}; "
    "style-src 'self' 'unsafe-inline' https:; "
    "img-src 'self' data: blob: https:; font-src 'self' data: https:; media-src 'self' data: blob: https:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)


class SecurityHeaders:
    """Adds to each answer what its own headers do not say."""

    def __init__(self, settings: Settings) -> None:
        self._common = list(_ALWAYS)
        if settings.frame_ancestors:
            ancestors = " ".join(_KEYWORDS.get(site, site) for site in settings.frame_ancestors)
            # Policies add up: it stands beside the one that a page has of its own.
            self._common.append((b"content-security-policy", f"frame-ancestors {ancestors}".encode()))
        self._hsts = (b"strict-transport-security", f"max-age={settings.hsts_max_age}".encode())
        self._has_hsts = settings.hsts_max_age > 0

    def sender(self, scope: Scope, send: Send) -> Send:
        """``send`` with the headers added to the answer's start."""
        common = self._of(scope)

        # No coroutine of its own: sockets send often.
        def send_more(event: MutableMapping[str, Any]) -> Awaitable[None]:
            if event["type"] in _STARTS:
                given = event.get("headers", ())
                names = {name for name, _ in given} - {b"content-security-policy"}
                event = {**event, "headers": [*given, *(pair for pair in common if pair[0] not in names)]}
            return send(event)

        return send_more

    def _of(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        if not self._has_hsts or scope.get("scheme") not in ("https", "wss"):
            return self._common
        # A browser would apply it to every server of this machine.
        if is_local_name(header(scope, b"host") or ""):
            return self._common
        return [*self._common, self._hsts]


class PagePolicy:
    """The content security policy of an app's page, if one is wanted."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.csp or settings.strict_csp
        # CustomJS and its kin are compiled in the browser.
        self._eval = "" if settings.strict_csp else " 'unsafe-eval'"

    def new(self) -> tuple[str, dict[str, str]]:
        """A nonce for the scripts of one page, and the header that lets only these run; both empty without a policy."""
        if not self._wanted:
            return "", {}
        nonce = secrets.token_urlsafe(16)
        return nonce, {"Content-Security-Policy": _PAGE.format(nonce=nonce, eval=self._eval)}

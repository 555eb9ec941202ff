"""Security headers of every response, and the content security policy of apps' pages."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, MutableMapping
from typing import Any

from ...config import Settings
from ...http.requests import header
from ...http.scopes import Scope, Send
from .host_names import is_local_name

_KEYWORDS = {"self": "'self'", "none": "'none'"}
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})

# The second is the browsers' default: servers of map tiles need the site's origin, but no other site gets the path.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)

_NO_NOSNIFF = (b"x-content-type-options", b"")

# BokehJS and Panel put style elements into shadow roots, draw images from data: and blob: URLs, and load map tiles and
# fonts from any host that the author names. A script that a script with the nonce loads may run ('strict-dynamic').
_PAGE = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'strict-dynamic'{eval}; "
    "style-src 'self' 'unsafe-inline' https:; "
    "img-src 'self' data: blob: https:; font-src 'self' data: https:; media-src 'self' data: blob: https:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)


class SecurityHeaders:
    """Adds the security headers that a response does not set itself. One that it sets to nothing is not sent."""

    def __init__(self, settings: Settings) -> None:
        self._common = list(_ALWAYS)
        if settings.frame_ancestors:
            ancestors = " ".join(_KEYWORDS.get(site, site) for site in settings.frame_ancestors)
            # Browsers apply all policies of a response, so a page's own policy still holds.
            self._common.append((b"content-security-policy", f"frame-ancestors {ancestors}".encode()))
        self._hsts = (b"strict-transport-security", f"max-age={settings.hsts_max_age}".encode())
        self._has_hsts = settings.hsts_max_age > 0

    def sender(self, scope: Scope, send: Send) -> Send:
        """Wrap ``send`` so that it adds the headers."""
        common = self._headers_for(scope)

        def send_more(event: MutableMapping[str, Any]) -> Awaitable[None]:
            if event["type"] in _STARTS:
                given = event.get("headers", ())
                names = {name for name, _ in given} - {b"content-security-policy"}
                own = [pair for pair in given if pair != _NO_NOSNIFF]
                event = {**event, "headers": [*own, *(pair for pair in common if pair[0] not in names)]}
            return send(event)

        return send_more

    def _headers_for(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        if not self._has_hsts or scope.get("scheme") not in ("https", "wss"):
            return self._common
        # For localhost, a browser would apply HSTS to every server on this machine.
        if is_local_name(header(scope, b"host") or ""):
            return self._common
        return [*self._common, self._hsts]


class PagePolicy:
    """The content security policy of apps' pages, if ``--csp`` or ``--strict-csp`` asks for one."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.csp or settings.strict_csp
        # The browser compiles CustomJS and similar models by eval.
        self._eval = "" if settings.strict_csp else " 'unsafe-eval'"

    def new(self) -> tuple[str, dict[str, str]]:
        """A new nonce for one page's scripts, and the header that allows only these; both empty without a policy."""
        if not self._wanted:
            return "", {}
        nonce = secrets.token_urlsafe(16)
        return nonce, {"Content-Security-Policy": _PAGE.format(nonce=nonce, eval=self._eval)}

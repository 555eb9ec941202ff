"""Lines for a Caddyfile. Caddy passes websockets, hosts and schemes on by itself; what breaks them is mostly a line
that tells it not to."""

from __future__ import annotations

from textwrap import indent

_SITE = "the site block of {name}"
_TOLD = """
# Caddy replaces X-Forwarded-For, -Host and -Proto; what else visitors say of themselves must not get through.
header_up X-Real-IP {{remote_host}}
# {prefix_note}
header_up -X-Forwarded-Prefix
header_up -Forwarded
header_up -X-Scheme
header_up -X-Forwarded-Port
header_up -X-Forwarded-Ssl
""".strip()


def _passed(upstreams: str = "{upstream}", more: str = "") -> str:
    """``reverse_proxy``, whole: one has nothing of what is set in another."""
    inside = indent(more + _TOLD, "    ")
    return f"reverse_proxy {upstreams} {{{{\n{inside}\n}}}}"


_PROXY = _passed()
_SECURE = f"{{name}} {{{{\n{indent(_PROXY, '    ')}\n}}}}"
_STICKY = _passed("{upstream} 127.0.0.1:5007", "lb_policy cookie hotshoe\n")
_HOST = _passed(more="header_up Host {{host}}\n")
_UPGRADE = f"""
# take out header_up -Upgrade, header_up -Connection and transport http {{{{ versions … }}}} if they are there
{_PROXY}
"""
_CORS = "header {{\n    Access-Control-Allow-Origin {page_origin}\n    defer\n}}"
_WHOLE = f"# handle, not handle_path: that cuts the path off\nhandle {{prefix}}* {{{{\n{indent(_PROXY, '    ')}\n}}}}"

CADDY = {
    "tls.expired": ("the Caddyfile: with a name, Caddy gets and renews the certificate", _SECURE),
    "tls.expires-soon": ("the Caddyfile: with a name, Caddy gets and renews the certificate", _SECURE),
    "tls.self-signed": ("the Caddyfile: with a name and without tls internal", _SECURE),
    "tls.unknown-authority": ("the Caddyfile: with a name and without tls internal", _SECURE),
    "tls.unknown-root": ("the Caddyfile: with a name and without tls internal", _SECURE),
    "tls.wrong-name": ("the Caddyfile", _SECURE),
    "tls.no-handshake": ("the Caddyfile", _SECURE),
    "tls.incomplete-chain": (_SITE, "tls /etc/ssl/{name}/fullchain.pem /etc/ssl/{name}/privkey.pem"),
    "redirect.missing": ("the Caddyfile: with a name and no http://, Caddy redirects by itself", _SECURE),
    "redirect.closed": ("the Caddyfile: with a name and no http://, Caddy redirects by itself", _SECURE),
    "page.bad-gateway": (_SITE, _PROXY),
    "page.not-found": (_SITE, _PROXY),
    "page.no-app": (_SITE, _PROXY),
    "page.redirect-lost-prefix": (_SITE, _WHOLE),
    "page.redirect-inner": (_SITE, _HOST),
    "resources.wrong-prefix": (_SITE, _WHOLE),
    "resources.missing": (_SITE, _WHOLE),
    "resources.uncompressed": (_SITE, "encode gzip zstd"),
    "embedding.cors": (_SITE, _CORS),
    "embedding.missing": (_SITE, _WHOLE),
    "headers.too-large": ("the global options", "servers {{\n    max_header_size 64KB\n}}"),
    "websocket.no-upgrade": (_SITE, _UPGRADE),
    "websocket.upgrade-required": (_SITE, _UPGRADE),
    "websocket.swallowed": (_SITE, _WHOLE),
    "websocket.not-found": (_SITE, _WHOLE),
    "websocket.bad-gateway": (_SITE, _PROXY),
    "websocket.origin": (_SITE, _HOST),
    "websocket.subprotocol": (_SITE, "# take out header_up -Sec-WebSocket-Protocol and header -Sec-WebSocket-Protocol"),
    "websocket.token-refused": (_SITE, _STICKY),
    "backends.refused": (_SITE, _STICKY),
    "backends.no-affinity": (_SITE, _STICKY),
}

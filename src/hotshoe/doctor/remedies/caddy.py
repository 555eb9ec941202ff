"""Lines for a Caddyfile. Caddy passes websockets, hosts and schemes on by itself; what breaks them is mostly a line
that tells it not to."""

from __future__ import annotations

_SITE = "the site block of {name}"
_PROXY = "reverse_proxy {upstream}"
_SECURE = "{name} {{\n    reverse_proxy {upstream}\n}}"
_STICKY = """
reverse_proxy 127.0.0.1:5006 127.0.0.1:5007 {{
    lb_policy cookie hotshoe
}}
"""
_HOST = "reverse_proxy {upstream} {{\n    header_up Host {{host}}\n}}"
_UPGRADE = """
# take out header_up -Upgrade, header_up -Connection and transport http {{ versions … }} if they are there
reverse_proxy {upstream}
"""
_CORS = "header {{\n    Access-Control-Allow-Origin {page_origin}\n    defer\n}}"
_WHOLE = "# handle, not handle_path: that cuts the path off\nhandle {prefix}* {{\n    reverse_proxy {upstream}\n}}"

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

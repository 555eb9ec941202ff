"""Lines for nginx."""

from __future__ import annotations

from textwrap import indent

_LOCATION = "the location with proxy_pass"
_SERVER = "the server block of {name}"

_SET = """
# All of these, in place of those there: with one of its own a location inherits none, and visitors' own get through.
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "upgrade";
proxy_set_header Host $http_host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $http_host;
proxy_set_header X-Forwarded-Prefix "";{cut_prefix}
proxy_set_header Forwarded "";
proxy_set_header X-Scheme "";
proxy_set_header X-Forwarded-Port "";
proxy_set_header X-Forwarded-Ssl "";
""".strip()
"""As ``hotshoe deploy nginx`` has them."""


def _location(path: str) -> str:
    inside = indent(f"proxy_pass http://{{upstream}};\n{_SET}", "    ")
    return f"location {path} {{{{\n{inside}\n}}}}"


_PROXY = _location("{prefix}")
_CHAIN = """
ssl_certificate     /etc/letsencrypt/live/{name}/fullchain.pem;
ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;
"""
_HTTP = """
server {{
    listen 80;
    listen [::]:80;
    server_name {name};
    return 301 https://$host$request_uri;
}}
"""
_HEADERS = "large_client_header_buffers 8 64k;"
_IDLE = """
proxy_read_timeout 3600s;
proxy_send_timeout 3600s;
"""
_STICKY = """
upstream apps {{
    hash $remote_addr consistent;
    server {upstream};
    server 127.0.0.1:5007;
}}
"""
_NO_CACHE = """
proxy_cache off;
expires off;
"""
_WHOLE = """
# no path behind the address: nginx then passes paths on as they are
proxy_pass http://{upstream};
"""
_CORS = """
proxy_hide_header Access-Control-Allow-Origin;
add_header Access-Control-Allow-Origin {page_origin} always;
"""

NGINX = {
    "tls.expired": (_SERVER, _CHAIN),
    "tls.expires-soon": (_SERVER, _CHAIN),
    "tls.self-signed": (_SERVER, _CHAIN),
    "tls.wrong-name": (_SERVER, "server_name {name};\n" + _CHAIN.strip()),
    "tls.incomplete-chain": (_SERVER, _CHAIN),
    "tls.unknown-authority": (_SERVER, _CHAIN),
    "tls.no-handshake": (_SERVER, "listen 443 ssl;\nssl_protocols TLSv1.2 TLSv1.3;\n" + _CHAIN.strip()),
    "tls.plain-http": (_SERVER, "listen 443 ssl;\n" + _CHAIN.strip()),
    "tls.old": (_SERVER, "ssl_protocols TLSv1.2 TLSv1.3;"),
    "redirect.missing": ("the http block", _HTTP),
    "redirect.closed": ("the http block", _HTTP),
    "redirect.elsewhere": ("the http block", _HTTP),
    "page.bad-gateway": (_LOCATION, "proxy_pass http://{upstream};"),
    "page.gateway-timeout": (_LOCATION, "proxy_read_timeout 300s;"),
    "page.timeout": (_LOCATION, "proxy_read_timeout 300s;"),
    "page.not-found": (_SERVER, _PROXY),
    "page.no-app": (_SERVER, _PROXY),
    "page.redirect-loop": (_LOCATION, _SET),
    "page.redirect-insecure": (_LOCATION, _SET),
    "page.redirect-inner": (_LOCATION, _SET),
    "page.redirect-lost-prefix": ("location {prefix}", _WHOLE),
    "page.mixed-content": (_LOCATION, _SET),
    "page.cached": (_LOCATION, _NO_CACHE),
    "page.cut": (_LOCATION, "proxy_max_temp_file_size 0;\nproxy_read_timeout 300s;"),
    "resources.wrong-prefix": ("location {prefix}", _WHOLE),
    "resources.missing": (_SERVER, _location("{folder}")),
    "resources.type": ("the http block", "include /etc/nginx/mime.types;"),
    "resources.uncompressed": ("the http block", """
gzip on;
gzip_proxied any;
gzip_vary on;
gzip_min_length 1000;
gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
"""),
    "embedding.cors": (_LOCATION, _CORS),
    "embedding.preflight": (_LOCATION, "# OPTIONS has to reach the server: no limit_except, no auth_basic, no return"),
    "embedding.missing": (_SERVER, _PROXY),
    "embedding.type": (_SERVER, _PROXY),
    "cookies.path": (_LOCATION, "proxy_cookie_path {cookie_path} {prefix};"),
    "cookies.domain": (_LOCATION, "proxy_cookie_domain {cookie_domain} $host;"),
    "cookies.insecure": ("the http block", _HTTP),
    "cookies.samesite": (_LOCATION, "proxy_cookie_flags ~ secure;"),
    "headers.too-large": ("the http block", _HEADERS),
    "headers.small": ("the http block", _HEADERS),
    "websocket.no-upgrade": (_LOCATION, _SET),
    "websocket.upgrade-required": (_LOCATION, _SET),
    "websocket.held": (_LOCATION, _SET),
    "websocket.swallowed": (_SERVER, _PROXY),
    "websocket.not-found": (_SERVER, _PROXY),
    "websocket.bad-gateway": (_SERVER, _PROXY),
    "websocket.origin": (_LOCATION, _SET),
    "websocket.subprotocol": (_LOCATION, _SET + "\nproxy_set_header Sec-WebSocket-Protocol "
                                                "$http_sec_websocket_protocol;\n"
                                                "# and take out proxy_hide_header Sec-WebSocket-Protocol"),
    "websocket.token-refused": ("the http block, as proxy_pass http://apps", _STICKY),
    "idle.cut": (_LOCATION, _IDLE),
    "buffering.held": (_LOCATION, _SET + "\nproxy_buffering off;"),
    "websocket.silent": (_LOCATION, _SET + "\nproxy_buffering off;"),
    "backends.refused": ("the http block, as proxy_pass http://apps", _STICKY),
    "backends.no-affinity": ("the http block, as proxy_pass http://apps", _STICKY),
}

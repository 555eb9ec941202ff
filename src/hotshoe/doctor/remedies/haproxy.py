"""Lines for HAProxy."""

from __future__ import annotations

_FRONT = "the frontend"
_BACK = "the backend"
_STICKY = """
cookie SERVERID insert indirect nocache httponly
server a {upstream} check cookie a
server b 127.0.0.1:5007 check cookie b
"""
_CERTIFICATE = """
# {name}.pem: fullchain.pem, then privkey.pem
bind :443 ssl crt /etc/haproxy/{name}.pem alpn h2,http/1.1
"""
_UPGRADE = """
mode http
option http-keep-alive
# take out option httpclose, http-request del-header Upgrade and http-request del-header Connection
"""
_HOST = """
# take out http-request set-header Host; what visitors say of themselves must not get through
http-request del-header X-Forwarded-For
# {prefix_note}
http-request del-header X-Forwarded-Prefix
http-request del-header Forwarded
http-request del-header X-Scheme
http-request del-header X-Forwarded-Port
http-request del-header X-Forwarded-Ssl
http-request set-header X-Forwarded-Host %[req.hdr(Host)]
http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
http-request set-header X-Real-IP %[src]
option forwardfor
"""
_REDIRECT = "http-request redirect scheme https code 301 unless {{ ssl_fc }}"
_SIZE = """
tune.bufsize 65536
tune.http.maxhdr 200
"""
_WHOLE = "# take out http-request set-path and replace-path\nserver a {upstream} check"

HAPROXY = {
    "tls.expired": (_FRONT, _CERTIFICATE),
    "tls.expires-soon": (_FRONT, _CERTIFICATE),
    "tls.self-signed": (_FRONT, _CERTIFICATE),
    "tls.wrong-name": (_FRONT, _CERTIFICATE),
    "tls.incomplete-chain": (_FRONT, _CERTIFICATE),
    "tls.unknown-authority": (_FRONT, _CERTIFICATE),
    "redirect.missing": (_FRONT, _REDIRECT),
    "redirect.closed": (_FRONT, "bind :80\n" + _REDIRECT),
    "page.unavailable": (_BACK, "server a {upstream} check"),
    "page.bad-gateway": (_BACK, "server a {upstream} check"),
    "page.gateway-timeout": ("defaults", "timeout server 300s"),
    "page.not-found": (_BACK, _WHOLE),
    "page.redirect-lost-prefix": (_BACK, _WHOLE),
    "page.redirect-insecure": (_FRONT, _HOST),
    "page.redirect-inner": (_FRONT, _HOST),
    "page.redirect-loop": (_FRONT, _HOST),
    "page.mixed-content": (_FRONT, _HOST),
    "page.cached": (_BACK, "# take out http-request cache-use and http-response cache-store"),
    "resources.wrong-prefix": (_BACK, _WHOLE),
    "resources.missing": (_BACK, _WHOLE),
    "resources.uncompressed": (_BACK, "compression algo gzip\ncompression type text/css text/javascript "
                                      "application/javascript application/json image/svg+xml"),
    "headers.too-large": ("global", _SIZE),
    "headers.small": ("global", _SIZE),
    "websocket.no-upgrade": (_BACK, _UPGRADE),
    "websocket.upgrade-required": (_BACK, _UPGRADE),
    "websocket.bad-gateway": (_BACK, "server a {upstream} check"),
    "websocket.not-found": (_BACK, _WHOLE),
    "websocket.origin": (_FRONT, _HOST),
    "websocket.subprotocol": (_BACK, "# take out http-request del-header Sec-WebSocket-Protocol and "
                                     "http-response del-header Sec-WebSocket-Protocol"),
    "websocket.token-refused": (_BACK, _STICKY),
    "idle.cut": ("defaults", "timeout tunnel 1h"),
    "backends.refused": (_BACK, _STICKY),
    "backends.no-affinity": (_BACK, _STICKY),
}

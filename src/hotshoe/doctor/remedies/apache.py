"""Lines for Apache 2.4.47 and later; for older ones the websocket needs mod_rewrite."""

from __future__ import annotations

_HOST = "<VirtualHost> of {name}"
_BEFORE = "<VirtualHost> of {name}, before other ProxyPass lines"

_TOLD = """
# a2enmod headers: what visitors say of themselves must not get through. Apache adds X-Forwarded-For and -Host.
RequestHeader unset X-Forwarded-For
RequestHeader unset X-Forwarded-Host
# {prefix_note}
RequestHeader unset X-Forwarded-Prefix
RequestHeader unset Forwarded
RequestHeader unset X-Scheme
RequestHeader unset X-Forwarded-Port
RequestHeader unset X-Forwarded-Ssl
RequestHeader set X-Forwarded-Proto expr=%{{REQUEST_SCHEME}}
RequestHeader set X-Real-IP expr=%{{REMOTE_ADDR}}
ProxyPreserveHost On
""".strip()
_UPGRADE = f"""
# a2enmod proxy proxy_http proxy_wstunnel
ProxyPass {{prefix}} http://{{upstream}}{{prefix}} upgrade=websocket
{_TOLD}
"""
_CHAIN = """
SSLCertificateFile    /etc/letsencrypt/live/{name}/fullchain.pem
SSLCertificateKeyFile /etc/letsencrypt/live/{name}/privkey.pem
"""
_HTTP = """
<VirtualHost *:80>
    ServerName {name}
    Redirect permanent / https://{name}/
</VirtualHost>
"""
_HEADERS = """
LimitRequestFieldSize 65536
LimitRequestLine 65536
"""
_STICKY = """
# a2enmod proxy_balancer lbmethod_byrequests headers
Header add Set-Cookie "ROUTEID=.%{{BALANCER_WORKER_ROUTE}}e; path=/" env=BALANCER_ROUTE_CHANGED
<Proxy "balancer://apps">
    BalancerMember http://{upstream} route=1 upgrade=websocket
    BalancerMember http://127.0.0.1:5007 route=2 upgrade=websocket
    ProxySet stickysession=ROUTEID
</Proxy>
ProxyPass {prefix} balancer://apps{prefix}
"""
_WHOLE = f"""
ProxyPass        {{prefix}} http://{{upstream}}{{prefix}} upgrade=websocket
ProxyPassReverse {{prefix}} http://{{upstream}}{{prefix}}
{_TOLD}
"""

APACHE = {
    "tls.expired": (_HOST, _CHAIN),
    "tls.expires-soon": (_HOST, _CHAIN),
    "tls.self-signed": (_HOST, _CHAIN),
    "tls.wrong-name": (_HOST, "ServerName {name}\n" + _CHAIN.strip()),
    "tls.incomplete-chain": (_HOST, _CHAIN),
    "tls.unknown-authority": (_HOST, _CHAIN),
    "tls.no-handshake": (_HOST, "SSLEngine on\nSSLProtocol -all +TLSv1.2 +TLSv1.3\n" + _CHAIN.strip()),
    "tls.plain-http": (_HOST, "SSLEngine on\n" + _CHAIN.strip()),
    "tls.old": (_HOST, "SSLProtocol -all +TLSv1.2 +TLSv1.3"),
    "redirect.missing": ("the configuration, beside the VirtualHost for https", _HTTP),
    "redirect.closed": ("the configuration, beside the VirtualHost for https", "Listen 80\n" + _HTTP.strip()),
    "redirect.elsewhere": ("the configuration, beside the VirtualHost for https", _HTTP),
    "page.bad-gateway": (_BEFORE, _WHOLE),
    "page.unavailable": (_BEFORE, _WHOLE),
    "page.gateway-timeout": (_HOST, "ProxyTimeout 300"),
    "page.timeout": (_HOST, "ProxyTimeout 300"),
    "page.not-found": (_BEFORE, _WHOLE),
    "page.no-app": (_BEFORE, _WHOLE),
    "page.redirect-loop": (_HOST, _TOLD),
    "page.redirect-insecure": (_HOST, _TOLD),
    "page.redirect-inner": (_HOST, _WHOLE),
    "page.redirect-lost-prefix": (_BEFORE, _WHOLE),
    "page.mixed-content": (_HOST, _TOLD),
    "page.cached": (_HOST, "CacheDisable {prefix}"),
    "resources.wrong-prefix": (_BEFORE, _WHOLE),
    "resources.missing": (_BEFORE, "ProxyPass {folder} http://{upstream}{folder}"),
    "resources.type": (_HOST, "AddType text/javascript .js\nAddType text/css .css"),
    "resources.uncompressed": (_HOST, """
# a2enmod deflate filter
AddOutputFilterByType DEFLATE text/css text/javascript application/javascript application/json image/svg+xml
"""),
    "embedding.cors": (_HOST, "# a2enmod headers\nHeader unset Access-Control-Allow-Origin\n"
                               "Header always set Access-Control-Allow-Origin {page_origin}"),
    "embedding.preflight": (_HOST, "# OPTIONS has to reach the server: no <LimitExcept>, no Require for it"),
    "embedding.missing": (_BEFORE, _WHOLE),
    "embedding.type": (_BEFORE, _WHOLE),
    "cookies.path": (_HOST, "ProxyPassReverseCookiePath {cookie_path} {prefix}"),
    "cookies.domain": (_HOST, "ProxyPassReverseCookieDomain {cookie_domain} {name}"),
    "cookies.insecure": ("the configuration, beside the VirtualHost for https", _HTTP),
    "cookies.samesite": (_HOST, "Header edit Set-Cookie ^(.*)$ \"$1; Secure\""),
    "headers.too-large": ("the configuration, before the first VirtualHost", _HEADERS),
    "headers.small": ("the configuration, before the first VirtualHost", _HEADERS),
    "websocket.no-upgrade": (_BEFORE, _UPGRADE),
    "websocket.upgrade-required": (_BEFORE, _UPGRADE),
    "websocket.held": (_BEFORE, _UPGRADE),
    "websocket.swallowed": (_BEFORE, _UPGRADE),
    "websocket.not-found": (_BEFORE, _UPGRADE),
    "websocket.bad-gateway": (_BEFORE, _UPGRADE),
    "websocket.origin": (_HOST, _TOLD),
    "websocket.subprotocol": (_HOST, "# take out: RequestHeader unset Sec-WebSocket-Protocol\n"
                                     "# take out: Header unset Sec-WebSocket-Protocol"),
    "websocket.token-refused": (_HOST, _STICKY),
    "websocket.silent": (_BEFORE, _UPGRADE),
    "idle.cut": (_HOST, "ProxyTimeout 3600"),
    "buffering.held": (_BEFORE, _UPGRADE),
    "backends.refused": (_HOST, _STICKY),
    "backends.no-affinity": (_HOST, _STICKY),
}

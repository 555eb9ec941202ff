"""Settings of platforms and of less common proxies: mostly a command or a field."""

from __future__ import annotations

from collections.abc import Mapping

from ..kinds import Kind

_SHELL = "a shell"

_HEROKU = {
    "backends.no-affinity": (_SHELL, "heroku features:enable http-session-affinity"),
    "backends.refused": (_SHELL, "heroku features:enable http-session-affinity"),
    "websocket.token-refused": (_SHELL, "heroku features:enable http-session-affinity\nheroku config:set "
                                        "BOKEH_SECRET_KEY=$(hotshoe secret)"),
    "page.unavailable": ("Procfile", "web: hotshoe serve app.py --use-xheaders"),
    "page.bad-gateway": ("Procfile", "web: hotshoe serve app.py --use-xheaders"),
    "idle.cut": ("Procfile (the router cuts after 55 s)",
                 "web: hotshoe serve app.py --use-xheaders --keep-alive {keep_alive}"),
}
_CLOUDFLARE = {
    "websocket.no-upgrade": ("the dashboard", "Network → WebSockets: on"),
    "websocket.refused": ("the dashboard", "Network → WebSockets: on"),
    "websocket.forbidden": ("the dashboard", "Security → WAF: skip paths that end in /ws"),
    "page.cached": ("the dashboard", "Caching → Cache Rules: bypass the cache for {prefix}*"),
    "page.redirect-loop": ("the dashboard", "SSL/TLS → Overview: Full (strict)"),
    "redirect.missing": ("the dashboard", "SSL/TLS → Edge Certificates → Always Use HTTPS: on"),
}
_ALB = {
    "idle.cut": (_SHELL, "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes "
                         "Key=idle_timeout.timeout_seconds,Value=3600"),
    "backends.no-affinity": (_SHELL, "aws elbv2 modify-target-group-attributes --target-group-arn ARN --attributes "
                                     "Key=stickiness.enabled,Value=true Key=stickiness.type,Value=lb_cookie"),
    "redirect.missing": ("the listener of port 80", "redirect: HTTPS, port 443, status 301"),
}
_GOOGLE = {
    "idle.cut": (_SHELL, "gcloud compute backend-services update NAME --global --timeout=86400"),
    "idle.short": (_SHELL, "gcloud compute backend-services update NAME --global --timeout=86400\n# Cloud Run: gcloud "
                           "run services update NAME --timeout=3600"),
    "backends.no-affinity": (_SHELL, "gcloud compute backend-services update NAME --global "
                                     "--session-affinity=GENERATED_COOKIE\n# Cloud Run: gcloud run services update "
                                     "NAME --session-affinity"),
}
_AZURE = {
    "websocket.no-upgrade": (_SHELL, "az webapp config set --name NAME --resource-group GROUP --web-sockets-enabled "
                                     "true"),
    "websocket.refused": (_SHELL, "az webapp config set --name NAME --resource-group GROUP --web-sockets-enabled true"),
    "backends.no-affinity": (_SHELL, "az webapp update --name NAME --resource-group GROUP --client-affinity-enabled "
                                     "true"),
    "redirect.missing": (_SHELL, "az webapp update --name NAME --resource-group GROUP --https-only true"),
}
_FLY = {
    "page.bad-gateway": ("fly.toml", "[http_service]\n  internal_port = 5006\n  force_https = true"),
    "redirect.missing": ("fly.toml", "[http_service]\n  force_https = true"),
    "backends.no-affinity": (_SHELL, "fly scale count 1   # or answer with fly-replay to the machine of the session"),
}
_RENDER = {
    "page.bad-gateway": ("the start command", "hotshoe serve app.py --port $PORT --use-xheaders"),
    "backends.no-affinity": ("the service", "one instance: there is no affinity"),
}
_RAILWAY = {"page.bad-gateway": ("the start command", "hotshoe serve app.py --port $PORT --use-xheaders")}
_OPENSHIFT = {
    "idle.cut": (_SHELL, "oc annotate route NAME haproxy.router.openshift.io/timeout-tunnel=1h --overwrite"),
    "page.gateway-timeout": (_SHELL, "oc annotate route NAME haproxy.router.openshift.io/timeout=300s --overwrite"),
    "backends.no-affinity": (_SHELL, "oc annotate route NAME haproxy.router.openshift.io/disable_cookies-"),
}
_INGRESS = {
    "idle.cut": ("annotations of the Ingress", 'nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"\n'
                                               'nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"'),
    "backends.no-affinity": ("annotations of the Ingress", 'nginx.ingress.kubernetes.io/affinity: "cookie"'),
    "headers.too-large": ("the controller's ConfigMap", 'large-client-header-buffers: "8 64k"'),
    "resources.uncompressed": ("the controller's ConfigMap", 'use-gzip: "true"'),
}
_TRAEFIK = {
    "backends.no-affinity": ("labels of the container", "traefik.http.services.apps.loadbalancer.sticky.cookie=true"),
    "websocket.origin": ("labels of the container", "traefik.http.services.apps.loadbalancer.passhostheader=true"),
    "resources.uncompressed": ("labels of the container", "traefik.http.middlewares.small.compress=true\n"
                                                          "traefik.http.routers.apps.middlewares=small"),
    "page.redirect-lost-prefix": ("labels of the container", "# no stripprefix middleware on this router"),
    "redirect.missing": ("the static configuration", "--entrypoints.web.http.redirections.entrypoint.to=websecure"),
    "idle.cut": ("the static configuration", "--entrypoints.websecure.transport.respondingtimeouts.idletimeout=3600s"),
}
_ENVOY = {
    "websocket.no-upgrade": ("the HTTP connection manager", "upgrade_configs:\n- upgrade_type: websocket"),
    "websocket.forbidden": ("the HTTP connection manager", "upgrade_configs:\n- upgrade_type: websocket"),
    "idle.cut": ("the HTTP connection manager", "stream_idle_timeout: 3600s"),
    "headers.too-large": ("the HTTP connection manager", "max_request_headers_kb: 96"),
}
_PIPE = 'sub vcl_recv {{ if (req.http.upgrade ~ "(?i)websocket") {{ return (pipe); }} }}\n' \
        "sub vcl_pipe {{ set bereq.http.upgrade = req.http.upgrade; set bereq.http.connection = req.http.connection; }}"
_VARNISH = {
    "websocket.no-upgrade": ("the VCL", _PIPE),
    "page.cached": ("the VCL", 'sub vcl_recv {{ if (req.url ~ "^{prefix}") {{ return (pass); }} }}'),
    "headers.too-large": ("the parameters of varnishd", "-p http_req_hdr_len=64k -p http_req_size=128k"),
}
_IIS = {
    "websocket.no-upgrade": ("PowerShell", "Install-WindowsFeature Web-WebSockets"),
    "websocket.refused": ("PowerShell", "Install-WindowsFeature Web-WebSockets"),
    "websocket.origin": ("PowerShell", "Set-WebConfigurationProperty -Filter system.webServer/proxy -Name "
                                       "preserveHostHeader -Value $true"),
    "headers.too-large": ("web.config, system.webServer/security/requestFiltering/requestLimits/headerLimits",
                          '<add header="Cookie" sizeLimit="65536" />'),
}
_CLOUDFRONT = {
    "websocket.no-upgrade": ("the behaviour of {prefix}*", "origin request policy: AllViewer"),
    "websocket.origin": ("the behaviour of {prefix}*", "origin request policy: AllViewer"),
    "page.cached": ("the behaviour of {prefix}*", "cache policy: CachingDisabled"),
    "redirect.missing": ("the behaviour of {prefix}*", "viewer protocol policy: redirect HTTP to HTTPS"),
}

PLATFORMS: Mapping[Kind, Mapping[str, tuple[str, str]]] = {
    Kind.HEROKU: _HEROKU, Kind.CLOUDFLARE: _CLOUDFLARE, Kind.AWS_ALB: _ALB, Kind.GOOGLE: _GOOGLE, Kind.AZURE: _AZURE,
    Kind.FLY: _FLY, Kind.RENDER: _RENDER, Kind.RAILWAY: _RAILWAY, Kind.OPENSHIFT: _OPENSHIFT,
    Kind.INGRESS_NGINX: _INGRESS, Kind.TRAEFIK: _TRAEFIK, Kind.ENVOY: _ENVOY, Kind.VARNISH: _VARNISH, Kind.IIS: _IIS,
    Kind.CLOUDFRONT: _CLOUDFRONT,
}

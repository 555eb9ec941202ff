"""Who answers: proxies, platforms and servers, known by their headers, cookies and error pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from .observations import Reply


class Kind(Enum):
    """Whose configuration can be changed; the value is what ``--proxy`` takes."""

    CLOUDFLARE = "cloudflare"
    CLOUDFRONT = "cloudfront"
    FASTLY = "fastly"
    HEROKU = "heroku"
    AWS_ALB = "aws-alb"
    GOOGLE = "google"
    AZURE = "azure"
    FLY = "fly"
    RENDER = "render"
    RAILWAY = "railway"
    OPENSHIFT = "openshift"
    INGRESS_NGINX = "ingress-nginx"
    TRAEFIK = "traefik"
    ENVOY = "envoy"
    VARNISH = "varnish"
    IIS = "iis"
    NGINX = "nginx"
    APACHE = "apache"
    CADDY = "caddy"
    HAPROXY = "haproxy"
    HOTSHOE = "hotshoe"
    PANEL = "panel"
    BOKEH = "bokeh"

    @property
    def is_server(self) -> bool:
        """Whether it runs the apps itself."""
        return self in (Kind.HOTSHOE, Kind.PANEL, Kind.BOKEH)

    @property
    def label(self) -> str:
        """Its name as people write it."""
        return _LABELS.get(self, self.value.capitalize())


_LABELS = {
    Kind.CLOUDFRONT: "CloudFront", Kind.AWS_ALB: "AWS load balancer", Kind.GOOGLE: "Google Cloud load balancer",
    Kind.FLY: "Fly.io", Kind.OPENSHIFT: "OpenShift", Kind.INGRESS_NGINX: "ingress-nginx", Kind.IIS: "IIS",
    Kind.NGINX: "nginx", Kind.HAPROXY: "HAProxy", Kind.HOTSHOE: "hotshoe", Kind.PANEL: "panel serve",
    Kind.BOKEH: "bokeh serve",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """What gives a kind away."""

    kind: Kind
    header: str
    """A header; ``body`` for the page's text, ``cookie`` for the names of its cookies, ``name`` for
    the host's own."""
    pattern: str
    """Found in it, in any case."""


SIGNS = (
    Sign(Kind.CLOUDFLARE, "cf-ray", "."),
    Sign(Kind.CLOUDFLARE, "server", r"^cloudflare"),
    Sign(Kind.CLOUDFRONT, "x-amz-cf-id", "."),
    Sign(Kind.CLOUDFRONT, "via", r"\(CloudFront\)"),
    Sign(Kind.FASTLY, "x-served-by", r"^cache-"),
    Sign(Kind.HEROKU, "via", r"\bvegur\b|heroku-router"),
    Sign(Kind.HEROKU, "server", r"^Heroku$"),  # not Cowboy: any server in Erlang may say that
    Sign(Kind.HEROKU, "name", r"\.herokuapp\.com$"),
    Sign(Kind.HEROKU, "nel", "heroku"),
    Sign(Kind.HEROKU, "body", r"//www\.herokucdn\.com/error-pages"),
    Sign(Kind.AWS_ALB, "server", r"^awselb/"),
    Sign(Kind.AWS_ALB, "cookie", r"^AWSALB"),
    Sign(Kind.GOOGLE, "via", r"\bgoogle\b"),
    Sign(Kind.GOOGLE, "server", r"^Google Frontend"),
    Sign(Kind.GOOGLE, "cookie", r"^GCLB$|^GAESA$"),
    Sign(Kind.AZURE, "cookie", r"^ARRAffinity|^ApplicationGatewayAffinity"),
    Sign(Kind.AZURE, "server", r"^Microsoft-Azure-Application-Gateway"),
    Sign(Kind.AZURE, "x-azure-ref", "."),
    Sign(Kind.AZURE, "body", r"Microsoft Azure App Service"),
    Sign(Kind.FLY, "fly-request-id", "."),
    Sign(Kind.FLY, "server", r"^Fly/"),
    Sign(Kind.RENDER, "rndr-id", "."),
    Sign(Kind.RENDER, "x-render-origin-server", "."),
    Sign(Kind.RENDER, "x-render-routing", "."),
    Sign(Kind.RAILWAY, "server", r"^railway"),
    Sign(Kind.RAILWAY, "x-railway-request-id", "."),
    Sign(Kind.OPENSHIFT, "body", r"<h1>Application is not available</h1>"),
    Sign(Kind.OPENSHIFT, "cookie", r"^[0-9a-f]{32}$"),
    Sign(Kind.INGRESS_NGINX, "body", r"^default backend - 404"),
    Sign(Kind.INGRESS_NGINX, "cookie", r"^INGRESSCOOKIE$"),
    Sign(Kind.TRAEFIK, "server", r"^traefik"),
    Sign(Kind.TRAEFIK, "cookie", r"^_?traefik"),
    Sign(Kind.ENVOY, "server", r"^(istio-)?envoy"),
    Sign(Kind.ENVOY, "x-envoy-upstream-service-time", "."),
    Sign(Kind.VARNISH, "via", r"varnish"),
    Sign(Kind.VARNISH, "x-varnish", "."),
    Sign(Kind.IIS, "server", r"^Microsoft-IIS"),
    Sign(Kind.IIS, "x-powered-by", r"^(ASP\.NET|ARR/)"),
    Sign(Kind.NGINX, "server", r"^(nginx|openresty|tengine|angie)"),
    Sign(Kind.NGINX, "body", r"<center>(nginx|openresty)[^<]*</center>"),
    Sign(Kind.APACHE, "server", r"^Apache\b"),
    Sign(Kind.APACHE, "body", r"<address>Apache/|Your browser sent a request that this server could not understand"),
    Sign(Kind.APACHE, "via", r"\(Apache"),
    Sign(Kind.CADDY, "server", r"^Caddy"),
    Sign(Kind.CADDY, "via", r"\bCaddy\b"),
    Sign(Kind.HAPROXY, "body", r"Your browser sent an invalid request\.|No server is available to handle this "
                               r"request\."),
    Sign(Kind.HAPROXY, "body", r"The server didn't respond in time\.|returned an invalid or incomplete response\."),
    Sign(Kind.HAPROXY, "server", r"^HAProxy"),
    Sign(Kind.HAPROXY, "cookie", r"^SERVERID$|^SRV$"),
    Sign(Kind.BOKEH, "server", r"^TornadoServer"),
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A kind, and by what it was known."""

    kind: Kind
    evidence: str
    """A header with its value, or what the evidence was found in."""


def recognise(replies: Iterable[Reply]) -> tuple[Sighting, ...]:
    """All kinds in the answers, nearest to the visitor first; each once."""
    found: dict[Kind, str] = {}
    for reply in replies:
        for kind, evidence in _signs_in(reply):
            found.setdefault(kind, evidence)
    if Kind.OPENSHIFT in found or Kind.INGRESS_NGINX in found:  # made of these
        found.pop(Kind.HAPROXY, None)
        found.pop(Kind.NGINX, None)
    return tuple(Sighting(kind, found[kind]) for kind in Kind if kind in found)


def _signs_in(reply: Reply) -> Iterator[tuple[Kind, str]]:
    cookies = [value.partition("=")[0].strip() for value in reply.all("set-cookie")]
    body = reply.text[:4096] if reply.status >= 400 else ""
    for sign in SIGNS:
        match sign.header:
            case "body":
                values, name = [body], "its error page"
            case "cookie":
                values, name = cookies, "cookie"
            case "name":
                values, name = [reply.address.host], "host"
            case header:
                values, name = list(reply.all(header)), header.title()
        value = next((value for value in values if re.search(sign.pattern, value, re.IGNORECASE)), None)
        if value is not None:
            yield sign.kind, name if sign.header == "body" else f"{name}: {value}"

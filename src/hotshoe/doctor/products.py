"""Recognises proxies, platforms and servers by their headers, cookies and error pages (``products.toml``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import msgspec

from .observations import Examination, Exchange, Mount

_LABEL = "label"


class Product(Enum):
    """A proxy, a platform or a server of apps; the value is its name for ``--proxy``."""

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
        """Whether it is a server of apps."""
        return self in (Product.HOTSHOE, Product.PANEL, Product.BOKEH)

    @property
    def label(self) -> str:
        """Its name in texts."""
        return _table()[self].get(_LABEL, self.value.capitalize())


@cache
def _table() -> Mapping[Product, Mapping[str, str]]:
    return msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=dict[Product, dict[str, str]])


@dataclass(frozen=True, slots=True)
class Sighting:
    """A product that was recognised."""

    kind: Product
    evidence: str
    """A header with its value, or the place of the evidence."""


def recognise(replies: Iterable[Exchange]) -> tuple[Sighting, ...]:
    """All products in the responses, nearest to the browser first; each once."""
    found: dict[Product, str] = {}
    for reply in replies:
        for product, evidence in _signs_in(reply):
            found.setdefault(product, evidence)
    if Product.OPENSHIFT in found or Product.INGRESS_NGINX in found:  # they consist of these
        found.pop(Product.HAPROXY, None)
        found.pop(Product.NGINX, None)
    return tuple(Sighting(product, found[product]) for product in Product if product in found)


def _signs_in(reply: Exchange) -> Iterator[tuple[Product, str]]:
    others = {"body": ("its error page", [reply.text[:16384] if reply.status >= 400 else ""]),
              "cookie": ("cookie", [value.partition("=")[0].strip() for value in reply.all("set-cookie")]),
              "name": ("host", [reply.address.host])}
    for product, signs in _table().items():
        for place, pattern in signs.items():
            if place == _LABEL:
                continue
            name, values = others.get(place) or (place.title(), list(reply.all(place)))
            value = next((value for value in values if re.search(pattern, value, re.IGNORECASE)), None)
            if value is not None:
                yield product, name if place == "body" else f"{name}: {value}"


def sightings_of(seen: Examination) -> tuple[Sighting, ...]:
    """All products. If the page tells which server made it, no other server is among them."""
    found = recognise(seen.replies)
    server = _server_of(seen.mounts[0]) if seen.mounts else None
    if server is None:
        return found
    evidence = "its autoload.js" if seen.mounts[0].is_embedded else "its page"
    return (*(sighting for sighting in found if not sighting.kind.is_server), Sighting(server, evidence))


def _server_of(mount: Mount) -> Product | None:
    markup = mount.markup
    if markup.is_hotshoe:
        return Product.HOTSHOE
    if markup.is_panel:
        return Product.PANEL
    return Product.BOKEH if markup.tokens else None

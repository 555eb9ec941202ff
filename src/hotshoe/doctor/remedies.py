"""The lines of configuration that fix a finding, for each product (``remedies.toml``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
from jinja2 import Environment, Undefined

from ..deploy.rendering import environment
from .findings import Finding, Remedy, Severity
from .products import Product

_FILE = Path(__file__).with_suffix(".toml")
_WITH_LINES = (Product.NGINX, Product.APACHE, Product.CADDY, Product.HAPROXY)
"""Proxies that ``hotshoe deploy`` writes configurations for, with the same macros."""
_OTHER_UPSTREAM = "127.0.0.1:5007"
"""An example of a second server, for lines that distribute requests to several."""


class _Placeholder(Undefined):
    """An unknown fact, for the reader to fill in."""

    def __str__(self) -> str:
        return f"YOUR-{str(self._undefined_name).upper().replace('_', '-')}"


@cache
def remedies() -> Mapping[Product, Mapping[str, tuple[str, str]]]:
    """For each product and id of a finding, two templates: the place of the lines, and the lines."""
    found: dict[Product, dict[str, tuple[str, str]]] = {}
    for names, places in msgspec.toml.decode(_FILE.read_bytes(), type=dict[str, dict[str, dict[str, str]]]).items():
        for product in map(Product, names.split()):
            rows = found.setdefault(product, {})
            rows.update((finding, (place, lines)) for place, rows_of_place in places.items()
                        for findings, lines in rows_of_place.items() for finding in findings.split())
    return found


@cache
def _environment() -> Environment:
    made = environment().overlay(undefined=_Placeholder)
    made.globals = {**made.globals, **{each.value: made.get_template(f"lines/{each.value}.j2").module
                                       for each in _WITH_LINES}}
    return made


def remedy(finding: str, product: Product, facts: Mapping[str, str]) -> Remedy | None:
    """The lines that fix a finding in a product's configuration; ``None`` if there are none."""
    entry = remedies().get(product, {}).get(finding)
    if entry is None:
        return None
    known = {**facts, "both": [{"authority": facts.get("upstream")}, {"authority": _OTHER_UPSTREAM}]}
    place, lines = (_environment().from_string(text).render(known).strip("\n") for text in entry)
    lines = lines.expandtabs(4)  # for Caddy's lines: a report shows a tab as one space
    return Remedy(product.label, place, tuple(lines.split("\n"))) if lines else None


def advise(findings: Iterable[Finding], products: Iterable[Product], upstream: str) -> Iterator[Finding]:
    """Add the remedies for these products to each finding that is not OK."""
    present = tuple(products)
    for finding in findings:
        facts = {**finding.facts, "upstream": upstream}
        found = () if finding.severity is Severity.OK else (remedy(finding.id, each, facts) for each in present)
        yield replace(finding, remedies=tuple(each for each in found if each is not None))

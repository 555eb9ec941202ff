"""Lines for configurations: none without a finding, none that a page could write its own words into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.cases import every_case

from hotshoe.deploy import rendering
from hotshoe.deploy.rendering import DROPPED
from hotshoe.doctor import Product
from hotshoe.doctor.findings import finding, table
from hotshoe.doctor.remedies import advise, remedies, remedy
from hotshoe.doctor.urls import Url, facts_of, is_inner

FACTS = facts_of(Url.typed("https://example.org/apps/sliders"), page_host="www.org", page_origin="https://www.org",
                 folder="/apps/static/", cookie_path="/x", cookie_domain="y.org", upstream="127.0.0.1:5006",
                 keep_alive="5000", cookie="route")
CLAIMS = {"X-Forwarded-Prefix", "X-Real-IP", *DROPPED}
"""What visitors may say of themselves to each of the proxies; some replace more by themselves."""
PASSES_ON = re.compile("X-Forwarded|^location |^reverse_proxy ", re.MULTILINE)
"""Lines that pass requests on to the server."""


def lines_of(kind: Product, name: str, facts: Mapping[str, str] = FACTS) -> list[str]:
    found = remedy(name, kind, facts)
    assert found is not None
    return [line.strip() for line in found.lines]


def test_every_remedy_is_of_a_finding() -> None:
    assert {name for rows in remedies().values() for name in rows} <= {key.partition("/")[0] for key in table()}


def test_every_remedy() -> None:
    with every_case() as case:
        for kind, rows in remedies().items():
            for name in rows:
                with case(f"{name} in {kind}"):
                    found = remedy(name, kind, FACTS)
                    assert found is not None
                    assert found.lines[0]
                    text = "\n".join(found.lines)
                    assert not re.search(r"\{\{|\{%|YOUR-|(?<!=)None|\n\n\n", found.place + text)
                    if PASSES_ON.search(text):
                        assert_passes_no_claims_on(name, kind, text)


def assert_passes_no_claims_on(name: str, kind: Product, text: str) -> None:
    """And it says what to do if the proxy cuts the prefix off, if there is one."""
    macros = (Path(rendering.__file__).parent / f"templates/lines/{kind.value}.j2").read_text()
    own = set(re.findall(r"proxy_set_header ([\w-]+)", macros))  # of nginx: all of them, or none
    assert not {name for name in CLAIMS | own if name not in text}
    assert re.search(r"# .*/apps.* instead.*:\n.*X-Forwarded-Prefix", text)
    at_root = remedy(name, kind, facts_of(Url.typed("https://example.org/sliders"), folder="/static/"))
    assert "instead" not in str(at_root)


def test_these_two_know_what_to_do_about_most() -> None:
    for name in ("websocket.no-upgrade", "websocket.origin", "headers.too-large", "idle.cut", "redirect.missing",
               "resources.uncompressed", "backends.no-affinity", "page.mixed-content", "cookies.path",
               "tls.incomplete-chain", "page.redirect-lost-prefix"):
        assert name in remedies()[Product.NGINX].keys() & remedies()[Product.APACHE].keys()


def test_what_is_not_known_is_to_be_filled_in() -> None:
    assert lines_of(Product.NGINX, "cookies.path", {"prefix": "/"}) == ["proxy_cookie_path YOUR-COOKIE-PATH /;"]
    assert lines_of(Product.NGINX, "page.bad-gateway", {}) == ["proxy_pass http://YOUR-UPSTREAM;"]


def test_what_a_page_says_does_not_get_into_lines() -> None:
    facts = facts_of(Url.typed("https://example.org/a;b/c"), cookie_path="/x;} evil {", cookie_domain="y\nz")
    assert facts["prefix"] == "YOUR-PREFIX"
    assert facts["cookie_path"] == "YOUR-COOKIE-PATH"
    assert facts["cookie_domain"] == "YOUR-COOKIE-DOMAIN"


def test_advice() -> None:
    findings = [finding("buffering.ok"), finding("idle.cut", {"keep_alive": "5000"}, after="", whom="", pings=""),
                finding("page.login", how="")]
    well, cut, login = advise(findings, (Product.NGINX, Product.HOTSHOE), "127.0.0.1:5006")
    assert well.remedies == login.remedies == ()
    assert [remedy.kind for remedy in cut.remedies] == ["nginx", "hotshoe"]
    assert cut.remedies[1].lines == ("--keep-alive 5000",)
    kinds = (Product.NGINX, Product.HOTSHOE, Product.HEROKU)
    [cut] = advise([finding("idle.cut/pinged", after="", whom="", often="")], kinds, "127.0.0.1:5006")
    assert [remedy.kind for remedy in cut.remedies] == ["nginx"], "pings came, and did not help"


@pytest.mark.parametrize(("host", "inner"), [
    ("localhost", True), ("10.1.2.3", True), ("backend", True), ("app.svc", True), ("fd00::1", True),
    ("example.org", False), ("8.8.8.8", False), ("2001:4860:4860::8888", False),
])
def test_inner_hosts(host: str, inner: bool) -> None:
    assert is_inner(host) is inner

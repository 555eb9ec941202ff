"""Lines for configurations: none without a finding, none that a page could write its own words into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotshoe.deploy import rendering
from hotshoe.doctor import Kind
from hotshoe.doctor.addresses import Address
from hotshoe.doctor.checks import cookies, page
from hotshoe.doctor.checks.places import facts_of, is_inner
from hotshoe.doctor.findings import Hop, ok, problem
from hotshoe.doctor.observations import Fault
from hotshoe.doctor.remedies import TABLES, advise, remedy
from hotshoe.doctor.remedies.nginx import NGINX

CHECKS = Path(page.__file__).parent
HOPS = "|".join(hop.value for hop in Hop)
DOCS = Path(__file__).parents[2] / "docs/doctor.md"


def all_ids() -> set[str]:
    """Every id that a check may give."""
    text = "".join(file.read_text() for file in CHECKS.glob("*.py"))
    found = set(re.findall(rf'"((?:{HOPS})\.[a-z-]+)"', text))
    found |= {f"tls.{fault.value}" for fault in Fault}
    found |= {f"page.{name}" for name, _, _ in page._STATUSES.values()} | {"page.client-error", "page.server-error"}
    found |= {f"cookies.{name}" for name, _, _ in cookies._SAYS.values()}
    return found | {"resources.cdn", "resources.foreign"}


def entries() -> Iterator[tuple[Kind, str]]:
    for kind, table in TABLES.items():
        for finding in table:
            yield kind, finding


def test_every_finding_exists() -> None:
    unknown = {(kind.value, finding) for kind, finding in entries() if finding not in all_ids()}
    assert not unknown


@pytest.mark.parametrize("finding", sorted(each for each in all_ids() if not each.endswith(".ok")))
def test_the_docs_name_every_finding(finding: str) -> None:
    assert f"`{finding}`" in DOCS.read_text()


@pytest.mark.parametrize(("kind", "finding"), list(entries()))
def test_lines_can_be_made(kind: Kind, finding: str) -> None:
    facts = facts_of(Address.typed("https://example.org/apps/sliders"), page_host="www.org",
                     page_origin="https://www.org", folder="/apps/static/", cookie_path="/x",
                     cookie_domain="y.org", upstream="127.0.0.1:5006", keep_alive="5000")
    found = remedy(finding, kind, facts)
    assert found is not None
    assert found.lines
    assert found.lines[0]
    text = "\n".join(found.lines)
    assert "{{" not in text or kind is Kind.INGRESS_NGINX
    assert not re.search(r"(?<![$%{])\{[a-z_]+\}", text.replace("{host}", "").replace("{remote_host}", ""))
    assert "YOUR-" not in text


def lines_of(kind: Kind, finding: str, url: str = "https://example.org/apps/sliders") -> list[str]:
    found = remedy(finding, kind, facts_of(Address.typed(url), folder="/static/", upstream="127.0.0.1:5006"))
    assert found is not None
    return [line.strip() for line in found.lines]


@pytest.mark.parametrize("finding", NGINX)
def test_a_location_of_nginx_says_all_that_deploy_says(finding: str) -> None:
    template = (Path(rendering.__file__).parent / "templates/nginx.j2").read_text()
    wanted = {*re.findall(r"proxy_set_header ([\w-]+)", template), *rendering._DROPPED}
    lines = lines_of(Kind.NGINX, finding)
    told = {line.split()[1] for line in lines if line.startswith("proxy_set_header ")}
    is_location = any(line.startswith("location ") for line in lines)
    assert wanted <= told if told or is_location else True
    assert {"X-Forwarded-For", "Forwarded", "Connection"} <= wanted


def test_a_prefix_that_is_cut() -> None:
    [line] = [line for line in lines_of(Kind.NGINX, "websocket.no-upgrade") if "X-Forwarded-Prefix" in line]
    assert line == 'proxy_set_header X-Forwarded-Prefix "";   # /apps instead, if the proxy cuts that off'
    at_root = lines_of(Kind.NGINX, "websocket.no-upgrade", "https://example.org/sliders")
    assert 'proxy_set_header X-Forwarded-Prefix "";' in at_root


@pytest.mark.parametrize(("kind", "finding"), [
    (Kind.APACHE, "websocket.no-upgrade"), (Kind.HAPROXY, "websocket.origin"), (Kind.CADDY, "websocket.not-found"),
])
def test_a_prefix_that_others_cut(kind: Kind, finding: str) -> None:
    lines = lines_of(kind, finding)
    [note] = [number for number, line in enumerate(lines) if line.startswith("# set it to /apps instead")]
    assert lines[note + 1].endswith("X-Forwarded-Prefix")


@pytest.mark.parametrize(("kind", "finding", "line"), [
    (Kind.APACHE, "websocket.no-upgrade", "RequestHeader unset Forwarded"),
    (Kind.APACHE, "page.not-found", "RequestHeader unset X-Forwarded-Host"),
    (Kind.APACHE, "websocket.origin", "RequestHeader unset X-Forwarded-For"),
    (Kind.HAPROXY, "websocket.origin", "http-request del-header X-Forwarded-For"),
    (Kind.CADDY, "websocket.not-found", "header_up X-Real-IP {remote_host}"),
    (Kind.CADDY, "tls.self-signed", "header_up -X-Forwarded-Prefix"),
    (Kind.CADDY, "backends.refused", "header_up -Forwarded"),
])
def test_what_visitors_say_of_themselves(kind: Kind, finding: str, line: str) -> None:
    assert line in lines_of(kind, finding)


@pytest.mark.parametrize("kind", [Kind.NGINX, Kind.APACHE])
def test_these_two_know_what_to_do_about_most(kind: Kind) -> None:
    for finding in ("websocket.no-upgrade", "websocket.origin", "headers.too-large", "idle.cut", "redirect.missing",
                    "resources.uncompressed", "backends.no-affinity", "page.mixed-content", "cookies.path",
                    "tls.incomplete-chain", "page.redirect-lost-prefix"):
        assert finding in TABLES[kind]


def test_what_a_page_says_does_not_get_into_lines() -> None:
    facts = facts_of(Address.typed("https://example.org/a;b/c"), cookie_path="/x;} evil {", cookie_domain="y\nz")
    assert facts["prefix"] == "YOUR-PREFIX"
    assert facts["cookie_path"] == "YOUR-COOKIE-PATH"
    assert facts["cookie_domain"] == "YOUR-COOKIE-DOMAIN"


def test_advice() -> None:
    findings = [ok("page.ok", "well"), problem("idle.cut", "cut", "raise it", keep_alive="5000"),
                problem("page.login", "who?", "say")]
    well, cut, login = advise(findings, (Kind.NGINX, Kind.HOTSHOE), "127.0.0.1:5006")
    assert well.remedies == login.remedies == ()
    assert [remedy.kind for remedy in cut.remedies] == ["nginx", "hotshoe"]
    assert cut.remedies[1].lines == ("--keep-alive 5000",)
    [cut] = advise([problem("idle.cut", "cut", "raise it")], (Kind.NGINX, Kind.HOTSHOE, Kind.HEROKU), "127.0.0.1:5006")
    assert [remedy.kind for remedy in cut.remedies] == ["nginx"], "pings came, and did not help"


@pytest.mark.parametrize(("host", "inner"), [
    ("localhost", True), ("10.1.2.3", True), ("backend", True), ("app.svc", True), ("fd00::1", True),
    ("example.org", False), ("8.8.8.8", False), ("2001:4860:4860::8888", False),
])
def test_inner_hosts(host: str, inner: bool) -> None:
    assert is_inner(host) is inner

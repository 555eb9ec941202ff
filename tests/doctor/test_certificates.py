"""Certificates that are wrong in each way, served by a real nginx and a real Apache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.support.certificates import Authority
from tests.support.doctor import examined, lines_for, severities
from tests.support.proxies import Running, Site, apache, nginx
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions

pytestmark = pytest.mark.real

NOW = datetime.now(UTC)
Start = Callable[[dict[str, Site]], AbstractContextManager[Running]]
PROXIES: dict[str, Start] = {"nginx": nginx, "Apache": apache}


def write(folder: Path, name: str, leaf: trustme.LeafCert, *, chain: int = 2) -> Path:
    """A file with the key, and this many of the chain's certificates."""
    file = folder / f"{name}.pem"
    parts = [leaf.private_key_pem.bytes(), *(blob.bytes() for blob in leaf.cert_chain_pems[:chain])]
    file.write_bytes(b"".join(parts))
    return file


@pytest.fixture(scope="module")
def pems(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    root, between = authority.root, authority.between
    soon = authority.leaf(last=NOW + timedelta(days=5))
    return {
        "good": write(folder, "good", authority.leaf()),
        "expired": write(folder, "expired", authority.leaf(first=NOW - timedelta(90), last=NOW - timedelta(days=3))),
        "early": write(folder, "early", authority.leaf(first=NOW + timedelta(days=2))),
        "soon": write(folder, "soon", soon),
        "name": write(folder, "name", between.issue_cert("www.example.org", "example.org")),
        "incomplete": write(folder, "incomplete", authority.leaf(), chain=1),
        "stranger": write(folder, "stranger", trustme.CA().issue_cert("127.0.0.1")),
        "self-signed": self_signed(folder),
        "root": write(folder, "root", root.issue_cert("127.0.0.1")),
    }


def self_signed(folder: Path) -> Path:
    """A certificate that nobody but itself has signed: that of an authority, used as a server's."""
    own = trustme.CA()
    file = folder / "self-signed.pem"
    file.write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
    return file


@pytest.fixture(scope="module", params=PROXIES)
def running(request: pytest.FixtureRequest, pems: dict[str, Path], hotshoe_server: Server) -> Iterator[Running]:
    upstream = f"http://127.0.0.1:{hotshoe_server.port}/"
    if request.param == "nginx":
        body = (f"location / {{ proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host $http_host; "
                "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }")
    else:
        body = f"ProxyPass / {upstream} upgrade=websocket\nProxyPreserveHost On"
    sites = {name: Site(body, pem) for name, pem in pems.items()} | {"http": Site(body)}
    with PROXIES[request.param](sites) as running:
        yield running


FAULTS = {
    "good": None,
    "root": None,
    "expired": "tls.expired",
    "early": "tls.not-yet-valid",
    "name": "tls.wrong-name",
    "incomplete": "tls.incomplete-chain",
    "self-signed": "tls.self-signed",
    "soon": "tls.expires-soon",
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_told_apart(name: str, running: Running, options: DoctorOptions,
                                     request: pytest.FixtureRequest) -> None:
    report = examined(running.url(name, "/amounts"), options)
    expected = FAULTS[name]
    severity = "warning" if name == "soon" else "problem"
    assert severities(report) == ({} if expected is None else {expected: severity})
    assert "websocket.ok" in report.ids(), "it goes on behind what is wrong"
    if expected in ("tls.expired", "tls.incomplete-chain"):
        kind = str(request.node.callspec.params["running"])
        assert any("fullchain.pem" in line for line in lines_for(report, expected, kind))


def test_an_authority_that_nobody_knows(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("stranger", "/amounts"), options)
    assert set(severities(report)) <= {"tls.incomplete-chain", "tls.unknown-authority", "tls.unknown-root"}
    assert report.status == 1
    unknown = examined(running.url("incomplete", "/amounts"), replace(options, cafile=None))
    assert severities(unknown) == {"tls.unknown-authority": "problem"}
    rooted = examined(running.url("good", "/amounts"), replace(options, cafile=None))
    assert set(severities(rooted)) <= {"tls.unknown-authority", "tls.unknown-root"}
    assert rooted.status == 1


def test_what_is_in_it_is_shown(running: Running, options: DoctorOptions) -> None:
    [seen] = [each.seen for each in examined(running.url("name", "/amounts"), options).findings
              if each.id == "tls.wrong-name"]
    assert "www.example.org, example.org" in seen
    [seen] = [each.seen for each in examined(running.url("expired", "/amounts"), options).findings
              if each.id == "tls.expired"]
    assert "expired 3 days ago" in seen


def test_insecure(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("expired", "/amounts"), replace(options, insecure=True))
    assert report.status == 0
    assert "tls.expired" in report.ids()


def test_plain_http_at_the_port(running: Running, options: DoctorOptions) -> None:
    report = examined(running.url("http", "/amounts").replace("http:", "https:"), options)
    assert severities(report) == {"tls.plain-http": "problem"}
    assert report.status == 1

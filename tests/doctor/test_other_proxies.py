"""Caddy and HAProxy: recognised, left alone when they are well, and each broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.doctor import examined, lines_for, severities
from tests.support.proxies import Running, Site, caddy, haproxy
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions

pytestmark = pytest.mark.real

PLAIN = {"resources.uncompressed": "warning"}
"""bokeh serve compresses nothing; that is no problem."""


@pytest.fixture(scope="module")
def with_caddy(hotshoe_server: Server, bokeh_server: Server) -> Iterator[Running]:
    upstream = f"127.0.0.1:{hotshoe_server.port}"
    stock = f"127.0.0.1:{bokeh_server.port}"
    sites = {
        "healthy": Site(f"reverse_proxy {upstream}"),
        "stock": Site(f"reverse_proxy {stock}"),
        "no-upgrade": Site(f"reverse_proxy {upstream} {{\nheader_up -Upgrade\nheader_up -Connection\n}}"),
        "origin": Site(f"reverse_proxy {stock} {{\nheader_up Host apps.internal:80\n}}"),
        "502": Site("reverse_proxy 127.0.0.1:1"),
    }
    with caddy(sites) as running:
        yield running


def test_caddy(with_caddy: Running, options: DoctorOptions) -> None:
    for name, expected in (("healthy", {}), ("stock", PLAIN)):
        report = examined(with_caddy.url(name, "/amounts"), options)
        assert severities(report) == expected
        assert report.sightings[0].kind.label == "Caddy"


@pytest.mark.parametrize(("name", "finding"), [
    ("no-upgrade", "websocket.no-upgrade"), ("origin", "websocket.origin"), ("502", "page.bad-gateway"),
])
def test_caddy_broken(name: str, finding: str, with_caddy: Running, options: DoctorOptions) -> None:
    report = examined(with_caddy.url(name, "/amounts"), options)
    assert severities(report) | PLAIN == {finding: "problem"} | PLAIN
    assert any("reverse_proxy" in line for line in lines_for(report, finding, "Caddy"))


@pytest.fixture(scope="module")
def with_haproxy(hotshoe_server: Server, bokeh_server: Server) -> Iterator[Running]:
    server = f"  server a 127.0.0.1:{hotshoe_server.port}\n"
    stock = f"  server a 127.0.0.1:{bokeh_server.port}\n"
    sites = {
        "healthy": Site(server),
        "stock": Site(stock),
        "no-upgrade": Site("  http-request del-header Upgrade\n" + server),
        "idle": Site("  timeout tunnel 2s\n" + server),
        "503": Site("  balance roundrobin\n"),
    }
    with haproxy(sites) as running:
        yield running


def test_haproxy(with_haproxy: Running, options: DoctorOptions) -> None:
    for name, expected in (("healthy", {}), ("stock", PLAIN)):
        report = examined(with_haproxy.url(name, "/amounts"), options)
        assert severities(report) == expected
        assert report.sightings[0].kind.label == "HAProxy"


def test_haproxy_broken(with_haproxy: Running, options: DoctorOptions) -> None:
    idle = examined(with_haproxy.url("idle", "/amounts"), replace(options, idle_s=30))
    assert severities(idle) == {"idle.cut": "problem"}
    assert lines_for(idle, "idle.cut", "HAProxy") == ["timeout tunnel 1h"]
    refused = examined(with_haproxy.url("no-upgrade", "/amounts"), options)
    assert severities(refused) == {"websocket.no-upgrade": "problem"}
    assert "mode http" in lines_for(refused, "websocket.no-upgrade", "HAProxy")
    nobody = examined(with_haproxy.url("503", "/amounts"), options)
    assert severities(nobody) == {"page.unavailable": "problem"}
    assert nobody.sightings[0].evidence == "its error page"

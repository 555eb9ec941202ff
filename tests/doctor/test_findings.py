"""The report as text, and the page of the docs with all findings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hotshoe.doctor import DoctorReport, Product, Remedy, Sighting, as_json, render
from hotshoe.doctor.findings import clean, duration, finding, size

REMEDY = Remedy("nginx", "the location with proxy_pass", ("location / {", "    proxy_http_version 1.1;", "}"))
REPORT = DoctorReport("https://example.org/app", (Sighting(Product.NGINX, "Server: nginx"),), (
    finding("page.ok", status=200, what="an app", size="4 KB", took="2 s"),
    finding("page.index", count=2, address="/a", others="/b"),
    finding("resources.uncompressed", count=2, size="3 MB"),
    replace(finding("websocket.no-upgrade", status=400, brief="Why " * 15), remedies=(REMEDY,)),
))


def test_plain() -> None:
    text = render(REPORT, width=80)
    assert "answered by nginx (Server: nginx)" in text
    assert "  ✓ page        200, an app" in text
    assert "  ✗ websocket   The websocket handshake gets 400 “Why" in text
    assert "nginx, the location with proxy_pass:\n" in text
    assert "      proxy_http_version 1.1;" in text
    assert text.endswith("1 problem. 1 warning.\n")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text.count("page  ") == 1, "a hop is named once"


@pytest.mark.parametrize(("upstream", "count"), [("127.0.0.1:5006", 1), ("10.0.0.7:80", 0)])
def test_a_port_that_is_guessed(upstream: str, count: int) -> None:
    remedy = Remedy("nginx", "a location", (f"proxy_pass http://{upstream};",))
    report = DoctorReport("u", (), (replace(finding("page.type", media_type="a"), remedies=(remedy,)),
                                    replace(finding("page.redirect-stray", target="b"), remedies=(remedy,))))
    assert render(report).count("--upstream") == count


def test_colour() -> None:
    assert "\x1b[31m✗\x1b[0m" in render(REPORT, colour=True)


def test_nothing_in_it_moves_the_cursor() -> None:
    nasty = "\x1b[2J\x9b1m\u202eabc\r\nnext\u2028"
    report = DoctorReport(nasty, (Sighting(Product.NGINX, nasty),), (
        replace(finding("embedding.refused", {"page_host": nasty}, server=nasty, error=nasty),
                remedies=(Remedy("nginx", nasty, (nasty,)),)),))
    text = render(report)
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\r", "\u2028"}
    assert json.dumps(as_json(report)).isascii()


@pytest.mark.parametrize(("ids", "status"), [
    ((), 0), (("warning",), 0), (("problem",), 1), (("problem", "connection"), 3),
])
def test_status(ids: tuple[str, ...], status: int) -> None:
    made = {"warning": finding("redirect.missing", port=80, status=200), "problem": finding("websocket.silent"),
            "connection": finding("connection.refused", where="a")}
    assert DoctorReport("u", (), tuple(made[each] for each in ids)).status == status


def test_as_json() -> None:
    data = as_json(REPORT)
    assert data["status"] == 1
    assert data["recognised"] == [{"kind": "nginx", "by": "Server: nginx"}]
    assert data["findings"][3]["remedies"] == [
        {"for": "nginx", "where": "the location with proxy_pass", "lines": list(REMEDY.lines)}]


def test_words() -> None:
    assert clean("a\x00b  c\nd") == "a?b c d"
    assert clean("x" * 400) == "x" * 299 + "…"
    assert [duration(seconds) for seconds in (0.02, 2.34, 40, 130, 8000, 260_000)] == [
        "20 ms", "2.3 s", "40 s", "2 minutes", "2 hours", "3 days"]
    assert [size(count) for count in (700, 8000, 1_234_567)] == ["700 bytes", "8 KB", "1.2 MB"]


def test_the_docs_are_up_to_date() -> None:
    script = Path(__file__).parents[2] / "scripts/findings_docs.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr

"""The report as text."""

from __future__ import annotations

import json

import pytest

from hotshoe.doctor import Advice, Kind, Remedy, Report, Sighting, as_json, render
from hotshoe.doctor.findings import info, ok, problem, warning
from hotshoe.doctor.words import clean, duration, size

REMEDY = Remedy("nginx", "the location with proxy_pass", ("location / {", "    proxy_http_version 1.1;", "}"))
REPORT = Report("https://example.org/app", (Sighting(Kind.NGINX, "Server: nginx"),), (
    Advice(ok("page.ok", "200.")), Advice(info("page.index", "Several.", "Choose.")),
    Advice(warning("resources.uncompressed", "Large.", "Compress."), ()),
    Advice(problem("websocket.no-upgrade", "The handshake gets 400. " * 8, "Pass Upgrade on."), (REMEDY,)),
))


def test_plain() -> None:
    text = render(REPORT, width=80)
    assert "answered by nginx (Server: nginx)" in text
    assert "  ✓ page        200." in text
    assert "  ✗ websocket   The handshake gets 400." in text
    assert "nginx, the location with proxy_pass:\n" in text
    assert "      proxy_http_version 1.1;" in text
    assert text.endswith("1 problem. 1 warning.\n")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text.count("page  ") == 1, "a hop is named once"


@pytest.mark.parametrize(("upstream", "count"), [("127.0.0.1:5006", 1), ("10.0.0.7:80", 0)])
def test_a_port_that_is_guessed(upstream: str, count: int) -> None:
    remedy = Remedy("nginx", "a location", (f"proxy_pass http://{upstream};",))
    report = Report("u", (), (Advice(problem("page.bad-gateway", "a", "b"), (remedy,)),
                              Advice(problem("page.not-found", "a", "b"), (remedy,))))
    assert render(report).count("--upstream") == count


def test_colour() -> None:
    assert "\x1b[31m✗\x1b[0m" in render(REPORT, colour=True)


def test_nothing_in_it_moves_the_cursor() -> None:
    nasty = "\x1b[2J\x9b1m\u202eabc\r\nnext\u2028"
    report = Report(nasty, (Sighting(Kind.NGINX, nasty),), (
        Advice(problem("page.no-app", nasty, nasty), (Remedy("nginx", nasty, (nasty,)),)),))
    text = render(report)
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\r", "\u2028"}
    assert json.dumps(as_json(report)).isascii()


@pytest.mark.parametrize(("ids", "status"), [
    ((), 0), (("warning",), 0), (("problem",), 1), (("problem", "connection"), 3),
])
def test_status(ids: tuple[str, ...], status: int) -> None:
    made = {"warning": warning("redirect.missing", "a", "b"), "problem": problem("page.no-app", "a", "b"),
            "connection": problem("connection.refused", "a", "b")}
    assert Report("u", (), tuple(Advice(made[each]) for each in ids)).status == status


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

"""Apps that take long to begin: what hotshoe says meanwhile is followed, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.doctor import examined, severities
from tests.support.doctor_servers import APP, served, site

from hotshoe.doctor import DoctorOptions
from hotshoe.doctor.browser import retry_url
from hotshoe.doctor.observations import Exchange
from hotshoe.doctor.urls import Url
from hotshoe.embed import server_document
from hotshoe.pages.autoload import starting_script
from hotshoe.web.visits import starting

PATIENCE_S = 0.5
HERE = Url.typed("https://example.org/apps/sliders?a=1")
SLOW = """
import os, time
if not os.path.exists({mark!r}):
    open({mark!r}, "w").close()
    time.sleep({build_s})
"""


def starting_reply(body: str, status: int = 202) -> Exchange:
    return Exchange(HERE, status, "", (("Content-Type", "text/html"),), body.encode())


def test_where_to_ask_again() -> None:
    page = '<main class="notice" id="starting" data-again="?a=1&amp;hotshoe-starting=new">'
    script = starting_script(element_id="x", app_path="/sliders", absolute_url=None, query="a=1&hotshoe-starting=new",
                             with_credentials=False)
    wanted = "https://example.org/apps/sliders?a=1&hotshoe-starting=new"
    assert [str(retry_url(starting_reply(body))) for body in (page, script)] == [wanted, wanted]
    assert retry_url(starting_reply(page, 200)) is None


@pytest.mark.parametrize("again", ["", "https://evil.example/?a", "/other", "//[bad", "javascript:x"])
def test_where_not_to_ask(again: str) -> None:
    assert retry_url(starting_reply(f'<main id="starting" data-again="{again}">')) is None


@pytest.mark.real
@pytest.mark.parametrize("is_embedded", [False, True])
def test_an_app_that_takes_long(
    is_embedded: bool, options: DoctorOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the server's patience with it, which is 10 s but here."""
    monkeypatch.setattr(starting, "PATIENCE_S", PATIENCE_S)
    file = tmp_path / "slow.py"
    file.write_text(SLOW.format(mark=str(tmp_path / "mark"), build_s=3 * PATIENCE_S) + APP)
    with served(file, "--allow-websocket-origin", "127.0.0.1:*") as server:
        url = server.urls["slow"].replace("localhost", "127.0.0.1")
        with site(f"<html><body>{server_document(url)}</body></html>") as page:
            report = examined(page if is_embedded else url, options)
    assert severities(report) == {"page.starting": "warning"}
    assert {"page.ok", "embedding.ok", "resources.ok", "websocket.ok", "backends.ok"} <= set(report.ids())
    [said] = [each.seen for each in report.findings if each.id == "page.starting"]
    assert said.startswith("The app takes more than 10 s to start")

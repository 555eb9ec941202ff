"""Settings of Panel that only ``panel serve`` reads, and those of its pages that this server reads too."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.needs import need_module

from hotshoe import Server
from hotshoe.seams.panel import panel_settings

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def panel_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    need_module("panel")
    from panel.config import config
    from panel.io.state import state

    monkeypatch.setattr(panel_settings, "_warned", set())
    yield
    config.param.update(_oauth_provider=None, _index_titles={})
    state._rest_endpoints.clear()


def page(folder: Path, code: str) -> str:
    file = folder / "app.py"
    file.write_text(f"import panel as pn\n{code}\npn.pane.Str('hello').servable()\n")
    with Server({"/app": file}, port=0, address="127.0.0.1") as server:
        answer = httpx.get(server.url("/app"), timeout=60)
    assert answer.status_code == 200
    return answer.text


def test_a_setting_without_effect_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = "pn.extension(reuse_sessions=True, oauth_provider='github')\npn.config.index_titles = {'/app': 'App'}"
    with caplog.at_level(logging.WARNING):
        page(tmp_path, code)
        page(tmp_path, code)
    lines = [record.getMessage() for record in caplog.records if "is for panel serve" in record.getMessage()]
    assert lines == [
        "pn.config.index_titles is for panel serve, and has no effect here: the first line of an app's docstring is "
        "its title on the index",
        "pn.config.oauth_provider is for panel serve, and has no effect here: NOBODY HAS TO LOG IN because of it: use "
        "--auth oidc and --oidc-issuer",
        "pn.config.reuse_sessions is for panel serve, and has no effect here: each page has a session of its own",
    ]


def test_an_app_without_such_settings_logs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        html = page(tmp_path, "pn.extension()")
    assert "is for panel serve" not in caplog.text
    assert "<body>" in html


def test_the_spinner_for_the_whole_page_is_in_it(tmp_path: Path) -> None:
    html = page(tmp_path, "pn.extension(global_loading_spinner=True, loading_spinner='dots')")
    assert '<body class="pn-loading pn-dots">' in html


def test_panel_is_patched_before_anybody_gets_it() -> None:
    code = """
import threading
from hotshoe.seams import panel
seen = []
def look():
    import panel
    seen.append(type(panel.state._thread_id_).__name__)
threads = [threading.Thread(target=look) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert seen == ["_ThreadIds"] * 3, seen
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""BokehJS in Chromium and bokeh's Python client see the same session of hotshoe at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bokeh.client import pull_session
from bokeh.core.types import ID
from tests.support.browser.tab import Tab
from tests.support.differential.two_servers import APPS
from tests.support.server_thread import MakeServer

from hotshoe import Server

pytestmark = pytest.mark.real

DATA = "named('holder').tags[0].data"
POINTS = f"Array.from({DATA} instanceof Map ? {DATA}.get('x') : {DATA}.x)"


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    return make_server(sliders=APPS / "sliders.py", session_ids="unsigned")


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """Playwright leaves an event loop running in this thread; the client wants to run one of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def _column(url: str, session_id: str) -> list[Any]:
    with pull_session(session_id=ID(session_id), url=url) as session:
        source: Any = session.document.get_model_by_name("source")
        return list(source.data["x"])


@pytest.mark.parametrize("viewers", [1, 2])
def test_replaced_and_streamed_in_one_callback_is_three_points(
    server: Server, new_tab: Callable[[], Tab], aside: ThreadPoolExecutor, viewers: int
) -> None:
    url = f"http://localhost:{server.port}/sliders"
    tabs = [new_tab() for _ in range(viewers)]
    for tab in tabs:
        tab.open(f"{url}?bokeh-session-id=seen")
    tabs[0].page.get_by_text("three points").click()
    for tab in tabs:
        tab.wait(f"{POINTS}.length >= 3")
        tab.page.wait_for_timeout(200)  # a fourth point would come now
        assert tab.ask(f"JSON.stringify({POINTS})") == json.dumps([10, 20, 30], separators=(",", ":"))
    assert aside.submit(_column, url, "seen").result(20) == [10, 20, 30]


def test_a_client_changes_what_a_browser_shows(
    server: Server, new_tab: Callable[[], Tab], aside: ThreadPoolExecutor
) -> None:
    url = f"http://localhost:{server.port}/sliders"
    tab = new_tab()
    tab.open(f"{url}?bokeh-session-id=shown")

    def change() -> None:
        with pull_session(session_id=ID("shown"), url=url) as session:
            slider: Any = session.document.get_model_by_name("doubled")
            slider.value = 30
            session.force_roundtrip()

    aside.submit(change).result(20)
    tab.wait("named('echo').text == '60' && named('doubled').value == 30")

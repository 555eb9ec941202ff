"""Chromium and a server that compresses websockets: they agree on it, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.browser.tab import Tab
from tests.support.differential.two_servers import APPS
from tests.support.server_thread import serve

pytestmark = pytest.mark.real

SLIDERS = APPS / "sliders.py"


def extensions(tab: Tab) -> list[str]:
    """What each websocket of the tab has agreed on; filled as they open."""
    found: list[str] = []

    def note(event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        found.append(headers.get("sec-websocket-extensions", ""))

    session = tab.context.new_cdp_session(tab.page)
    session.send("Network.enable")
    session.on("Network.webSocketHandshakeResponseReceived", note)
    return found


@pytest.mark.parametrize(("flags", "agreed"), [
    (("--websocket-compression-level", "6"), True), (("--websocket-compression-mem-level", "9"), True), ((), False),
])
def test_chromium(new_tab: Callable[[], Tab], flags: tuple[str, ...], agreed: bool) -> None:
    with serve(SLIDERS, flags=flags) as server:
        tab = new_tab()
        agreements = extensions(tab)
        tab.open(server.urls["sliders"])
        for value in range(2, 12):
            tab.do(f'named("doubled").value = {value}')
            tab.wait(f'named("echo").text == "{2 * value}"')
        assert ["permessage-deflate" in each for each in agreements] == [agreed]

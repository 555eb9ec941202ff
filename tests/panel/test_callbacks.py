"""Each way in which Panel runs code, seen from the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.browser.tab import Tab
from tests.support.running_server import Server

pytestmark = pytest.mark.real


def open_callbacks(server: Server, tab: Tab) -> None:
    """The page at rest: until its periodic callback has counted to the end, new text moves the buttons."""
    tab.open(server.urls["callbacks"])
    tab.wait_for_text("counter: 4")


@pytest.mark.parametrize(
    ("button", "lines"),
    [
        ("await", ["awaited: done"]),
        ("hold", ["held: 4", "after: the hold"]),
        ("unlock", ["unlocked: in a callback"]),
        ("unlock and await", ["coroutine: held"]),
        ("keep the lock", ["locked: yes"]),
        ("thread", ["thread: 19"]),
        ("execute", ["executed: now", "scheduled: later"]),
        ("notify", ["Well done"]),
        ("add", ["input 1"]),
    ],
)
def test_a_callback_reaches_the_page(server: Server, tab: Tab, button: str, lines: list[str]) -> None:
    open_callbacks(server, tab)
    tab.page.get_by_role("button", name=button, exact=True).click()
    for line in lines:
        tab.wait_for_text(line)


def test_onload_and_a_periodic_callback_that_counts(server: Server, tab: Tab) -> None:
    tab.open(server.urls["callbacks"])
    tab.wait_for_text("onload: fired")
    tab.wait_for_text("loaded: too")
    tab.wait_for_text("counter: 4")
    tab.page.wait_for_timeout(200)  # a fifth would come now
    tab.wait_for_text("counter: 4")


def test_an_async_generator_is_bound(server: Server, tab: Tab) -> None:
    open_callbacks(server, tab)
    tab.wait_for_text("done with 3")
    handle = tab.page.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    tab.wait_for_text("value 4")
    tab.wait_for_text("done with 4")


def test_the_request_and_the_location(server: Server, tab: Tab) -> None:
    url = server.urls["callbacks"]
    tab.context.add_cookies([{"name": "flavour", "value": "oat", "url": url}])
    tab.open(f"{url}?word=fish&n=7")
    for fact in ("word fish", "agent True", "cookie oat", "search ?word=fish&n=7", "user None", "value 7"):
        tab.wait_for_text(fact)
    tab.wait_for_text("counter: 4")
    handle = tab.page.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    tab.page.wait_for_url("**/callbacks?word=fish&n=8")


def test_sessions_are_apart_and_share_the_cache(server: Server, new_tab: Callable[[], Tab]) -> None:
    one, two = new_tab(), new_tab()
    open_callbacks(server, one)
    open_callbacks(server, two)
    one.page.get_by_role("button", name="hold", exact=True).click()
    one.wait_for_text("held: 4")
    assert two.page.get_by_text("held: -").count() == 1
    count = "models('panel.models.markup.HTML').map((m) => /sessions (\\d+)/.exec(m.text)).find((m) => m)[1]"
    assert int(two.ask(count)) == int(one.ask(count)) + 1

from __future__ import annotations

import inspect
from typing import Any

import bokeh.client
import pytest

import hotshoe.client
from hotshoe.client.session import open_page


@pytest.mark.parametrize("name", ["pull_session", "push_session", "show_session", "ClientSession"])
def test_scripts_for_bokehs_client_need_change_nothing_but_the_import(name: str) -> None:
    theirs = inspect.signature(getattr(bokeh.client, name)).parameters
    ours = inspect.signature(getattr(hotshoe.client, name)).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert [ours[each].default for each in theirs if each != "websocket_url"] == [
        parameter.default for each, parameter in theirs.items() if each != "websocket_url"]


PUBLIC = {"close", "connect", "connected", "document", "force_roundtrip", "id", "pull", "push", "request_server_info",
          "show", "url"}


def test_a_session_has_what_scripts_use() -> None:
    assert set(dir(bokeh.client.ClientSession)) >= PUBLIC
    assert set(dir(hotshoe.client.ClientSession)) >= PUBLIC


@pytest.mark.parametrize("name", ["connect", "pull", "push", "force_roundtrip", "request_server_info"])
def test_a_method_that_waits_says_the_same_of_itself_as_the_coroutine(name: str) -> None:
    waits, coroutine = getattr(hotshoe.client.Session, name), getattr(hotshoe.client.AsyncSession, name)
    assert inspect.signature(waits) == inspect.signature(coroutine)
    assert waits.__doc__ == coroutine.__doc__
    assert waits.__qualname__ == f"Session.{name}"
    assert not inspect.iscoroutinefunction(inspect.unwrap(waits))


class Browser:
    opened: tuple[Any, ...] = ()

    def open(self, url: str, new: int) -> None:
        self.opened = (url, new)


def test_the_page_of_a_session() -> None:
    browser = Browser()
    open_page("http://h/a", "an id", new="same", controller=browser)
    assert browser.opened == ("http://h/a?bokeh-session-id=an+id", 0)
    with pytest.raises(ValueError, match="same, window, tab"):
        open_page("http://h/a", "x", new="elsewhere", controller=browser)

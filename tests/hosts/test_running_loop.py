"""Whether the server's loop counts as running in the code of an app: its setting, and the errors that name it."""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop  # by name, before there is a host
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from tests.support.hosts import open_session

from hotshoe.base.errors import BuildError
from hotshoe.base.thread_errors import hint_for
from hotshoe.config import Settings
from hotshoe.hosts.inline import InlineHost

REFUSALS = (
    "asyncio.run() cannot be called from a running event loop",
    "Cannot run the event loop while another loop is running",
    "This event loop is already running",
    "It looks like you are using Playwright Sync API inside the asyncio loop.\nPlease use the Async API instead.",
    "You cannot call this from an async context - use a thread or sync_to_async.",
    "You cannot use AsyncToSync in the same thread as an async event loop - just await the async function directly.",
    "Cannot use HTMLSession within an existing event loop. Use AsyncHTMLSession instead.",
)


async def in_script(function: Callable[[], Any], url: str = "/app", **settings: Any) -> Any:
    """What ``function`` returns in the script of an app, and in its hook that is called with the request."""
    found: list[Any] = []

    def build(document: Document) -> None:
        found.append(function())

    host = InlineHost({url: build}, Settings(**settings), reloads=False)
    await host.start()
    try:
        await open_session(host, url, "one")
        found.append(await host._served.hooks.call(function, url))
    finally:
        await host.stop(2)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("settings", [
    {}, {"running_loop": "yes"}, {"running_loop": {"other": "no"}}, {"threads": 0}, {"app_thread": "own"},
    {"app_thread": "loop", "running_loop": "no"},
], ids=str)  # fmt: skip
async def test_the_loop_counts_as_running(settings: dict[str, Any]) -> None:
    assert await in_script(lambda: get_running_loop(), **settings) is asyncio.get_running_loop()


@pytest.mark.parametrize("settings", [{"running_loop": "no"}, {"running_loop": {"app": "no"}}], ids=str)
async def test_it_does_not_where_the_app_wants_none(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BuildError):
        await in_script(asyncio.get_running_loop, **settings)
    assert 'no running event loop: this app has the setting running-loop "no" (--running-loop)' in caplog.text
    assert await in_script(asyncio.get_event_loop, **settings) is asyncio.get_running_loop()


@pytest.mark.parametrize("text", REFUSALS)
def test_what_refuses_names_the_setting(text: str) -> None:
    assert "--running-loop no" in (hint_for(RuntimeError(text)) or "")


def test_another_error_does_not() -> None:
    assert hint_for(RuntimeError("the loop of the belt is torn")) is None

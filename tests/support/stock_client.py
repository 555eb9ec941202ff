"""Sessions of bokeh's own Python client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.client import ClientSession

_WAIT_S = 60.0


def model(session: ClientSession, name: str) -> Any:
    found = session.document.get_model_by_name(name)
    assert found is not None
    return found


def wait_until_told(session: ClientSession, condition: Callable[[], bool]) -> None:
    """Let the client send, and read until the condition holds: it does neither by itself.

    Only here; while it waits for an answer it throws away what else it is told.
    """
    connection = session._connection
    loop = connection._loop
    limit = loop.call_later(_WAIT_S, lambda: connection._socket and connection._socket.close())
    connection._loop_until(lambda: condition() or not connection.connected)
    loop.remove_timeout(limit)
    assert condition(), "it was not told"

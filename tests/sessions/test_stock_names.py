"""What stock's objects offer to apps and hooks, ours offer too; the error of what is left out on purpose says why."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from tests.support.cases import every_case
from tests.support.needs import need_module
from tests.support.session_client import Open

from hotshoe.apps import load
from hotshoe.http.hook_requests import hook_request
from hotshoe.http.requests import LEFT_OUT as OF_REQUEST
from hotshoe.http.requests import Request
from hotshoe.seams.panel.stock_session import LEFT_OUT as OF_SESSION
from hotshoe.sessions.context import BY_SERVER

ROOT = Path(__file__).parents[2]

LATER = {"route_params": "routes with parameters are not served yet", "app_path": "the same"}
"""Names of Panel's request, which only adds them to stock's."""


@functools.cache
def stock_names(*arguments: str) -> dict[str, list[str]]:
    program = subprocess.run([sys.executable, "-m", "tests.support.stock_names", *arguments], cwd=ROOT,
                             stdout=subprocess.PIPE, check=True, timeout=60)
    found: dict[str, list[str]] = json.loads(program.stdout)
    return found


@pytest.mark.parametrize("library", ["bokeh", "panel"])
async def test_ours_have_the_names_of_stocks(library: str, open_session: Open) -> None:
    need_module(library)
    session = await open_session(lambda document: None)
    context: Any = session.context
    application_context = context.server_context.application_context
    ours: dict[str, Any] = {
        "hook request": hook_request(context.request._request), "request": context.request,
        "session_context": context, "session": context.session, "server_context": context.server_context,
        "application_context": application_context, "application": application_context.application,
    }
    left_out = {"hook request": OF_REQUEST, "request": {**OF_REQUEST, **LATER}, "session": OF_SESSION,
                "application_context": BY_SERVER, "application": BY_SERVER}
    stock = stock_names(library)
    assert stock.keys() == ours.keys()
    with every_case() as case:
        for kind, names in stock.items():
            for name in names:
                with case(f"{kind}.{name}"):
                    if (reason := left_out.get(kind, {}).get(name)) is None:
                        getattr(ours[kind], name)
                    elif name not in LATER:
                        with pytest.raises(AttributeError, match=reason[:20]):
                            getattr(ours[kind], name)


async def test_the_values_of_an_application_context(open_session: Open) -> None:
    session = await open_session(lambda document: None)
    server_context = session.context.server_context
    context = server_context.application_context
    assert context.server_context is server_context
    assert context.sessions == [session.context.session]
    assert context.get_session(session.id) is session.context.session
    application = context.application
    assert (application.handlers, application.metadata, application.static_path) == ((), {}, None)
    stock = session.context.session
    assert stock is not None
    stock.block_expiration()
    assert stock.expiration_blocked_count == 1
    assert 0 <= stock.milliseconds_since_last_unsubscribe < 60_000


def test_an_app_knows_the_application_object_that_it_is_made_from() -> None:
    class Made:
        handlers = ()

        def initialize_document(self, document: Document) -> None: ...

    made = Made()
    assert load(made).application is made
    assert Request().body == b""

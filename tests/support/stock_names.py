"""Prints the public names of stock's objects that apps and hooks get, as JSON.

Run it as a program: it imports stock's server, and Panel's with the argument ``panel``.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import warnings
from types import SimpleNamespace
from typing import Any

from bokeh.application import Application
from bokeh.document import Document
from bokeh.util.token import generate_jwt_token, generate_session_id
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.ioloop import IOLoop


def _public(thing: object) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


def _request() -> HTTPServerRequest:
    connection: Any = SimpleNamespace(context=SimpleNamespace(remote_ip="10.0.0.1", protocol="http"),
                                      set_close_callback=lambda callback: None)
    return HTTPServerRequest(headers=HTTPHeaders({"Host": "h:1"}), connection=connection,
                             start_line=RequestStartLine("GET", "/app?a=1", "HTTP/1.1"))


async def names() -> dict[str, list[str]]:
    """The names by kind of object."""
    contexts = importlib.import_module("bokeh.server.contexts")
    request, application = _request(), Application()
    context = contexts.ApplicationContext(application, io_loop=IOLoop.current(), url="/app")
    session_id = generate_session_id()
    token = generate_jwt_token(session_id, extra_payload={"headers": {}, "cookies": {}})
    session = await context.create_session_if_needed(session_id, request, token)
    session_context = session.document.session_context
    assert isinstance(session.document, Document)
    return {
        "hook request": _public(request), "request": [*_public(request), *_public(session_context.request)],
        "session_context": _public(session_context), "session": _public(session),
        "server_context": _public(context.server_context), "application_context": _public(context),
        "application": _public(application),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if "panel" in sys.argv:
        importlib.import_module("panel.io.server")
    print(json.dumps(asyncio.run(names())))

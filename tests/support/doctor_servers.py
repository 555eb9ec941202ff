"""Servers for the doctor to look at: of bokeh apps, and somebody's site of one page."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

from tests.support import server_process, server_thread
from tests.support.running_server import Server

APP = """
from bokeh.io import curdoc
from bokeh.models import Slider
from bokeh.plotting import figure
plot = figure()
plot.line([1, 2], [3, 4])
curdoc().add_root(plot)
curdoc().add_root(Slider(start=0, end=10, value=1, title="amount"))
curdoc().title = "Amounts"
"""


@contextmanager
def served(app: Path, *flags: str, program: str = "", **environ: str) -> Iterator[Server]:
    """A server of the app: hotshoe on a thread, or a program. Its log may have errors: things go wrong on purpose."""
    with ExitStack() as stack:
        server: Server
        with patch.dict(os.environ, environ):  # for its start only: other tests run meanwhile
            if program:
                server = stack.enter_context(server_process.serve(app, flags=flags, program=program))
            else:
                server = stack.enter_context(server_thread.serve(app, flags=flags))
        server.errors_expected = True
        yield server


@contextmanager
def site(text: str) -> Iterator[str]:
    """Somebody's site, of one page; yields its address."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/page"
        finally:
            server.shutdown()
            thread.join()

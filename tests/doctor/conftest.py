"""Servers for the doctor's tests: one of hotshoe and one of bokeh for all of them, and certificates."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from tests.browser.server import Server, serve
from tests.web.authority import Authority

from hotshoe.doctor import Options

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


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app, ``/amounts``."""
    file = tmp_path_factory.mktemp("apps") / "amounts.py"
    file.write_text(APP)
    return file


@contextmanager
def served(app: Path, *flags: str, program: str = "hotshoe serve", **environ: str) -> Iterator[Server]:
    """A server of the app. Its log may have errors: it is asked for what is wrong on purpose."""
    with ExitStack() as stack:
        with patch.dict(os.environ, environ):  # for its start only: other tests run meanwhile
            server = stack.enter_context(serve(app, flags=flags, program=program))
        server.errors_expected = True
        yield server


@pytest.fixture(scope="session")
def hotshoe_server(app: Path) -> Iterator[Server]:
    """``hotshoe serve``, which answers to 127.0.0.1 behind any proxy."""
    with served(app) as server:
        yield server


@pytest.fixture(scope="session")
def bokeh_server(app: Path) -> Iterator[Server]:
    """``bokeh serve`` with its default list of origins."""
    with served(app, program="bokeh serve") as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Its root is what the doctor is told to trust."""
    return Authority()


@pytest.fixture(scope="session")
def pem(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a good certificate of this machine, its chain and its key."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(authority.leaf().private_key_and_cert_chain_pem.bytes())
    return file


@pytest.fixture(scope="session")
def options(authority: Authority, hotshoe_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Options:
    """The authority is trusted, and lines lead to the server of hotshoe."""
    root = tmp_path_factory.mktemp("root") / "root.pem"
    authority.root.cert_pem.write_to_path(str(root))
    return Options(cafile=root, upstream=f"127.0.0.1:{hotshoe_server.port}", timeout_s=20)


@pytest.fixture(scope="session")
def pair_of_servers(app: Path) -> Iterator[tuple[Server, Server, Server]]:
    """Two with one key, and one with another."""
    with (served(app, BOKEH_SECRET_KEY="a" * 40) as one, served(app, BOKEH_SECRET_KEY="a" * 40) as two,
          served(app, BOKEH_SECRET_KEY="b" * 40) as three):
        yield one, two, three

"""Servers for the doctor's tests: one of hotshoe and one of bokeh for all of them, and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.doctor_servers import APP, served
from tests.support.running_server import Server

from hotshoe.doctor import DoctorOptions


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app, ``/amounts``."""
    file = tmp_path_factory.mktemp("apps") / "amounts.py"
    file.write_text(APP)
    return file


@pytest.fixture(scope="session")
def hotshoe_server(app: Path) -> Iterator[Server]:
    """``hotshoe serve``, which answers to 127.0.0.1 behind any proxy."""
    with served(app, program="hotshoe serve") as server:
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
    return authority.both(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def options(authority: Authority, hotshoe_server: Server, tmp_path_factory: pytest.TempPathFactory) -> DoctorOptions:
    """The authority is trusted, and lines lead to the server of hotshoe."""
    root = tmp_path_factory.mktemp("root") / "root.pem"
    authority.root.cert_pem.write_to_path(str(root))
    return DoctorOptions(cafile=root, upstream=f"127.0.0.1:{hotshoe_server.port}", timeout_s=20)


@pytest.fixture
def pair_of_servers(app: Path) -> Iterator[tuple[Server, Server, Server]]:
    """Two with one key, and one with another."""
    with (served(app, BOKEH_SECRET_KEY="a" * 40) as one, served(app, BOKEH_SECRET_KEY="a" * 40) as two,
          served(app, BOKEH_SECRET_KEY="b" * 40) as three):
        yield one, two, three

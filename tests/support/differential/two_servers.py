"""`bokeh serve` and `hotshoe serve` side by side, serving the same apps in the same configurations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.running_server import Server
from tests.support.server_process import serve, start, wait_until_started

APPS = Path(__file__).parents[2] / "real/apps"

_MANY = ("sliders.py", "broken.py", "house")
SITES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "many": (_MANY, ()),
    "single": (("house",), ()),
    "prefix": (("house",), ("--prefix", "p/q/", "--allow-websocket-origin", "named.example",
                           "--keep-alive", "100", "--websocket-max-message-size", "100000")),
    "listed": (("house",), ("--prefix", "/p/q", "--disable-index-redirect")),
    "unlisted": (_MANY, ("--disable-index",)),
}
"""Configurations by name: the apps and the flags."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The two servers of one configuration."""

    stock: Server
    ours: Server


@contextmanager
def peers(site: str) -> Iterator[Peers]:
    """Start both servers of the configuration; ours takes unsigned ids, as stock does.

    Both are processes of their own: a document names all data models that its process has, also those of other tests.
    """
    names, flags = SITES[site]
    apps = [APPS / name for name in names]
    with _stock(apps, flags) as stock, serve(*apps, flags=(*flags, "--session-ids", "unsigned")) as ours:
        ours.errors_expected = True
        yield Peers(stock, ours)


@contextmanager
def _stock(apps: list[Path], flags: tuple[str, ...]) -> Iterator[Server]:
    """It is killed in the end: after some of the questions it does not stop by itself any more."""
    with tempfile.TemporaryDirectory() as folder:
        server = start([str(app) for app in apps], flags, Path(folder) / "log", "bokeh serve")
        try:
            wait_until_started(server, len(apps))
            yield server
        finally:
            server.process.kill()
            server.process.wait()

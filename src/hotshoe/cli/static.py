"""``hotshoe static``: serve the files of BokehJS and of extensions, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..config import TABLE, Group
from .loading import Sources, tell_bokeh
from .options import Parser, add_settings
from .serve import run_server

if TYPE_CHECKING:
    from ..web.server import Server

_log = logging.getLogger("hotshoe")

_GROUPS = (Group.PLACE, Group.LOG, Group.FILES)
_ROWS = tuple(row for row in TABLE if row.declaration.group in _GROUPS)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until a signal ends it. Raises ``UserError`` for a mistake in the arguments."""
    sources = Sources.of(make_parser().parse_args(arguments), environ, disable_index=True)
    settings = sources.settings()
    from ..apps import NO_APPS
    from ..web.server import Server
    from .logs import configure

    configure(settings)
    tell_bokeh(sources.bokeh)
    server = Server(NO_APPS, settings=settings)
    run_server(server, partial(_started, server))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe static``."""
    parser = Parser(
        prog="hotshoe static",
        usage="hotshoe static [options]",
        description="Serve the files of BokehJS at /static/, for pages of other servers.",
        epilog="The options are those of hotshoe serve, whose keys and environment variables count as well.")
    add_settings(parser, _ROWS)
    return parser


def _started(server: Server) -> None:
    from ..pages.assets import bokehjs_dir

    address = f" address {server.address}" if server.address else ""
    where = server.settings.unix_socket or server.port
    _log.info("Starting Bokeh static server at %s%s", where, address)
    _log.debug("Serving static files from: %s", bokehjs_dir())

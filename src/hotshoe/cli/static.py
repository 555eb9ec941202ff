"""``hotshoe static``: serve the files of BokehJS and of extensions, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..config import TABLE, Group
from .arguments import Parser, add_settings, configure_bokeh, sources_of
from .serve import configure_logs, run_server

if TYPE_CHECKING:
    from ..server.server import Server

_log = logging.getLogger("hotshoe")

_GROUPS = (Group.LISTEN, Group.LOG, Group.FILES)
_ROWS = tuple(row for row in TABLE if row.doc.group in _GROUPS)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until a signal ends it. Raises ``UserError`` for a mistake in the arguments."""
    sources = sources_of(make_parser().parse_args(arguments), environ, disable_index=True)
    settings = sources.settings()
    configure_logs(settings)
    configure_bokeh(sources.bokeh)
    # Not earlier: it imports bokeh, which reads its settings then.
    from ..apps import NO_APPS
    from ..server.server import Server

    server = Server(NO_APPS, settings=settings)
    run_server(server, partial(_log_start, server))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe static``."""
    parser = Parser(
        "static", "[options]",
        description="Serve the files of BokehJS at /static/, for pages of other servers.",
        epilog="The options, keys and environment variables are those of hotshoe serve.")
    add_settings(parser, _ROWS)
    return parser


def _log_start(server: Server) -> None:
    from ..pages.assets import bokehjs_dir

    address = f" address {server.address}" if server.address else ""
    where = server.settings.unix_socket or server.port
    _log.info("Starting Bokeh static server at %s%s", where, address)
    _log.debug("Serving static files from: %s", bokehjs_dir())

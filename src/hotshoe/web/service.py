"""A server at work: host, front and connections from start to stop, on one loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from hotshoe.apps import App, Sources
from hotshoe.config import Settings
from hotshoe.hosts.inline import InlineHost
from hotshoe.pages.assets import OWN_STATIC, STATIC, bokehjs_dir
from hotshoe.web.deflating import deflater
from hotshoe.web.front import Front
from hotshoe.web.guard import Guard
from hotshoe.web.limits import Limits
from hotshoe.web.listening import Listeners
from hotshoe.web.proxies import Proxies
from hotshoe.web.serving import Serving
from hotshoe.web.serving_state import ServingState
from hotshoe.web.sites import Site
from hotshoe.web.tls import Tls

_log = logging.getLogger(__name__)

HOST_GRACE_S = 5.0
"""How long sessions and hooks may take to end."""
CONNECTION_GRACE_S = 1.0
STOP_GRACE_S = HOST_GRACE_S + CONNECTION_GRACE_S
PREPARE_AFTER_S = 2.0
_PREPARED = ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-gl.min.js", "bokeh-tables.min.js")


class Service:
    """Serves apps on ``listeners``, on the running loop."""

    def __init__(self, apps: Mapping[str, App], listeners: Listeners, settings: Settings, *,
                 sources: Sources | None = None, tls: Tls | None = None,
                 guard: Guard = Guard(), site: Site | None = None) -> None:  # noqa: B008 - it is a value
        self._is_exposed = not listeners.are_local
        self._settings = settings
        self._prepare: asyncio.TimerHandle | None = None
        only_local = listeners.are_local and not settings.unix_socket
        self.host = InlineHost(apps, settings, sources=sources, static=STATIC if site is None else OWN_STATIC)
        self.front = Front(self.host, settings=settings, only_local=only_local, guard=guard, site=site)
        self._serving = Serving(
            self.front,
            listeners,
            max_message_bytes=settings.websocket_max_message_size,
            ping_interval_s=settings.keep_alive_milliseconds / 1000,
            state=_state(settings, site),
            tls=tls,
        )

    async def start(self) -> None:
        """Run the load hooks, then accept connections."""
        if self._settings.dev and self._is_exposed:
            _log.warning("dev mode shows code and data to whoever reaches this server; "
                         "with --address 127.0.0.1 nobody else does")
        try:
            await self.front.start()
            await self._serving.start()
        except BaseException:
            await self.stop()
            raise
        self._prepare = asyncio.get_running_loop().call_later(PREPARE_AFTER_S, _prepare, self.front)

    def refuse(self) -> None:
        """Accept no more connections; those that are open go on."""
        self._serving.refuse()

    async def stop(self) -> None:
        """Close every socket, end all sessions, run all hooks."""
        if self._prepare is not None:
            self._prepare.cancel()
        self._serving.refuse()
        try:
            async with asyncio.timeout(HOST_GRACE_S):
                await self.front.stop()
        except TimeoutError:
            _log.warning("Stopping without the sessions and hooks that did not end within %g s", HOST_GRACE_S)
        finally:
            await self._serving.stop(CONNECTION_GRACE_S)


def _state(settings: Settings, site: Site | None) -> ServingState:
    extension = deflater(settings.websocket_compression_level, settings.websocket_compression_mem_level)
    limits = Limits.of(settings)
    if site is not None:
        limits = replace(limits, body_bytes=0)  # the site takes what it wants; forms of ours are looked at by the gate
    return ServingState(limits, Proxies.of(settings).is_client, extension)


def _prepare(front: Front) -> None:
    folder = bokehjs_dir() / "js"
    front.static.prepare(folder / name for name in _PREPARED)

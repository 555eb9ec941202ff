"""The front: one ASGI app for all of a server's HTTP and websockets. It knows sessions only through the host.

Of user code it runs nothing; what it sends is escaped, and what it accepts is checked here and nowhere later.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from .. import log_fields
from ..auth import User
from ..config import Settings
from ..errors import AccessError, CapacityError, LoginError, RemoteError, SessionGone
from ..hosts.host import Host
from . import own_pages
from .admission import Inquiry, Reply, SiteAnswer
from .answers import NO_STORE, TRY_AGAIN, Answer, Receive, Scope, Send, json
from .app_answers import AppAnswers
from .autoload import cors_headers
from .disclosure import Disclosure
from .failures import failure_of, report_of
from .gatekeeper import GUARDED, VISITED, Foreign
from .guard import Guard
from .handshakes import Handshakes
from .headers import SecurityHeaders
from .lifecycle import Lifecycle
from .origins import Origins, misnamed
from .own_answers import Assets, OwnAnswers, folder_of
from .proxies import Proxies
from .requests import arguments_of, last, request_id
from .routes import Kind, Route, Routes, mounted_path, normalized_prefix
from .secret_keys import keys_of
from .sites import Site
from .sockets import refuse_text
from .static import FRESH_S, StaticFiles
from .tickets import Mode, Tickets
from .visits import Visits

_log = logging.getLogger(__name__)

Handler = Callable[[Scope, Route], Awaitable[Answer | Foreign | None]]


class Front:
    """An ASGI callable for http, websocket and lifespan."""

    def __init__(self, host: Host, *, settings: Settings, only_local: bool = False,
                 guard: Guard = Guard(), site: Site | None = None) -> None:  # noqa: B008 - it is a value
        self._host = host
        self._settings = settings
        self._site = site
        keys = keys_of(settings)
        self._gate = guard.gatekeeper(settings, keys, host.apps, self._log_out, _inquiry(site, host, settings))
        self._lifecycle = Lifecycle(host, [self._gate] if site is None else [site, self._gate], self.stop)
        self._proxies = Proxies.of(settings)
        self._static = self._new_static()
        self._headers = SecurityHeaders(settings)
        only_local = only_local and not settings.use_xheaders
        self._origins = Origins(settings.allow_websocket_origin, only_local=only_local)
        self._known_routes: Routes | None = None
        mode = Mode(settings.session_ids)
        tickets = Tickets(() if mode is Mode.UNSIGNED else keys, mode, settings.session_token_expiration)
        visits = Visits(host, tickets, Disclosure(settings))
        self._handshakes = Handshakes(host, settings, visits, self._origins, self._gate)
        self._of_apps = of_apps = AppAnswers(host, settings, visits, self._origins, self._gate)
        own = OwnAnswers(host, settings, self._gate)
        self._handlers: Mapping[Kind, Handler] = {
            Kind.PAGE: of_apps.page,
            Kind.AUTOLOAD: of_apps.autoload,
            Kind.METADATA: of_apps.metadata,
            Kind.SOCKET: of_apps.plain_get_of_socket,
            Kind.INDEX: own.index,
            Kind.SOURCE: own.source,
            Kind.FAVICON: own.favicon,
            Kind.ASSET: self._asset,
        }

    @property
    def host(self) -> Host:
        """Where the sessions live."""
        return self._host

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def static(self) -> StaticFiles:
        """What serves files."""
        return self._static

    @property
    def _routes(self) -> Routes:
        if self._known_routes is None:
            self._known_routes = Routes(self._host.apps, self._settings.prefix, login=self._gate.pages,
                                        has_site=self._site is not None)
        return self._known_routes

    def _route(self, scope: Scope) -> Route:
        return self._routes.resolve(scope["path"], scope.get("root_path", ""))

    def _below_prefix(self, scope: Scope) -> Scope:
        """The scope as the site around the apps gets it: the prefix is in front of its URLs, too."""
        prefix = normalized_prefix(self._settings.prefix)
        if not prefix:
            return scope
        # Older servers leave the root out of the path, in which the prefix then could not be told from it.
        root = scope.get("root_path", "").rstrip("/")
        return {**scope, "root_path": root + prefix, "path": root + mounted_path(scope["path"], root)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        serve = {"http": self._http, "websocket": self._websocket}.get(scope["type"])
        if serve is not None:
            scope = self._proxies.effective(scope)
            noted = log_fields.note(request_id=request_id(scope))
            try:
                await serve(scope, receive, send)
            finally:
                log_fields.forget(noted)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"an ASGI connection of type {scope['type']!r} can't be served")

    # -- life

    async def start(self) -> None:
        """Start the host. Whoever serves without a lifespan may call it; else the first request does."""
        await self._lifecycle.start()

    async def stop(self) -> None:
        """Close all websockets, end all sessions, run all hooks. May be called more than once."""
        try:
            await self._lifecycle.stop(self._handshakes.close)
        finally:
            self._of_apps.close()
            self._static.close()
            self._static = self._new_static()  # a front that is started again serves files again

    def _new_static(self) -> StaticFiles:
        return StaticFiles(fresh_s=0 if self._settings.dev else FRESH_S)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        if not await self._lifecycle.lifespan(receive, send):
            return
        try:
            await self.stop()
        except Exception as error:
            _log.exception("Stopping failed")
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    # -- http

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain, send = send, self._headers.sender(scope, send)
        if not self._lifecycle.running and not await self._lifecycle.ready():
            await own_pages.error_page(503, headers={"Retry-After": "5"}).send(scope, send)
            return
        if self._origins.is_misnamed(scope):
            page = own_pages.error_page(403, misnamed(scope), words="This server does not know that name.")
            await page.send(scope, send)
            return
        route = self._route(scope)
        found = folder_of(route) if self._allows(route, scope["method"]) else None
        if self._site is not None and (route.kind is Kind.SITE or (route.kind is Kind.EXTENSION and found is None)):
            await self._site(self._below_prefix(scope), receive, plain)
            return
        if found is None or not found[2]:  # anybody may have what is not an app's own
            scope, send = self._gate.dressed(scope, send, private=found is not None)
        handler = self._handlers.get(route.kind) if found is None else self._file_admitted
        if route.kind is Kind.LOGIN:
            handler = partial(self._gate.respond, receive=receive)
        answer = None if found is not None and found[2] else await self._answer(scope, route, handler)
        if answer is not None:
            await answer.send(scope, send)
        elif found is not None:
            root, relative, packaged = found
            await self._static.respond(scope, receive, send, root, relative, follow_links=packaged)

    @staticmethod
    def _allows(route: Route, method: str) -> bool:
        return route.kind in (Kind.NOTHING, Kind.LOGIN) or method in route.methods

    async def _answer(self, scope: Scope, route: Route, handler: Handler | None) -> Answer | Foreign | Reply | None:
        home = None if self._settings.disable_index or self._site is not None else route.up
        follow = None
        try:
            if not self._allows(route, scope["method"]):
                headers = {"Allow": ", ".join(route.methods)}
                if route.kind is Kind.AUTOLOAD:
                    headers |= cors_headers(scope, self._origins)
                return own_pages.error_page(405, headers=headers, home=home)
            if handler is None:
                return own_pages.error_page(404, home=home)
            if route.kind in GUARDED:
                scope = await self._gate.enter(scope, route)
            # Only who was let in is shown what fails.
            follow = route.app if self._settings.dev and route.kind is Kind.PAGE else None
            return await handler(scope, route)
        except SiteAnswer as answer:
            return answer.reply
        except LoginError as error:
            return own_pages.login_needed(error.detail, error.place, visited=route.kind in VISITED)
        except AccessError as error:
            return own_pages.error_page(403, error.detail, words="You may not open this.", home=home,
                                        logout=error.logout)
        except CapacityError as error:
            words, _, detail = error.detail.partition(". ")
            return own_pages.error_page(error.status, detail, words=f"{words}.", headers=TRY_AGAIN, follow=follow)
        except RemoteError as error:
            return own_pages.error_page(error.status, error.detail, home=home, follow=follow)
        except SessionGone:
            return own_pages.error_page(410, home=home, follow=follow)
        except Exception as error:
            words, error_id = failure_of(error, scope["path"])
            if follow is not None:
                return own_pages.failure_page(report_of(error), follow, error_id)
            return own_pages.error_page(500, words=words, error_id=error_id, home=home)

    async def _file_admitted(self, scope: Scope, route: Route) -> None:
        """Nothing to be said: the file may be sent."""

    async def _asset(self, scope: Scope, route: Route) -> Answer:
        if route.rest == "refusal":
            return await self._refusal(scope, route)
        return await Assets(self._static).answer(scope, route)

    async def _refusal(self, scope: Scope, route: Route) -> Answer:
        """Why a page's websocket is refused, which no script can read from the handshake itself."""
        origin = last(arguments_of(scope.get("query_string", b"")), "origin") or ""
        words = self._origins.explain(scope, origin, was_refused=True) or await self._gate.refusal(scope, route.app)
        return json({"refusal": words}, NO_STORE)

    def _log_out(self, user: User) -> None:
        self._handshakes.log_out(user)

    # -- websockets

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_named = not self._origins.is_misnamed(scope)
        is_of_site = self._site is not None and self._route(scope).kind is Kind.SITE
        if self._site is not None and is_of_site and is_named and await self._lifecycle.ready():
            await self._site(self._below_prefix(scope), receive, send)
            return
        send = self._headers.sender(scope, send)
        if (await receive())["type"] != "websocket.connect":
            return
        if not self._lifecycle.running and not await self._lifecycle.ready():
            await refuse_text(scope, send, "The server is shutting down", 503)
            return
        if not is_named:
            await refuse_text(scope, send, misnamed(scope), 403)
            return
        await self._handshakes.serve(scope, receive, send, self._route(scope))


def _inquiry(site: Site | None, host: Host, settings: Settings) -> Inquiry | None:
    """What asks the site who may see its apps, if the site wants to be asked."""
    if site is None or site.joined is None:
        return None
    site.joined.join(list(host.apps))
    return Inquiry(site, settings.prefix)

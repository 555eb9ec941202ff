"""The front: one ASGI app for all of a server's HTTP and websockets. It knows sessions only through the host.

It runs only the user code that the operator names for it: an auth module, ``authorize=``, the site around the apps. It
escapes everything that it sends and checks everything that it accepts, because no later part does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import HTMLResponse, Response

from ..base import logs
from ..base.counters import Counters, Refusal
from ..base.errors import AccessError, CapacityError, LoginError, RemoteError, RequestError, SessionGone
from ..base.shared import MemoryShared, Shared
from ..base.tasks import Deadline
from ..config import Settings
from ..hosts.host import Event, Host
from ..http.paths import mount_keys, mount_of, normalized_prefix, normalized_url
from ..http.requests import Disclosure, arguments_of, last, request_id, unless_left
from ..http.responses import NO_STORE, TRY_AGAIN, count_bytes, json, refuse_request, refuse_text, send_response
from ..http.scopes import DOUBTED, HEAD_ONLY, MOUNT, Receive, Scope, Send
from . import own_pages
from .files.lookup import FILES, component_apps, find_file, find_shared
from .files.requested_files import PackagedFile
from .files.static import FRESH_S, StaticFiles
from .gate.auth_options import AuthOptions
from .gate.foreign_servers import ForeignServers, of_client
from .gate.gatekeeper import GUARDED, VISITED
from .gate.headers import SecurityHeaders
from .gate.host_names import HostNames
from .gate.logouts import Logouts
from .gate.origins import Origins
from .gate.proxies import Proxies
from .gate.secret_keys import keys_of
from .lifespan import Component, Lifecycle
from .own_answers import Assets, OwnAnswers
from .route_table import RouteTable
from .routes import Kind, Route
from .site.admission import SiteAnswer
from .site.extensions import JoinCheck
from .site.sites import Site
from .visits.app_pages import AppAnswers
from .visits.autoload_requests import cors_headers
from .visits.capacity import Capacity
from .visits.following import Versions
from .visits.opening import Opener, log_error, report_of
from .visits.sockets import Sockets
from .visits.tickets import TicketOffice

_log = logging.getLogger(__name__)

BUILT = (Kind.PAGE, Kind.AUTOLOAD)
"""For these a session is built, which must not be built for a client that has left."""
PASSED_ON = (Kind.EXTENSION, Kind.COMPONENT)
"""The site around the apps has these URLs if there is no such file."""

CLIENT_LEFT = 499
"""The status that nginx logs for a client that did not wait. Nobody gets it."""

Handler = Callable[[Scope, Route], Awaitable[Response | None]]


class Front:
    """An ASGI callable for http, websocket and lifespan. Without ``shared``, it shares nothing with other processes.

    ``address`` is where its server listens, if that is known.
    """

    def __init__(self, host: Host, *, settings: Settings, only_local: bool = False,
                 auth_options: AuthOptions = AuthOptions(), site: Site | None = None,  # noqa: B008 - it is a value
                 shared: Shared | None = None, address: str = "") -> None:
        shared = shared or MemoryShared()
        self.host = host
        """The place where sessions live."""
        self.settings = settings
        """The settings in force."""
        self._site = site
        self.counters = Counters()
        """Counts bytes and refusals, of this front and of the server's sockets."""
        keys = keys_of(settings, address)
        if site is not None and site.joined is not None:
            site.joined.join(list(host.apps))
        self._logouts = Logouts(shared, lambda names: self._sockets.log_out(names))
        self._gate = auth_options.gatekeeper(settings, keys.all, host.apps, shared, self._logouts.report,
                                             auth_options.site_check(site, settings))
        self._versions = Versions(host, shared)
        self._lifecycle = Lifecycle(host, self._parts(auth_options), self.stop)
        self._servers = ForeignServers()
        self._proxies = Proxies.of(settings)
        self._static = self._new_static()
        self._headers = SecurityHeaders(settings)
        only_local = only_local and not settings.use_xheaders and not settings.allow_websocket_origin
        self._host_names = HostNames(settings.allowed_hosts, only_local=only_local)
        self._origins = Origins(settings.allow_websocket_origin)
        self._table = RouteTable(host, settings, self._gate, site)
        self._capacity = Capacity.of(settings)
        opener = Opener(host, TicketOffice(keys, settings, shared), Disclosure(settings), self._capacity,
                        settings.max_header_size)
        self._sockets = Sockets(host, settings, opener, self._origins, self._gate, self._versions, self.counters)
        self._of_apps = of_apps = AppAnswers(host, settings, opener, self._origins, self._gate, shared, self.counters)
        own = OwnAnswers(host, settings, self._gate, self._table)
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
        host.listen(self._handle_event)

    def _handle_event(self, event: Event) -> None:
        self._capacity.handle_event(event)
        self._versions.handle_event(event)

    def _parts(self, auth_options: AuthOptions) -> list[Component]:
        """The parts that start before the host, in order."""
        parts: list[Component] = []
        if auth_options.checks_extensions:
            parts.append(JoinCheck(None if self._site is None else self._site.joined, has_site=self._site is not None,
                                   close_apps=self._close_apps))
        if self._site is not None:
            parts.append(self._site)
        if not self._gate.is_open:
            parts.append(self._logouts)
        if self.settings.dev:
            parts.append(self._versions)
        return [*parts, self._gate]

    def _close_apps(self, reason: str) -> None:
        """Let nobody open an app any more, in any thread; without a reason, let them again."""
        self._gate.closed = reason
        if reason:
            self._sockets.close_all(reason)

    def _route(self, scope: Scope) -> Route:
        if self._table.snapshot is not self.host.apps:
            self._table.update()
        return self._table.routes.resolve(scope["path"], scope.get("root_path", ""))

    def _below_prefix(self, scope: Scope) -> Scope:
        """The scope for the site around the apps; its URLs are below the prefix, too."""
        prefix = normalized_prefix(self.settings.prefix)
        return {**scope, **mount_keys(scope, prefix)} if prefix else scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        serve = {"http": self._http, "websocket": self._websocket}.get(scope["type"])
        if serve is not None:
            if HEAD_ONLY not in scope:
                scope, fault = self._servers.check(scope, receive, send)
                if fault:
                    self.counters.refuse(Refusal.MALFORMED)
                    await refuse_request(scope, send, fault)
                    return
            scope[MOUNT] = mount_of(scope)  # before a proxy's prefix is added, which the websocket's proxy may not tell
            scope = self._proxies.effective(scope)
            noted = logs.note(request_id=request_id(scope))
            try:
                await serve(scope, receive, send)
            finally:
                logs.forget(noted)
        elif scope["type"] == "lifespan":
            self._servers.check_start(receive)
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"an ASGI connection of type {scope['type']!r} can't be served")

    async def start(self) -> None:
        """Start the host. Without a lifespan, a server may call this; otherwise the first request does."""
        await self._lifecycle.start()

    async def serve_app(self, url: str, target: Any) -> None:
        """Serve one more app while the server runs, or replace the app at ``url``.

        Raises ``AppError`` if ``target`` is not an app, and ``ConfigError`` if no app can be at this URL.
        """
        await self._lifecycle.ensure_started()
        url = normalized_url(url)
        self._table.check(url)
        await self.host.serve_app(url, target)

    async def withdraw_app(self, url: str) -> None:
        """Stop serving an app. Raises ``RequestError`` if there is none at ``url``."""
        await self.host.withdraw_app(normalized_url(url))

    async def stop(self, deadline: Deadline | None = None) -> None:
        """Close all websockets, end all sessions, run all hooks. May be called more than once."""
        try:
            await self._lifecycle.stop(self._sockets.close, deadline or Deadline())
        finally:
            self._capacity.clear()
            self._of_apps.close()
            self._static.close()
            self._static = self._new_static()  # a front that is started again serves files again

    def _new_static(self) -> StaticFiles:
        return StaticFiles(fresh_s=0 if self.settings.dev else FRESH_S)

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

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        receive, send = count_bytes(receive, send, self.counters)
        plain, send = send, self._headers.sender(scope, send)
        route = self._route(scope)
        if route.kind is Kind.HEALTH:
            await send_response(self._health(scope, route), scope, send)
            return
        if not self._lifecycle.running and not await self._lifecycle.ensure_started():
            await send_response(own_pages.error_page(503, headers={"Retry-After": "5"}), scope, send)
            return
        if self._host_names.is_misnamed(scope):
            await send_response(self._misnamed(scope), scope, send)
            return
        has_file = route.kind in FILES and self._allows(route, scope["method"])
        try:
            file = await find_file(route, self.host, self._static) if has_file else None
        except RequestError as error:  # the disk of an extension does not respond
            await send_response(own_pages.error_page(error.status, headers=TRY_AGAIN), scope, send)
            return
        if self._site is not None and (route.kind is Kind.SITE or (route.kind in PASSED_ON and file is None)):
            await self._site(self._below_prefix(scope), receive, plain)
            return
        if DOUBTED in scope:
            scope = of_client(scope)
        if isinstance(file, PackagedFile):
            await self._static.respond(scope, receive, send, file)
            return
        public, (scope, send) = send, self._gate.with_cookies(scope, send, private=file is not None)
        handler = self._handlers.get(route.kind) if file is None else self._admit_file
        if route.kind is Kind.LOGIN:
            handler = partial(self._gate.respond, receive=receive)
        answering = self._answer(scope, route, handler)
        answer = await (unless_left(receive, answering) if route.kind in BUILT else answering)
        if file is None:
            # To a client that has left, too: frameworks take a request without a response for a failure.
            await send_response(Response(status_code=CLIENT_LEFT) if answer is None else answer, scope, send)
            return
        shared = partial(find_shared, route, self._static)
        if answer is None:
            await self._static.respond(scope, receive, send, file, shared)
        elif (packaged := await shared()) is not None:  # any client may have it
            await self._static.respond(scope, receive, public, packaged)
        else:
            await send_response(answer, scope, send)

    def _misnamed(self, scope: Scope) -> Response:
        self.counters.refuse(Refusal.HOST_NAME)
        error_id = self._host_names.log_misnamed(scope)
        return own_pages.error_page(403, error_id, words="This server does not know that name.")

    def _health(self, scope: Scope, route: Route) -> Response:
        """The response that says whether the process is alive, and whether it is ready for users.

        It needs no login and accepts any ``Host``. So it contains nothing else: no session, login, version or number.
        """
        if not self._allows(route, scope["method"]):
            return own_pages.error_page(405, headers={"Allow": ", ".join(route.methods)})
        is_ready = self._lifecycle.running
        if not is_ready and route.rest != "alive":
            self._lifecycle.start_in_background()  # a mount without lifespan gets no other request until it is ready
        status = 200 if is_ready or route.rest == "alive" else 503
        return json({"alive": True, "ready": is_ready}, status, NO_STORE)

    @staticmethod
    def _allows(route: Route, method: str) -> bool:
        return route.kind in (Kind.NOTHING, Kind.LOGIN) or method in route.methods

    async def _answer(self, scope: Scope, route: Route, handler: Handler | None) -> Response | None:
        home = None if self.settings.disable_index or self._site is not None else route.up
        follow = None
        try:
            if not self._allows(route, scope["method"]):
                headers = {"Allow": ", ".join(route.methods)}
                if route.kind is Kind.AUTOLOAD:
                    headers |= cors_headers(scope, self._origins)
                return own_pages.error_page(405, headers=headers, home=home)
            if handler is None:
                return own_pages.error_page(404, home=home)
            with self.counters.count_refusals():
                if route.kind in GUARDED:
                    scope = await self._gate.enter(scope, route)
                # Only clients with access see why an app fails.
                follow = route.app if self.settings.dev and route.kind is Kind.PAGE else None
                return await handler(scope, route)
        except SiteAnswer as answer:
            return answer.response
        except LoginError as error:
            return own_pages.login_needed(error.detail, error.place, visited=route.kind in VISITED)
        except AccessError as error:
            if error.page is not None:
                return HTMLResponse(error.page, 403, NO_STORE)
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
            words, error_id = log_error(error, scope["path"])
            if follow is not None:
                return own_pages.failure_page(report_of(error), follow, error_id)
            return own_pages.error_page(500, words=words, error_id=error_id, home=home)

    async def _admit_file(self, scope: Scope, route: Route) -> None:
        """No response: the client has access, and ``StaticFiles`` sends the file."""
        if route.kind is Kind.COMPONENT:
            await self._admit_component(scope, route)

    async def _admit_component(self, scope: Scope, route: Route) -> None:
        """Check that the client may open one of the apps that have the component. Raises ``RequestError``."""
        refusal: RequestError | None = None
        urls = await component_apps(route, self.host)
        for app in (app for url in urls if (app := self._table.apps.get(url)) is not None):
            try:
                await self._gate.enter(scope, replace(route, kind=Kind.APP_STATIC, app=app))
                return
            except RequestError as error:
                refusal = refusal or error
        raise refusal or RequestError("There is no such file", status=404)

    async def _asset(self, scope: Scope, route: Route) -> Response:
        if route.rest == "refusal":
            return await self._refusal(scope, route)
        return await Assets(self.host, self._static).answer(scope, route)

    async def _refusal(self, scope: Scope, route: Route) -> Response:
        """The reason why the server refuses a page's websocket. A script can't read it from the handshake."""
        origin = last(arguments_of(scope.get("query_string", b"")), "origin") or ""
        words = self._origins.explain(scope, origin, was_refused=True) or await self._gate.refusal(scope, route.app)
        return json({"refusal": words}, headers=NO_STORE)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_named = not self._host_names.is_misnamed(scope)
        is_of_site = self._site is not None and self._route(scope).kind in (Kind.SITE, *PASSED_ON)
        if self._site is not None and is_of_site and is_named and await self._lifecycle.ensure_started():
            await self._site(self._below_prefix(scope), *count_bytes(receive, send, self.counters))
            return
        send_refusal = self._headers.sender(scope, send)
        if (await receive())["type"] != "websocket.connect":
            return
        if not self._lifecycle.running and not await self._lifecycle.ensure_started():
            await refuse_text(scope, send_refusal, "The server is shutting down", 503)
            return
        if not is_named:
            self.counters.refuse(Refusal.HOST_NAME)
            await refuse_text(scope, send_refusal, self._host_names.log_misnamed(scope), 403)
            return
        if DOUBTED in scope:
            scope = of_client(scope)
        await self._sockets.serve(scope, receive, send, send_refusal, self._route(scope))

"""The front: one ASGI app for all of a server's HTTP and websockets. It knows sessions only through the host.

Of user code it runs nothing; what it sends is escaped, and what it accepts is checked here and nowhere later.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from .. import log_fields
from ..apps.reports import describe
from ..apps.request import Request
from ..apps.source import source_text
from ..config import Settings
from ..errors import BuildError, CapacityError, CompileError, RemoteError, Report, RequestError, SessionGone
from ..hosts.host import AppInfo, Host, OpenRequest
from ..pages.assets import bokehjs_dir, extension_dir, page_script
from ..pages.models import model_script
from ..pages.scripting import script_json
from . import answers, own_pages
from .answers import Answer, Receive, Scope, Send
from .autoload import Embedding, cors_headers, error_script
from .conditions import matches
from .following import Followers
from .lifecycle import Lifecycle
from .origins import allowed, host_of, pattern_of, same_origin_socket
from .requests import arguments_of, header, last, request_id, request_of, with_payload
from .routes import Kind, Route, Routes
from .sockets import Socket, refuse_text
from .static import FRESH_S, StaticFiles
from .tickets import Ticket, Tickets

_log = logging.getLogger(__name__)

_SHUTDOWN_GRACE_S = 5.0
_IMMUTABLE = "public, max-age=31536000, immutable"
_NO_STORE = {"Cache-Control": "no-store"}
_TRY_AGAIN = {"Retry-After": "60"}


class Front:
    """An ASGI callable for http, websocket and lifespan."""

    def __init__(self, host: Host, *, settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._lifecycle = Lifecycle(host)
        self._tickets = Tickets(lifetime_s=settings.session_token_expiration)
        self._static = self._new_static()
        self._followers = Followers(host)
        self._sockets: dict[Socket, asyncio.Task[Any]] = {}
        self._origins = tuple(map(pattern_of, settings.allow_websocket_origin))
        self._known_routes: Routes | None = None
        self._handlers: Mapping[Kind, Callable[[Scope, Route], Awaitable[Answer]]] = {
            Kind.PAGE: self._page,
            Kind.AUTOLOAD: self._autoload,
            Kind.METADATA: self._metadata,
            Kind.SOCKET: self._plain_get_of_socket,
            Kind.INDEX: self._index,
            Kind.ASSET: self._asset,
            Kind.SOURCE: self._source,
            Kind.FAVICON: self._favicon,
        }

    @property
    def host(self) -> Host:
        """Where the sessions live."""
        return self._host

    @property
    def static(self) -> StaticFiles:
        """What serves files."""
        return self._static

    @property
    def _routes(self) -> Routes:
        if self._known_routes is None:
            self._known_routes = Routes(self._host.apps, self._settings.prefix)
        return self._known_routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        serve = {"http": self._http, "websocket": self._websocket}.get(scope["type"])
        if serve is not None:
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
            await self._lifecycle.stop(self._close_sockets)
        finally:
            self._static.close()
            self._static = self._new_static()  # a front that is started again serves files again

    def _new_static(self) -> StaticFiles:
        return StaticFiles(fresh_s=0 if self._settings.dev else FRESH_S)

    async def _close_sockets(self) -> None:
        self._followers.close()
        for socket in self._sockets:
            socket.close(1001, "The server is shutting down")
        if self._sockets:
            await asyncio.wait(self._sockets.values(), timeout=_SHUTDOWN_GRACE_S)

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
        if not self._lifecycle.running and not await self._lifecycle.ready():
            await own_pages.error_page(503, headers={"Retry-After": "5"}).send(scope, send)
            return
        route = self._routes.resolve(scope["path"], scope.get("root_path", ""))
        if self._allows(route, scope["method"]) and (found := self._folder(route)) is not None:
            root, relative, packaged = found
            await self._static.respond(scope, receive, send, root, relative, follow_links=packaged)
            return
        answer = await self._answer(scope, route)
        await answer.send(scope, send)

    @staticmethod
    def _allows(route: Route, method: str) -> bool:
        return route.kind is Kind.NOTHING or method in route.methods

    async def _answer(self, scope: Scope, route: Route) -> Answer:
        home = None if self._settings.disable_index else route.up
        follow = route.app if self._settings.dev and route.kind is Kind.PAGE else None
        try:
            if not self._allows(route, scope["method"]):
                headers = {"Allow": ", ".join(route.methods)}
                if route.kind is Kind.AUTOLOAD:
                    headers |= cors_headers(scope, self._origins)
                return own_pages.error_page(405, headers=headers, home=home)
            handler = self._handlers.get(route.kind)
            return own_pages.error_page(404, home=home) if handler is None else await handler(scope, route)
        except CapacityError as error:
            words, _, detail = error.detail.partition(". ")
            return own_pages.error_page(error.status, detail, words=f"{words}.", headers=_TRY_AGAIN, follow=follow)
        except RemoteError as error:
            return own_pages.error_page(error.status, error.detail, home=home, follow=follow)
        except SessionGone:
            return own_pages.error_page(410, home=home, follow=follow)
        except Exception as error:
            words, error_id = _failure(error, scope["path"])
            if follow is not None:
                return own_pages.failure_page(_report(error), follow, error_id)
            return own_pages.error_page(500, words=words, error_id=error_id, home=home)

    async def _page(self, scope: Scope, route: Route) -> Answer:
        app = _app(route)
        ticket = self._ticket(scope)
        if scope["method"] == "HEAD":
            return Answer(headers=_NO_STORE)
        token = await self._open(scope, app, ticket)
        page = await self._host.page(app.url, ticket.session_id)
        return Answer(page.fill(token=token), headers=_NO_STORE)

    def _ticket(self, scope: Scope) -> Ticket:
        arguments = arguments_of(scope.get("query_string", b""))
        return self._tickets.of_page(arguments, header(scope, b"bokeh-session-id"))

    async def _open(self, scope: Scope, app: AppInfo, ticket: Ticket) -> str:
        """Find or create the session; the token to put into the page."""
        request = request_of(scope)
        if ticket.token is None:
            info = await self._host.open(OpenRequest(app.url, request, ticket.session_id))
            return self._mint(app, ticket, request, info.payload)
        if ticket.expired:
            return ticket.token  # it joins a session that lives; rendering its page tells whether it does
        request = with_payload(request, ticket.payload or {}, trusted=self._tickets.key is not None)
        await self._host.open(OpenRequest(app.url, request, ticket.session_id, ticket.payload))
        return ticket.token

    def _mint(self, app: AppInfo, ticket: Ticket, request: Request, payload: Mapping[str, Any]) -> str:
        try:
            return self._tickets.mint(ticket.session_id, request, payload)
        except (TypeError, ValueError) as error:
            raise BuildError(app.url, _logged(f"A token for {app.url}")) from error

    async def _autoload(self, scope: Scope, route: Route) -> Answer:
        headers = {**cors_headers(scope, self._origins), **_NO_STORE}
        if scope["method"] == "OPTIONS":
            return Answer(headers=headers, media_type="text/plain; charset=utf-8")
        arguments = arguments_of(scope.get("query_string", b""))
        element_id = last(arguments, "bokeh-autoload-element") or ""
        try:
            return await self._autoload_script(scope, _app(route), Embedding.of(arguments), headers)
        except (RemoteError, SessionGone) as error:
            status = error.status if isinstance(error, RemoteError) else 410
            if isinstance(error, CapacityError):
                headers |= _TRY_AGAIN
            if not element_id:
                return answers.text(str(error), status, headers)
            return error_script(element_id, str(error), status, headers)
        except Exception as error:
            words, error_id = _failure(error, scope["path"])
            told = _report(error).text if self._settings.dev else f"It has been logged as error {error_id}."
            return error_script(element_id, f"{words}\n{told}", 500, headers)

    async def _autoload_script(self, scope: Scope, app: AppInfo, embedding: Embedding,
                               headers: Mapping[str, str]) -> Answer:
        ticket = self._ticket(scope)
        if scope["method"] == "HEAD":
            return answers.script("", headers=headers)
        token = await self._open(scope, app, ticket)
        source = await self._host.autoload_script(
            app.url,
            ticket.session_id,
            element_id=embedding.element_id,
            app_path=embedding.app_path,
            absolute_url=embedding.absolute_url,
            token=token,
            resources=embedding.resources,
        )
        return answers.script(source, headers=headers)

    async def _metadata(self, scope: Scope, route: Route) -> Answer:
        app = _app(route)
        data = await self._host.metadata(app.url)
        return answers.json({"url": app.url, "data": {} if data is None else data}, _NO_STORE)

    async def _plain_get_of_socket(self, scope: Scope, route: Route) -> Answer:
        return answers.text('Can "Upgrade" only to "WebSocket".', 400)

    async def _index(self, scope: Scope, route: Route) -> Answer:
        if self._settings.disable_index:
            return own_pages.error_page(404)
        apps = list(self._host.apps.values())
        if len(apps) == 1 and not self._settings.disable_index_redirect:
            return own_pages.index_redirect(apps[0], scope["path"])
        return own_pages.index_page(apps, scope["path"], with_source=self._settings.show_source)

    async def _source(self, scope: Scope, route: Route) -> Answer:
        if not self._settings.show_source or route.app is None or route.app.source is None:
            raise RequestError("There is no source to be seen at this address", status=404)
        program = await asyncio.to_thread(source_text, Path(route.app.source))
        return await asyncio.to_thread(own_pages.source_page, route.app, program, route.up)

    async def _favicon(self, scope: Scope, route: Route) -> Answer:
        return own_pages.favicon()

    # -- files

    async def _asset(self, scope: Scope, route: Route) -> Answer:
        if route.rest == "page.js":
            return await self._page_script(scope)
        digest = route.rest.removeprefix("models/").removesuffix(".js")
        if route.rest != f"models/{digest}.js":
            return own_pages.error_page(404)
        try:
            source = await asyncio.to_thread(model_script, digest)  # node may have to run first
        except CompileError as error:
            return answers.script(f"console.error({script_json(str(error))});\n", 500, _NO_STORE)
        if source is None:
            return own_pages.error_page(404)
        return await self._script(scope, source.encode(), digest, {"Cache-Control": _IMMUTABLE})

    async def _page_script(self, scope: Scope) -> Answer:
        asset = page_script()
        asked = last(arguments_of(scope.get("query_string", b"")), "v")
        headers = {"Cache-Control": _IMMUTABLE if asked == asset.version else "no-cache"}
        return await self._script(scope, asset.body, asset.version, headers)

    async def _script(self, scope: Scope, body: bytes, version: str, headers: Mapping[str, str]) -> Answer:
        """A script of ours, compressed where the browser takes it; nothing if it has this version."""
        headers = {**headers, "Vary": "Accept-Encoding"}
        if matches(header(scope, b"if-none-match") or "", version):
            return Answer(b"", 304, answers.SCRIPT, {**headers, "ETag": f'"{version}"'})
        compressed = await self._static.encoded(body, header(scope, b"accept-encoding") or "")
        if compressed is None:
            return Answer(body, 200, answers.SCRIPT, {**headers, "ETag": f'"{version}"'})
        tag = f'"{version}-{compressed.encoding}{compressed.level}"'
        headers |= {"ETag": tag, "Content-Encoding": compressed.encoding}
        return Answer(compressed.body, 200, answers.SCRIPT, headers)

    def _folder(self, route: Route) -> tuple[Path, str, bool] | None:
        """The folder to serve the route's file from, the path in it, and whether a package manager owns it."""
        if route.kind is Kind.STATIC:
            return bokehjs_dir(), route.rest, True
        if route.kind is Kind.EXTENSION:
            name, _, relative = route.rest.partition("/")
            folder = extension_dir(name)
            return None if folder is None else (folder, relative, True)
        if route.kind is Kind.THUMBNAIL and route.app is not None and route.app.thumbnail is not None:
            picture = Path(route.app.thumbnail)
            return picture.parent, picture.name, False
        if route.kind is not Kind.APP_STATIC:
            return None
        own = _app(route).static_dir
        if own is not None and _is_file(own, route.rest):
            return Path(own), route.rest, False
        if route.rest.startswith("extensions/"):
            return self._folder(Route(Kind.EXTENSION, rest=route.rest.removeprefix("extensions/")))
        return bokehjs_dir(), route.rest, True

    # -- websockets

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if not self._lifecycle.running and not await self._lifecycle.ready():
            await refuse_text(scope, send, "The server is shutting down", 503)
            return
        route = self._routes.resolve(scope["path"], scope.get("root_path", ""))
        follows = self._settings.dev and route.kind is Kind.ASSET and route.rest == "dev"
        if route.kind is not Kind.SOCKET and not follows:
            await refuse_text(scope, send, "There is no app at this address", 404)
        elif not self._admits(scope):
            await refuse_text(scope, send, "Cross origin websockets not allowed", 403)
        elif follows:
            await self._followers.serve(scope, receive, send)
        else:
            await self._serve_socket(scope, receive, send, _app(route).url)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send, app: str) -> None:
        socket = Socket(scope, receive, send, app=app, host=self._host, tickets=self._tickets,
                        max_message_bytes=self._settings.websocket_max_message_size,
                        keep_alive_s=self._settings.keep_alive_milliseconds / 1000)
        task = asyncio.current_task()
        assert task is not None
        self._sockets[socket] = task
        try:
            await socket.run()
        finally:
            del self._sockets[socket]

    def _admits(self, scope: Scope) -> bool:
        origin = header(scope, b"origin")
        if origin is None:
            return True  # no browser: Python clients send none
        own = same_origin_socket(
            origin,
            host=header(scope, b"host"),
            forwarded_host=header(scope, b"x-forwarded-host"),
            fetch_site=header(scope, b"sec-fetch-site"),
        )
        if own or allowed(origin, self._origins):
            return True
        name = host_of(origin) or origin
        _log.error("Refusing websocket connection from Origin %r; use --allow-websocket-origin=%r or set "
                   "BOKEH_ALLOW_WS_ORIGIN=%r to permit this; the request was sent to Host %r",
                   origin, name, name, header(scope, b"host"))
        return False


def _app(route: Route) -> AppInfo:
    if route.app is None:
        raise RequestError("There is no app at this address", status=404)
    return route.app


def _failure(error: Exception, path: str) -> tuple[str, str]:
    """What to tell the viewer of a failure that is not the viewer's, and the id under which it stands in the log."""
    match error:
        case BuildError(error_id=error_id):  # logged by the host, with the app's own traceback
            return "This app failed to build its page.", error_id
        case CompileError():
            return "This app failed to build its page.", _logged(path)
    return "Something went wrong on the server.", _logged(path)


def _report(error: Exception) -> Report:
    """What dev mode says of an error."""
    return getattr(error, "report", None) or describe(error.__cause__ or error)


def _logged(what: str) -> str:
    """Log the exception at hand under a new id."""
    error_id = secrets.token_hex(4)
    _log.exception("%r failed (error %s)", what, error_id)
    return error_id


def _is_file(root: str, relative: str) -> bool:
    # Only chooses between two folders; whether the file may be served is for StaticFiles to say.
    try:
        return Path(root, relative.lstrip("/")).is_file()
    except (OSError, ValueError):
        return False

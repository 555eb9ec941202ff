"""Runs Tornado's ``RequestHandler`` classes on ASGI, by Tornado's own code with a connection of ours.

Imported only for modules that need it. A method that is not async runs on a thread, so that it does not block the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.web import Application, HTTPError, RequestHandler

from ...base.errors import RequestError
from ...http.paths import uri_of
from ...http.responses import raw_response
from ..calls import Calls, runs_on_loop

_SERVER_HEADERS = frozenset({"server", "date", "connection", "transfer-encoding"})


class TornadoSite:
    """The ``application`` of Tornado's handlers; runs them."""

    def __init__(self, calls: Calls, *, prefix: str = "", cookie_secret: str | None = None, xsrf: bool = False,
                 login_url: str | None = None) -> None:
        self._calls = calls
        self._application = Application(
            [],
            cookie_secret=cookie_secret,
            xsrf_cookies=xsrf,
            login_url=None if login_url is None else prefix + login_url,
            log_function=lambda handler: None,  # it would log URLs, which may contain passwords
        )
        self._application.prefix = prefix  # type: ignore[attr-defined]  # stock's has one

    async def ask(self, calls: Calls, function: Callable[..., Any],
                  connection: HTTPConnection) -> tuple[Any, list[str]]:
        """Call a function with a handler, such as ``get_user``. Returns its result and the cookies that it set."""
        handler = _ReadOnlyHandler(self._application, _request(connection, b""))
        try:
            result = await calls.run(function, handler)
        except HTTPError as error:
            raise RequestError(error.reason or "The login was refused", status=error.status_code) from error
        return result, handler.new_cookies

    async def respond(self, handler_class: type[RequestHandler], request: Request) -> Response:
        """Run a handler and return its response. Raises its exception, unless it shows its errors itself."""
        asked = _request(request, await request.body())
        connection = asked.connection
        assert isinstance(connection, _Connection)
        handler = handler_class(self._application, asked)
        failures = _collect_failures(handler)
        self._move_to_threads(handler, asked.method or "GET")
        await self._calls.run(handler._execute, [])  # noqa: SLF001 - so that our task owns the handler
        if failures:
            raise failures[0]
        return connection.response()

    def _move_to_threads(self, handler: RequestHandler, method: str) -> None:
        """Let the next call of ``prepare`` and of the method, Tornado's own, run on a thread.

        Later calls are the handler's calls of itself; they run where they are made.
        """
        for name in {"prepare", method.lower() if method in handler.SUPPORTED_METHODS else "prepare"}:
            function = getattr(handler, name)
            if runs_on_loop(function) or getattr(type(handler), name) is getattr(RequestHandler, name):
                continue

            def once(*args: Any, _name: str = name, _function: Callable[..., Any] = function, **kwargs: Any) -> Any:
                delattr(handler, _name)
                return self._calls.unlimited(lambda: _function(*args, **kwargs))

            setattr(handler, name, once)


class _ReadOnlyHandler(RequestHandler):
    """The handler for ``get_user``, which reads the request and may set cookies."""

    @property
    def new_cookies(self) -> list[str]:
        """The values of ``Set-Cookie``."""
        cookies = [cookie.OutputString(None) for cookie in getattr(self, "_new_cookie", {}).values()]
        return [*cookies, *self._headers.get_list("Set-Cookie")]


class _Connection:
    """Collects Tornado's response until it is complete."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.stream = None
        self._loop = asyncio.get_running_loop()
        self._status = 0
        self._headers = HTTPHeaders()
        self._body = bytearray()

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Ignore the callback: a response is collected whole, so a client can't disconnect in between."""

    def write_headers(self, start_line: ResponseStartLine, headers: HTTPHeaders,
                      chunk: bytes | None = None) -> asyncio.Future[None]:
        """Start the response."""
        self._status, self._headers = start_line.code, headers
        return self.write(chunk or b"")

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Add to the response's body."""
        self._body += chunk
        done: asyncio.Future[None] = self._loop.create_future()
        done.set_result(None)
        return done

    def finish(self) -> None:
        """Do nothing: ``response`` is called next."""

    def response(self) -> Response:
        """The collected response. Raises ``RuntimeError`` if there is none."""
        if not self._status:
            raise RuntimeError("the handler sent no response")
        headers = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers.get_all()
                   if name.lower() not in _SERVER_HEADERS)
        return raw_response(self._status, headers, self._body)


def _request(connection: HTTPConnection, body: bytes) -> HTTPServerRequest:
    scope = connection.scope
    try:
        headers = HTTPHeaders()
        for name, value in scope["headers"]:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        client = scope.get("client")
        protocol = "https" if scope.get("scheme") in ("https", "wss") else "http"
        context = SimpleNamespace(remote_ip=client[0] if client else "", protocol=protocol)
        start = RequestStartLine(scope.get("method", "GET"), uri_of(scope), f"HTTP/{scope.get('http_version', '1.1')}")
        return HTTPServerRequest(connection=_Connection(context), headers=headers, body=body,  # type: ignore[arg-type]
                                 start_line=start)
    except HTTPInputError as error:
        raise RequestError(str(error)) from error


def _collect_failures(handler: RequestHandler) -> list[BaseException]:
    """A list that will get the handler's exceptions other than HTTPError, so that the front can respond to them.

    It stays empty for a handler that shows or logs its errors itself.
    """
    failures: list[BaseException] = []
    kind = type(handler)
    if kind.write_error is not RequestHandler.write_error or kind.log_exception is not RequestHandler.log_exception:
        return failures
    log_exception = handler.log_exception

    def keep(kind: Any, value: BaseException | None, trace: Any) -> None:
        if value is None or isinstance(value, HTTPError):
            log_exception(kind, value, trace)
        else:
            failures.append(value)

    handler.log_exception = keep  # type: ignore[assignment,method-assign]
    return failures

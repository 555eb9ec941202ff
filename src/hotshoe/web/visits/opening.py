"""Opens sessions for pages, embed scripts and websockets, by one call to the host for each."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ...base.errors import BuildError, CompileError, InternalError, Report, RequestError, SessionGone
from ...base.logs import PacedLog, origin_of
from ...base.tracebacks import describe
from ...base.users import user_name
from ...hosts.host import AppInfo, Attachment, Host, OpenRequest, View
from ...http.requests import Disclosure, Request, arguments_of, header, is_local_script, request_of, with_payload
from ...http.scopes import Scope
from ...pages.page import Page
from .capacity import Capacity
from .tickets import Ticket, Tickets, bearer_of

_T = TypeVar("_T")
_log = PacedLog(logging.getLogger(__name__), most=20)

_UNSIGNED = ("This session id is not signed by the server, so it can't create a session: give this program the "
             "server's BOKEH_SECRET_KEY, or start the server with --session-ids=unsigned")


@dataclass(frozen=True, slots=True)
class Shown:
    """A session's page or script, and the token that goes into it."""

    token: str
    page: Page


class Opener:
    """Finds or creates the sessions that requests and websockets ask for, within the front's limits."""

    def __init__(self, host: Host, tickets: Tickets, disclosure: Disclosure, capacity: Capacity) -> None:
        self._host = host
        self._tickets = tickets
        self._disclosure = disclosure
        self._capacity = capacity

    def ticket(self, scope: Scope) -> Ticket:
        """The ticket of a page's request. Raises ``RequestError``, ``TokenError``."""
        arguments = arguments_of(scope.get("query_string", b""))
        return self._tickets.of_page(arguments, header(scope, b"bokeh-session-id"))

    def ticket_of(self, token: str) -> Ticket:
        """The ticket of a websocket's token. Raises ``TokenError``."""
        return self._tickets.of_token(token)

    async def show(self, scope: Scope, app: AppInfo, ticket: Ticket, view: View,
                   headers: Mapping[str, str] | None = None) -> Shown:
        """Find or create a page's session, and render it. Raises ``CapacityError`` and the errors of ``Host.open``.

        ``headers`` are those that an embedding page has set; its websocket can't send them again.
        """
        open_request = await self._open_request(scope, app.url, ticket, may_create=ticket.may_create, view=view)
        try:
            opened = await self._within_limits(self._host.open, open_request)
        except SessionGone:
            if ticket.unsigned_id:
                raise RequestError(_UNSIGNED, status=403) from None
            raise
        token = ticket.token or await self._mint(app, ticket, open_request.request, opened.payload, headers)
        assert opened.page is not None
        return Shown(token, opened.page)

    async def show_again(self, scope: Scope, app: AppInfo, ticket: Ticket, view: View, shown: Shown) -> Shown:
        """Render a session again in its current state. Raises ``SessionGone`` if it has ended."""
        opened = await self._host.open(await self._open_request(scope, app.url, ticket, may_create=False, view=view))
        assert opened.page is not None
        return replace(shown, page=opened.page)

    async def attach(self, scope: Scope, app: str, ticket: Ticket) -> Attachment:
        """Find or create a websocket's session, and subscribe to it. Raises like ``show``."""
        may_create = ticket.may_create or (not ticket.expired and is_local_script(scope))
        try:
            return await self._within_limits(
                self._host.attach, await self._open_request(scope, app, ticket, may_create=may_create))
        except SessionGone:
            if may_create:
                raise
            if ticket.unsigned_id:
                raise RequestError(_UNSIGNED, status=403) from None
            raise RequestError("Token is expired, and its session has ended") from None

    async def _within_limits(self, open_session: Callable[[OpenRequest], Awaitable[_T]],
                             open_request: OpenRequest) -> _T:
        if not open_request.may_create:
            return await open_session(open_request)
        with self._capacity.opening(open_request.app, open_request.session_id, open_request.request):
            return await open_session(open_request)

    async def _open_request(self, scope: Scope, app: str, ticket: Ticket, *, may_create: bool,
              view: View | None = None) -> OpenRequest:
        if ticket.token is None:
            return OpenRequest(app, self._disclosure.of(scope), ticket.session_id, None, may_create, view)
        ticket = await self._tickets.with_parked(ticket)
        carried, is_lost = ticket.payload or {}, ticket.payload_lost
        if ticket.issued_for not in (None, bearer_of(app, user_name(scope.get("user")))):
            carried, is_lost = {"arguments": carried.get("arguments")}, True
        request = self._disclosure.limit(with_payload(request_of(scope), carried))
        return OpenRequest(app, request, ticket.session_id, None if is_lost else carried, may_create, view)

    async def _mint(self, app: AppInfo, ticket: Ticket, request: Request, payload: Mapping[str, Any],
              headers: Mapping[str, str] | None) -> str:
        bearer = bearer_of(app.url, user_name(request.user))
        # A token can be read in the browser, so it leaves out the headers that are hidden from apps, too.
        seen = {name: value for name, value in (headers or {}).items() if name in request.headers}
        try:
            return await self._tickets.mint(ticket.session_id, request, payload, seen, bearer=bearer)
        except (TypeError, ValueError) as error:
            raise BuildError(app.url, log_failure(f"A token for {app.url}")) from error


def log_error(error: Exception, path: str) -> tuple[str, str]:
    """Log an error, unless the host has logged it. Returns a sentence for the user, and the id of the log line."""
    match error:
        case BuildError(error_id=error_id):  # logged by the host, with the app's own traceback
            return "This app failed to build its page.", error_id
        case CompileError():
            return "This app failed to build its page.", log_failure(path)
        case InternalError(error_id=error_id):
            return "Something went wrong on the server.", error_id
    return "Something went wrong on the server.", log_failure(path)


def report_of(error: Exception) -> Report:
    """The report of an error for dev mode."""
    return getattr(error, "report", None) or describe(error.__cause__ or error)


def log_failure(what: str) -> str:
    """Log the current exception, and return the id of the log line. A frequent exception is not logged every time."""
    error_id = secrets.token_hex(4)
    _log.error("%r failed (error %s)", what, error_id, kind=origin_of(sys.exception()), exc_info=True)
    return error_id

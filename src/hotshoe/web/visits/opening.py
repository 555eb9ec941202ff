"""Opens sessions for pages, embed scripts and websockets, by one call to the host for each."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from ...base.errors import BuildError, CompileError, InternalError, RemoteError, Report, RequestError, SessionGone
from ...base.logs import PacedLog, origin_of
from ...base.tracebacks import describe
from ...base.users import user_name
from ...hosts.host import AppInfo, Attachment, Host, OpenRequest, View
from ...http.requests import Disclosure, Request, arguments_of, header, is_local_script, request_of, with_payload
from ...http.scopes import Scope
from ...pages.page import Page
from .capacity import Capacity
from .tickets import Ticket, TicketOffice, bearer_of

_T = TypeVar("_T")
_log = PacedLog(logging.getLogger(__name__), most=20)

_HANDSHAKE_BYTES = 256
"""A websocket's request has so many bytes of headers that its page's request does not have, beside the token."""
_UNSIGNED = ("The server has not signed this session id or token, so it makes no session: give this program its "
             "BOKEH_SECRET_KEY, or start the server with --session-ids=unsigned")


@dataclass(frozen=True, slots=True)
class Shown:
    """A session's page or script, and the token that goes into it."""

    token: str
    page: Page


class Opener:
    """Finds or creates the sessions that requests and websockets ask for, within the front's limits."""

    def __init__(self, host: Host, office: TicketOffice, disclosure: Disclosure, capacity: Capacity,
                 max_head_bytes: int) -> None:
        self._host = host
        self._office = office
        self._disclosure = disclosure
        self._capacity = capacity
        self._max_head_bytes = max_head_bytes

    def ticket(self, scope: Scope, app: AppInfo, headers: Mapping[str, str] = {}) -> Ticket:
        """The ticket of a page's request. Raises ``RequestError``, ``TokenError``.

        ``headers`` are those that an embedding page has set. A page whose websocket could not be opened is refused
        here, before anything is built: its token carries arguments and headers, and must fit into the head of the
        websocket's request, beside the headers and cookies that this request has.
        """
        query = scope.get("query_string", b"")
        arguments = arguments_of(query)
        tickets = self._office.tickets(scope, app)
        ticket = tickets.of_page(arguments, header(scope, b"bokeh-session-id"))
        if ticket.token is None:
            head_bytes = sum([len(name) + len(value) + 4 for name, value in scope["headers"]])
            most_chars = self._max_head_bytes - head_bytes - _HANDSHAKE_BYTES
            if not tickets.fits(ticket.session_id, arguments, headers, most_chars):
                if len(query) > head_bytes:
                    raise RequestError("The address has too many arguments, or too long ones.", status=414)
                raise RequestError("The request's headers and cookies are too large.", status=431)
        return ticket

    def ticket_of(self, scope: Scope, app: AppInfo, token: str) -> Ticket:
        """The ticket of a websocket's token. Raises ``TokenError``."""
        return self._office.tickets(scope, app).of_token(token)

    def page_query(self, scope: Scope, app: AppInfo, token: str) -> bytes:
        """The query of the page that has the token: the arguments that the app would see at this websocket."""
        carried: Mapping[str, Any] = {}
        with suppress(RemoteError):  # it is refused later
            carried = self.ticket_of(scope, app, token).payload or {}
        return urlencode(with_payload(request_of(scope), carried).arguments, doseq=True).encode()

    async def show(self, scope: Scope, app: AppInfo, ticket: Ticket, view: View,
                   headers: Mapping[str, str] | None = None) -> Shown:
        """Find or create a page's session, and render it. Raises ``CapacityError`` and the errors of ``Host.open``.

        ``headers`` are those that an embedding page has set; its websocket can't send them again.
        """
        open_request = await self._open_request(scope, app, ticket, may_create=ticket.may_create, view=view)
        try:
            opened = await self._within_limits(self._host.open, open_request)
        except SessionGone:
            if ticket.unsigned_id:
                raise RequestError(_UNSIGNED, status=403) from None
            raise
        token = ticket.token or await self._mint(scope, app, ticket, open_request.request, opened.payload, headers)
        assert opened.page is not None
        return Shown(token, opened.page)

    async def show_again(self, scope: Scope, app: AppInfo, ticket: Ticket, view: View, shown: Shown) -> Shown:
        """Render a session again in its current state. Raises ``SessionGone`` if it has ended."""
        opened = await self._host.open(await self._open_request(scope, app, ticket, may_create=False, view=view))
        assert opened.page is not None
        return replace(shown, page=opened.page)

    async def attach(self, scope: Scope, app: AppInfo, ticket: Ticket) -> Attachment:
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

    async def _open_request(self, scope: Scope, app: AppInfo, ticket: Ticket, *, may_create: bool,
              view: View | None = None) -> OpenRequest:
        if ticket.token is None:
            return OpenRequest(app.url, self._disclosure.of(scope), ticket.session_id, None, may_create, view)
        ticket = await self._office.tickets(scope, app).with_parked(ticket)
        carried, is_lost = ticket.payload or {}, ticket.payload_lost
        if ticket.issued_for not in (None, bearer_of(app.url, user_name(scope.get("user")))):
            carried, is_lost = {"arguments": carried.get("arguments")}, True
        request = self._disclosure.limit(with_payload(request_of(scope), carried))
        return OpenRequest(app.url, request, ticket.session_id, None if is_lost else carried, may_create, view)

    async def _mint(self, scope: Scope, app: AppInfo, ticket: Ticket, request: Request, payload: Mapping[str, Any],
              headers: Mapping[str, str] | None) -> str:
        bearer = bearer_of(app.url, user_name(request.user))
        # A token can be read in the browser, so it leaves out the headers that are hidden from apps, too.
        seen = {name: value for name, value in (headers or {}).items() if name in request.headers}
        try:
            tickets = self._office.tickets(scope, app)
            return await tickets.mint(ticket.session_id, request, payload, seen, bearer=bearer)
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

"""From a request, or a socket's handshake, to the session that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..apps.request import Request
from ..errors import AccessError, BuildError, RequestError, SessionGone
from ..hosts.host import AppInfo, Attachment, Host, OpenRequest
from ..sessions.failures import user_name
from .answers import Scope
from .disclosure import Disclosure
from .failures import logged
from .requests import arguments_of, header, is_local_script, request_of, with_payload
from .tickets import Ticket, Tickets, bearer_of


class Visits:
    """Finds or creates the sessions that pages, embedding scripts and sockets are about."""

    def __init__(self, host: Host, tickets: Tickets, disclosure: Disclosure) -> None:
        self._host = host
        self._tickets = tickets
        self._disclosure = disclosure

    def ticket(self, scope: Scope) -> Ticket:
        """Which session a page's request asks for. Raises ``RequestError``, ``TokenError``."""
        arguments = arguments_of(scope.get("query_string", b""))
        return self._tickets.of_page(arguments, header(scope, b"bokeh-session-id"))

    def ticket_of(self, token: str) -> Ticket:
        """Which session a socket's token asks for. Raises ``TokenError``."""
        return self._tickets.of_token(token)

    async def open(self, scope: Scope, app: AppInfo, ticket: Ticket, headers: Mapping[str, str] | None = None) -> str:
        """Find or create a page's session; the token to put into the page. Raises as ``Host.open``.

        A ticket that may only join creates nothing: rendering the page tells whether its session lives. ``headers``
        are those that an embedder has set, which the socket can't bring again.
        """
        if ticket.token is not None:
            if not ticket.expired and not ticket.brought:
                await self._create(scope, app.url, ticket)
            await self._check_owner(scope, app.url, ticket)
            return ticket.token
        request = self._disclosure.of(scope)
        if ticket.brought:
            await self._check_owner(scope, app.url, ticket)
            return self._mint(app, ticket, request, {}, headers)
        info = await self._host.open(OpenRequest(app.url, request, ticket.session_id))
        await self._check_owner(scope, app.url, ticket)
        return self._mint(app, ticket, request, info.payload, headers)

    async def attach(self, scope: Scope, app: str, ticket: Ticket) -> Attachment:
        """Find or create a socket's session, and subscribe to it. Raises as ``Host.open`` and ``Host.attach``."""
        if not ticket.expired and (not ticket.brought or is_local_script(scope)):
            await self._create(scope, app, ticket)
            await self._check_owner(scope, app, ticket)
            return await self._host.attach(app, ticket.session_id)
        await self._check_owner(scope, app, ticket)
        try:
            with ticket.joining():
                return await self._host.attach(app, ticket.session_id)
        except SessionGone:
            raise RequestError("Token is expired, and its session has ended") from None

    async def _check_owner(self, scope: Scope, app: str, ticket: Ticket) -> None:
        """Raise ``AccessError`` if another user made the session: who has its id, or a token, is not yet them."""
        owner = await self._host.owner(app, ticket.session_id)
        if owner is not None and owner != user_name(scope.get("user")):
            raise AccessError("This session belongs to another user")

    async def _create(self, scope: Scope, app: str, ticket: Ticket) -> None:
        carried, is_lost = ticket.payload or {}, ticket.lost
        if ticket.bearer not in (None, bearer_of(app, user_name(scope.get("user")))):
            carried, is_lost = {"arguments": carried.get("arguments")}, True
        request = self._disclosure.limit(with_payload(request_of(scope), carried))
        await self._host.open(OpenRequest(app, request, ticket.session_id, None if is_lost else carried))

    def _mint(self, app: AppInfo, ticket: Ticket, request: Request, payload: Mapping[str, Any],
              headers: Mapping[str, str] | None) -> str:
        bearer = bearer_of(app.url, user_name(request.user))
        # What the app does not get to see is nothing that the browser should read, either.
        seen = {name: value for name, value in (headers or {}).items() if name in request.headers}
        try:
            return self._tickets.mint(ticket.session_id, request, payload, seen, bearer=bearer)
        except (TypeError, ValueError) as error:
            raise BuildError(app.url, logged(f"A token for {app.url}")) from error

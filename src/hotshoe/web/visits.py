"""From a request for a page to the session that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..apps.request import Request
from ..errors import BuildError
from ..hosts.host import AppInfo, Host, OpenRequest
from .answers import Scope
from .mishaps import logged
from .requests import arguments_of, header, request_of, with_payload
from .tickets import Ticket, Tickets


class Visits:
    """Finds or creates the sessions that pages and embedding scripts are about."""

    def __init__(self, host: Host, tickets: Tickets) -> None:
        self._host = host
        self._tickets = tickets

    def ticket(self, scope: Scope) -> Ticket:
        """Which session the request asks for. Raises ``RequestError``, ``TokenError``."""
        arguments = arguments_of(scope.get("query_string", b""))
        return self._tickets.of_page(arguments, header(scope, b"bokeh-session-id"))

    async def open(self, scope: Scope, app: AppInfo, ticket: Ticket) -> str:
        """Find or create the session; the token to put into the page. Raises as ``Host.open``."""
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
            raise BuildError(app.url, logged(f"A token for {app.url}")) from error

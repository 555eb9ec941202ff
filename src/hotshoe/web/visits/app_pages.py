"""The responses of an app: its page, the script that embeds it, its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ...base.counters import Counters, Refusal
from ...base.errors import CapacityError, LoginError, RemoteError, RequestError, SessionGone
from ...base.shared import Shared
from ...config import Settings
from ...hosts.host import AppInfo, AsPage, AsScript, Host, View
from ...http import responses
from ...http.requests import header, is_browser
from ...http.responses import NO_STORE, TRY_AGAIN
from ...http.scopes import Scope
from .. import own_pages
from ..gate.gatekeeper import Gatekeeper
from ..gate.headers import PagePolicy
from ..gate.origins import Origins
from ..routes import Route
from .autoload_requests import Embedding, Notice, cors_headers, embedder_headers, refusal, starting_answer
from .opening import Opener, Shown, log_error, report_of
from .starting import Starts, retry_query
from .tickets import Ticket


class AppAnswers:
    """The responses that need a session or the app."""

    def __init__(self, host: Host, settings: Settings, opener: Opener, origins: Origins,
                 gate: Gatekeeper, shared: Shared, counters: Counters) -> None:
        self._host = host
        self._counters = counters
        self._settings = settings
        self._opener = opener
        self._origins = origins
        self._gate = gate
        self._policy = PagePolicy(settings)
        self._starts = Starts(shared)

    def close(self) -> None:
        """Forget the sessions that are starting."""
        self._starts.close()

    async def page(self, scope: Scope, route: Route) -> Response:
        """A session's document as a page. HEAD creates no session, but waits for one that is starting."""
        app = route.served_app
        ticket = self._opener.ticket(scope, app)
        if scope["method"] == "HEAD":
            is_there = await self._starts.wait_until_known(scope, app.url, ticket)
            return HTMLResponse(status_code=200 if is_there else 202, headers=NO_STORE)
        shown = await self._show(scope, app, ticket, AsPage(), {}, patient=not is_browser(scope))
        if shown is None:
            return own_pages.starting_page(app, retry_query(scope, ticket))
        nonce, policy = self._policy.new()
        return HTMLResponse(shown.page.fill(token=shown.token, nonce=nonce), headers={**NO_STORE, **policy})

    async def _show(self, scope: Scope, app: AppInfo, ticket: Ticket, view: View, sent: Mapping[str, str], *,
                    patient: bool) -> Shown | None:
        opener = self._opener
        return await self._starts.show(
            scope, app.url, ticket, view, partial(opener.show, scope, app, ticket, view, sent),
            partial(opener.show_again, scope, app, ticket, view), patient=patient)

    async def autoload(self, scope: Scope, route: Route) -> Response:
        """The script that embeds a session, or its plan. An error is shown where the app would be."""
        headers = {**cors_headers(scope, self._origins), **NO_STORE}
        if scope["method"] == "OPTIONS":
            return PlainTextResponse(headers=headers)
        embedding = Embedding.of(scope)
        is_admitted = False
        try:
            app = route.served_app
            if notice := refusal(scope, embedding, self._origins):
                self._counters.refuse(Refusal.ORIGIN)
                return notice.answer(scope, embedding, 403, headers)
            with self._counters.count_refusals():
                scope = await self._gate.enter(scope, route)
                is_admitted = True
                return await self._embedded(scope, app, embedding, headers)
        except LoginError as error:
            notice = Notice("This app asks you to log in.", login=error.place or "")
            return notice.answer(scope, embedding, error.status, headers)
        except (RemoteError, SessionGone) as error:
            status = error.status if isinstance(error, RemoteError) else 410
            if isinstance(error, CapacityError):
                headers |= TRY_AGAIN
            return Notice(str(error)).answer(scope, embedding, status, headers)
        except Exception as error:
            words, error_id = log_error(error, scope["path"])
            traceback = report_of(error).text if self._settings.dev and is_admitted else ""
            return Notice(words, traceback, error_id).answer(scope, embedding, 500, headers)

    async def _embedded(self, scope: Scope, app: AppInfo, embedding: Embedding, headers: Mapping[str, str]) -> Response:
        if not embedding.element_id and not embedding.as_plan:
            raise RequestError("No bokeh-autoload-element query parameter")
        sent = embedder_headers(scope)
        ticket = self._opener.ticket(scope, app, sent)
        if scope["method"] == "HEAD":
            return responses.script("", headers=headers)
        # bokeh's script does not tell which headers its page has set, so our script could not send them again.
        patient = not embedding.as_plan and (bool(sent) or header(scope, b"authorization") is not None)
        view = AsScript(None if embedding.as_plan else embedding.element_id, embedding.app_path, embedding.absolute_url,
                        embedding.resources)
        shown = await self._show(scope, app, ticket, view, sent, patient=patient)
        if shown is None:
            return starting_answer(scope, embedding, retry_query(scope, ticket), headers)
        source = shown.page.fill(token=shown.token)
        if embedding.as_plan:
            return Response(source, media_type="application/json", headers=headers)
        return responses.script(source, headers=headers)

    async def metadata(self, scope: Scope, route: Route) -> Response:
        """The app's metadata as JSON."""
        app = route.served_app
        data = await self._host.metadata(app.url)
        return responses.json({"url": app.url, "data": {} if data is None else data}, headers=NO_STORE)

    async def plain_get_of_socket(self, scope: Scope, route: Route) -> Response:
        """The response to a browser that opens the websocket's address."""
        return PlainTextResponse('Can "Upgrade" only to "WebSocket".', 400)

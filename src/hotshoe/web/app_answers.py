"""What an app answers: its page, the script that embeds it, its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..config import Settings
from ..errors import CapacityError, LoginError, RemoteError, RequestError, SessionGone
from ..hosts.host import AppInfo, Host
from . import answers, own_pages
from .answers import NO_STORE, TRY_AGAIN, Answer, Scope
from .autoload import Embedding, Notice, cors_headers, embedder_headers, refusal, starting_answer
from .failures import failure_of, report_of
from .gatekeeper import Gatekeeper
from .headers import PagePolicy
from .origins import Origins
from .requests import header, is_browser
from .routes import Route
from .starting import Starts, again
from .tickets import Ticket
from .visits import Visits


class AppAnswers:
    """The answers that need a session, or the app itself."""

    def __init__(self, host: Host, settings: Settings, visits: Visits, origins: Origins,
                 gate: Gatekeeper) -> None:
        self._host = host
        self._settings = settings
        self._visits = visits
        self._origins = origins
        self._gate = gate
        self._policy = PagePolicy(settings)
        self._starts = Starts()

    def close(self) -> None:
        """Forget the sessions that are being built."""
        self._starts.close()

    async def page(self, scope: Scope, route: Route) -> Answer:
        """The document of a session as a page. HEAD creates none; asked again for one, it tells when that is there."""
        app = app_of(route)
        ticket = self._visits.ticket(scope)
        if scope["method"] == "HEAD":
            is_there = await self._starts.until_known(scope, app.url, ticket)
            return Answer(status=200 if is_there else 202, headers=NO_STORE)
        answer = await self._starts.answer(
            scope, app.url, ticket, partial(self._visits.open, scope, app, ticket), partial(self._page, app, ticket),
            patient=not is_browser(scope))
        return own_pages.starting_page(app, again(scope, ticket)) if answer is None else answer

    async def _page(self, app: AppInfo, ticket: Ticket, token: str) -> Answer:
        with ticket.joining():
            page = await self._host.page(app.url, ticket.session_id)
        nonce, policy = self._policy.new()
        return Answer(page.fill(token=token, nonce=nonce), headers={**NO_STORE, **policy})

    async def autoload(self, scope: Scope, route: Route) -> Answer:
        """The script that embeds a session, or its plan; what goes wrong is shown where the app would stand."""
        headers = {**cors_headers(scope, self._origins), **NO_STORE}
        if scope["method"] == "OPTIONS":
            return Answer(headers=headers, media_type="text/plain; charset=utf-8")
        embedding = Embedding.of(scope)
        try:
            app = app_of(route)
            if notice := refusal(scope, embedding, self._origins):
                return notice.answer(scope, embedding, 403, headers)
            scope = await self._gate.enter(scope, route)
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
            words, error_id = failure_of(error, scope["path"])
            told = report_of(error).text if self._settings.dev else ""
            return Notice(words, told, error_id).answer(scope, embedding, 500, headers)

    async def _embedded(self, scope: Scope, app: AppInfo, embedding: Embedding, headers: Mapping[str, str]) -> Answer:
        if not embedding.element_id and not embedding.as_plan:
            raise RequestError("No bokeh-autoload-element query parameter")
        ticket = self._visits.ticket(scope)
        if scope["method"] == "HEAD":
            return answers.script("", headers=headers)
        sent = embedder_headers(scope)
        # What a script of bokeh's is asked to send, it does not tell us, so that we could not send it again.
        patient = not embedding.as_plan and (bool(sent) or header(scope, b"authorization") is not None)
        answer = await self._starts.answer(
            scope, app.url, ticket, partial(self._visits.open, scope, app, ticket, sent),
            partial(self._embed, app, ticket, embedding, headers), patient=patient)
        return starting_answer(scope, embedding, again(scope, ticket), headers) if answer is None else answer

    async def _embed(self, app: AppInfo, ticket: Ticket, embedding: Embedding, headers: Mapping[str, str],
                     token: str) -> Answer:
        with ticket.joining():
            source = await self._host.autoload_script(
                app.url,
                ticket.session_id,
                element_id=None if embedding.as_plan else embedding.element_id,
                app_path=embedding.app_path,
                absolute_url=embedding.absolute_url,
                token=token,
                resources=embedding.resources,
            )
        if embedding.as_plan:
            return Answer(source.encode(), media_type="application/json", headers=headers)
        return answers.script(source, headers=headers)

    async def metadata(self, scope: Scope, route: Route) -> Answer:
        """The app's metadata as JSON."""
        app = app_of(route)
        data = await self._host.metadata(app.url)
        return answers.json({"url": app.url, "data": {} if data is None else data}, NO_STORE)

    async def plain_get_of_socket(self, scope: Scope, route: Route) -> Answer:
        """What the websocket's address says to a browser that visits it."""
        return answers.text('Can "Upgrade" only to "WebSocket".', 400)


def app_of(route: Route) -> AppInfo:
    """The route's app. Raises ``RequestError`` if it has none."""
    if route.app is None:
        raise RequestError("There is no app at this address", status=404)
    return route.app

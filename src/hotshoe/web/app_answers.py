"""What an app answers: its page, the script that embeds it, its metadata."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Settings
from ..errors import CapacityError, RemoteError, RequestError, SessionGone
from ..hosts.host import AppInfo, Host
from . import answers
from .answers import NO_STORE, TRY_AGAIN, Answer, Scope
from .autoload import Embedding, cors_headers, error_script
from .mishaps import failure_of, report_of
from .origins import Origins
from .requests import arguments_of, last
from .routes import Route
from .visits import Visits


class AppAnswers:
    """The answers that need a session, or the app itself."""

    def __init__(self, host: Host, settings: Settings, visits: Visits, origins: Origins) -> None:
        self._host = host
        self._settings = settings
        self._visits = visits
        self._origins = origins

    async def page(self, scope: Scope, route: Route) -> Answer:
        """The document of a session as a page. HEAD creates none."""
        app = app_of(route)
        ticket = self._visits.ticket(scope)
        if scope["method"] == "HEAD":
            return Answer(headers=NO_STORE)
        token = await self._visits.open(scope, app, ticket)
        with ticket.joining():
            page = await self._host.page(app.url, ticket.session_id)
        return Answer(page.fill(token=token), headers=NO_STORE)

    async def autoload(self, scope: Scope, route: Route) -> Answer:
        """The script that embeds a session; what goes wrong is shown where the app would stand."""
        headers = {**cors_headers(scope, self._origins), **NO_STORE}
        if scope["method"] == "OPTIONS":
            return Answer(headers=headers, media_type="text/plain; charset=utf-8")
        arguments = arguments_of(scope.get("query_string", b""))
        element_id = last(arguments, "bokeh-autoload-element") or ""
        try:
            return await self._autoload_script(scope, app_of(route), Embedding.of(arguments), headers)
        except (RemoteError, SessionGone) as error:
            status = error.status if isinstance(error, RemoteError) else 410
            if isinstance(error, CapacityError):
                headers |= TRY_AGAIN
            if not element_id:
                return answers.text(str(error), status, headers)
            return error_script(element_id, str(error), status, headers)
        except Exception as error:
            words, error_id = failure_of(error, scope["path"])
            told = report_of(error).text if self._settings.dev else f"It has been logged as error {error_id}."
            return error_script(element_id, f"{words}\n{told}", 500, headers)

    async def _autoload_script(self, scope: Scope, app: AppInfo, embedding: Embedding,
                               headers: Mapping[str, str]) -> Answer:
        ticket = self._visits.ticket(scope)
        if scope["method"] == "HEAD":
            return answers.script("", headers=headers)
        token = await self._visits.open(scope, app, ticket)
        with ticket.joining():
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

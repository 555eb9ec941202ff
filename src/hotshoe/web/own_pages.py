"""Our own pages: the index of apps, their source with colours, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from ..base.errors import ConfigError, Failure, Frame, Report
from ..base.named_files import read_named, reason_of
from ..hosts.host import AppInfo
from ..http.paths import reference_from_base
from ..http.responses import NO_STORE
from ..pages import own
from ..pages.assets import dev_code, dev_script
from .gate.gatekeeper import Visitor
from .routes import source_path, thumbnail_path

_WORDS = {
    400: "This request has a mistake.",
    401: "You are not logged in.",
    403: "This page can't be opened like this.",
    404: "There is nothing at this address.",
    405: "This address does not answer that kind of request.",
    414: "This address is too long.",
    431: "This request is too large.",
    500: "Something went wrong on the server.",
    410: "This session has ended.",
    503: "The server is shutting down.",
}


@cache
def _policy(*, follows: bool = False, asks: bool = False) -> str:
    """The Content-Security-Policy of a page.

    A page that ``follows`` its app in dev mode may also open a websocket; a page that ``asks`` whether its app has
    started may also send requests.
    """
    script, connect = own.read_part("index.js"), ""
    if asks:
        script, connect = own.read_part("starting.js"), "'self'"
    if follows:
        script, connect = dev_code(), "'self' ws: wss:"
    return own.policy_of(styles=map(own.read_part, ("style.css", "failure.css")), scripts=[script], connect=connect,
                         images="'self' data:")


def _page(template: str, names: Mapping[str, Any], status: int = 200,
          headers: Mapping[str, str] | None = None, *, follow: AppInfo | None = None, asks: bool = False) -> Response:
    script = "" if follow is None else dev_script(follow.url, follow.version, nonce="")
    policy = _policy(follows=follow is not None, asks=asks)
    return own.page(template, names, status, policy=policy, headers=headers, script=script)


def index_page(apps: Iterable[AppInfo], path: str, *, with_source: bool = False,
               visitor: Visitor | None = None) -> Response:
    """A card for each app; ``path`` is the path of the request, with or without a trailing slash.

    If an app has a thumbnail, the index is a gallery. ``with_source`` adds links to the pages of ``source_page``.
    """
    apps = list(apps)
    names = {"apps": apps, "gallery": any(app.thumbnail for app in apps), "visitor": visitor,
             "href": partial(reference_from_base, path), "thumbnail_path": thumbnail_path,
             "source_path": source_path, "with_source": with_source}
    return _page("index.html", names)


def source_page(app: AppInfo, program: str, home: str | None) -> Response:
    """An app's main file. ``home`` is a relative reference to the prefix."""
    names = {
        "app": app,
        "name": app.source,
        "spans": highlight(program),
        "lines": program.count("\n") + (not program.endswith("\n")),
        "home": home,
        "page": None if home is None else quote(home + app.url.removeprefix("/")),
    }
    return _page("source.html", names)


def index_redirect(app: AppInfo, path: str, base: str | None = None) -> Response:
    """A redirect to the only app, by a relative reference, so that it works behind any proxy; the query is dropped.

    A proxy that removes a prefix may have added a slash. If the proxy tells the prefix, ``base`` ends with it.
    """
    place = reference_from_base(path, app.url) if base is None else base + app.url
    return _redirect_to(quote(place))


def login_needed(detail: str, place: str | None, *, visited: bool) -> Response:
    """A redirect to the login page, if a person requested a page and a login page exists; otherwise an error."""
    if visited and place is not None:
        return _redirect_to(place)
    return error_page(401, detail)


def _redirect_to(place: str) -> Response:
    """A redirect. As in ``bokeh serve``, it has a content type and no content."""
    return HTMLResponse(status_code=302, headers={"Location": place, **NO_STORE})


def starting_page(app: AppInfo, again: str) -> Response:
    """The page for an app that takes long to start. It loads again with the query ``again``, also without scripts."""
    return _page("starting.html", {"title": app.title, "again": f"?{again}"}, 202, asks=True)


def error_page(status: int, detail: str = "", *, words: str = "", error_id: str = "", home: str | None = None,
               headers: Mapping[str, str] | None = None, follow: AppInfo | None = None,
               logout: str | None = None) -> Response:
    """A page for an error. ``detail`` is one line, ``home`` is a reference to the index.

    It loads again when the app ``follow`` has changed.
    """
    phrase = HTTPStatus(status).phrase
    names = {"status": status, "phrase": phrase, "words": words or _WORDS.get(status, phrase), "detail": detail,
             "error_id": error_id, "home": home, "logout": logout}
    return _page("error.html", names, status, headers, follow=follow)


def failure_page(report: Report, app: AppInfo, error_id: str = "") -> Response:
    """The page that dev mode shows in place of an app that failed; it loads again when the app has changed."""
    names = {"report": report, "app": app.url, "error_id": error_id, "calls": _calls}
    return _page("failure.html", names, 500, follow=app)


def _calls(failure: Failure) -> list[tuple[bool, list[Frame]]]:
    """Groups of frames, the last call first. Frames of libraries in a row are one group."""
    return [(is_own, list(group)) for is_own, group in groupby(reversed(failure.frames), attrgetter("is_own"))]


def icon(path: str) -> Response | None:
    """The icon that ``--ico-path`` names: a file, ``default`` (a camera's hot shoe from above), or ``none``.

    Raises ``ConfigError`` for a file that can't be read.
    """
    match path.lower():
        case "none":
            return None
        case "default" | "default-dev":
            file = own.FAVICON
        case _:
            file = Path(path)
    try:
        body = read_named(file)
    except OSError as error:
        raise ConfigError(f"--ico-path: {path} can't be read: {reason_of(error)}") from error
    return Response(body, media_type="image/x-icon", headers={"Cache-Control": "max-age=86400"})


class Span(NamedTuple):
    """A piece of the source; ``kind`` is empty for text without colour."""

    text: str
    kind: str = ""


def highlight(source: str) -> list[Span]:
    """The source as spans; one span without colour if Pygments is not installed."""
    try:
        from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
        from pygments.token import Comment, Keyword, Name, Number, String  # type: ignore[import-untyped]
    except ImportError:
        return [Span(source)]
    kinds = {Comment: "comment", String: "string", Number: "number", Keyword: "keyword", Name.Class: "name",
             Name.Function: "name"}
    return [Span(text, next((kind for wider, kind in kinds.items() if token in wider), ""))
            for _, token, text in PythonLexer().get_tokens_unprocessed(source)]

"""The pages of our own: the index of apps, their source, errors. Nothing in them is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader

from ..errors import ConfigError, Failure, Frame, Report
from ..hosts.host import AppInfo
from ..pages.scripting import dev_code, dev_script
from .answers import NO_STORE, Answer
from .gatekeeper import Visitor
from .highlighting import highlight
from .routes import source_path, thumbnail_path, to_app

_TEMPLATES = Path(__file__).parent / "templates"

_WORDS = {
    400: "This request can't be answered as it is.",
    401: "You are not logged in.",
    403: "This page can't be opened like this.",
    404: "There is nothing at this address.",
    405: "This address does not answer that kind of request.",
    500: "Something went wrong on the server.",
    410: "This session has ended.",
    503: "The server is shutting down.",
}


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True)
    environment.globals["icon"] = "data:image/svg+xml," + quote((_TEMPLATES / "mark.svg").read_text())
    return environment


@cache
def _policy(*, follows: bool = False, asks: bool = False) -> str:
    """What the pages may load and run: their own style and script, known by their digests.

    A page that ``follows`` its app in dev mode may also open a websocket, one that ``asks`` whether it is there may
    ask.
    """
    scripts, more = f"'{_digest('index.js')}'", ""
    if asks:
        scripts, more = f"'{_digest('starting.js')}'", "connect-src 'self'; "
    if follows:
        scripts, more = f"'{_digest_of(dev_code())}'", "connect-src 'self' ws: wss:; "
    return (f"default-src 'none'; style-src '{_digest('style.css')}' '{_digest('failure.css')}'; "
            f"script-src {scripts}; {more}img-src 'self' data:; base-uri 'none'; form-action 'none'")


def _digest(name: str) -> str:
    return _digest_of(_environment().get_template(name).render())


def _digest_of(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _page(template: str, names: Mapping[str, Any], status: int = 200,
          headers: Mapping[str, str] | None = None, follow: AppInfo | None = None) -> Answer:
    html = _environment().get_template(template).render(names)
    if follow is not None:
        html += dev_script(follow.url, follow.version, nonce="")
    return Answer(html.encode(), status, headers={
        **NO_STORE,
        "Content-Security-Policy": _policy(follows=follow is not None),
        "Referrer-Policy": "same-origin",
        **(headers or {}),
    })


def index_page(apps: Iterable[AppInfo], path: str, *, with_source: bool = False,
               visitor: Visitor | None = None) -> Answer:
    """A card for each app; ``path`` is where the index was asked for, with or without a trailing slash.

    It is a gallery if an app has a thumbnail. ``with_source`` adds links to the pages of ``source_page``.
    """
    cards = [_Card.of(app, path, with_source) for app in apps]
    return _page("index.html", {"cards": cards, "gallery": any(card.picture for card in cards), "visitor": visitor})


@dataclass(frozen=True, slots=True)
class _Link:
    """An address below the prefix, and the relative reference to it from where the index was asked for."""

    path: str
    href: str

    @classmethod
    def of(cls, path: str, index: str) -> _Link:
        return cls(path, to_app(index, path))


@dataclass(frozen=True, slots=True)
class _Card:
    info: AppInfo
    page: _Link
    picture: _Link | None
    source: _Link | None

    @classmethod
    def of(cls, app: AppInfo, index: str, with_source: bool) -> _Card:
        picture = _Link.of(thumbnail_path(app.url), index) if app.thumbnail else None
        source = _Link.of(source_path(app.url), index) if with_source and app.source else None
        return cls(app, _Link.of(app.url, index), picture, source)


def source_page(app: AppInfo, program: str, home: str | None) -> Answer:
    """What an app's main file says. ``home`` leads to the prefix, as a relative reference."""
    names = {
        "app": app,
        "name": PurePath(app.source or "").name,
        "spans": highlight(program),
        "lines": program.count("\n") + (not program.endswith("\n")),
        "home": home,
        "page": None if home is None else quote(home + app.url.removeprefix("/")),
    }
    return _page("source.html", names)


def index_redirect(app: AppInfo, path: str, base: str | None = None) -> Answer:
    """To the only app, by a relative reference, so that it holds behind any proxy; the query is dropped.

    Proxies that cut a prefix off may have added a slash to it. Where they say the prefix, ``base`` ends with it.
    """
    place = to_app(path, app.url) if base is None else base + app.url
    return Answer(status=302, headers={"Location": quote(place), **NO_STORE})


def login_needed(detail: str, place: str | None, *, visited: bool) -> Answer:
    """To where one logs in, if somebody waits for a page and there is such a place; else an error."""
    if visited and place is not None:
        return Answer(status=302, headers={"Location": place, **NO_STORE})
    return error_page(401, detail)


def starting_page(app: AppInfo, again: str) -> Answer:
    """What is shown of an app that takes long to begin. It asks again with the query ``again``, also without scripts.
    """
    return _page("starting.html", {"title": app.title, "again": f"?{again}"}, 202,
                 {"Content-Security-Policy": _policy(asks=True)})


def error_page(status: int, detail: str = "", *, words: str = "", error_id: str = "", home: str | None = None,
               headers: Mapping[str, str] | None = None, follow: AppInfo | None = None,
               logout: str | None = None) -> Answer:
    """A page that says in words what is wrong; ``detail`` is one line, ``home`` leads to the index.

    It loads again when the app ``follow`` has changed.
    """
    phrase = HTTPStatus(status).phrase
    names = {"status": status, "phrase": phrase, "words": words or _WORDS.get(status, phrase), "detail": detail,
             "error_id": error_id, "home": home, "logout": logout}
    return _page("error.html", names, status, headers, follow)


def failure_page(report: Report, app: AppInfo, error_id: str = "") -> Answer:
    """What dev mode shows to an app's author in place of the app; it loads again when the app has changed."""
    names = {"report": report, "app": app.url, "error_id": error_id, "calls": _calls}
    return _page("failure.html", names, 500, follow=app)


def _calls(failure: Failure) -> list[tuple[bool, list[Frame]]]:
    """The frames, last call first, those of libraries that stand together as one."""
    return [(is_own, list(group)) for is_own, group in groupby(reversed(failure.frames), attrgetter("is_own"))]


def icon(path: str) -> Answer | None:
    """The icon that ``--ico-path`` names; ``default`` is a camera's hot shoe from above, ``none`` is none.

    Raises ``ConfigError`` if it can't be read.
    """
    match path.lower():
        case "none":
            return None
        case "default" | "default-dev":
            file = _TEMPLATES / "favicon.ico"
        case _:
            file = Path(path)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--ico-path: {path} can't be read: {error.strerror}") from error
    return Answer(body, media_type="image/x-icon", headers={"Cache-Control": "max-age=86400"})

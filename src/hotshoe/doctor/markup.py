"""What is on a page: apps, tokens, scripts, style sheets. Pages are anybody's, so nothing is believed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

from .tokens import Ticket, ticket_of

_TOKEN = re.compile(r'"token"\s*:\s*"([A-Za-z0-9_.=-]{8,65536})"')
_AUTOLOAD = re.compile(r"""["'`]([^"'`\s<>]{0,4000}?/?autoload\.js\?[^"'`\s<>]{0,4000})["'`]""")
_SCRIPTS = re.compile(r'(?:"scripts"\s*:|\bconst js_urls\s*=)\s*(?=\[)')
_STYLES = re.compile(r'(?:"styles"\s*:|\bconst css_urls\s*=)\s*(?=\[)')
"""What ``autoload.js`` loads, of hotshoe and of bokeh."""
_PLAN = re.compile(r'\{\s*"depth"\s*:')
_STARTING = re.compile(r'"starting"\s*:\s*(?=")')
_RUN = re.compile(r"<+(?=<)")
"""Of no use, and Python's parser takes the square of their number of steps for them."""
_MOST_CHARACTERS = 600_000
_INDEXES = ("Running Bokeh Applications", "Panel Applications")
_MOST = 200
"""Of anything on a page."""


@dataclass(frozen=True, slots=True)
class Embed:
    """An app in somebody else's page."""

    source: str
    """A reference to the app, or to its ``autoload.js`` with a query."""
    is_element: bool

    @property
    def arguments(self) -> dict[str, str]:
        """The query of ``autoload.js``, the last value of each."""
        try:
            query = urlsplit(self.source).query
        except ValueError:  # it can be no address
            return {}
        return {name: values[-1] for name, values in parse_qs(query).items()}


@dataclass(frozen=True, slots=True)
class Markup:
    """A page, read."""

    title: str = ""
    base: str = ""
    """The reference of a ``base`` element."""
    tickets: tuple[Ticket, ...] = ()
    scripts: tuple[str, ...] = ()
    """References, as they stand there."""
    styles: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """What else is loaded without being asked for."""
    embeds: tuple[Embed, ...] = ()
    links: tuple[str, ...] = ()
    """Of an index: its apps."""
    is_index: bool = False
    """Whether it is an index of hotshoe, bokeh or Panel, and not just a page with links."""
    has_password: bool = False
    """Whether it asks for a password."""
    depth: int | None = None
    """Of a page of hotshoe: how many steps its base is above it. Scripts are then relative to that."""
    again: str = ""
    """Of what hotshoe says of an app that is starting: the reference with which to ask again."""
    is_hotshoe: bool = False
    is_panel: bool = False
    is_cut: bool = False
    """Whether it ends before it is over."""


NOTHING = Markup()
"""What is on no page."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.images: list[str] = []
        self.apps: list[str] = []
        self.links: list[str] = []
        self.title = ""
        self.base = ""
        self.has_password = False
        self.again = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._inside = tag
        source = found.get("src", "")
        match tag:
            case "script" if source:
                self.scripts.append(source)
            case "link" if "stylesheet" in found.get("rel", "").lower().split() and found.get("href"):
                self.styles.append(found["href"])
            case "img" | "iframe" | "video" | "audio" if source:
                self.images.append(source)
            case "bokeh-app" if source:
                self.apps.append(source)
            case "base" if found.get("href") and not self.base:
                self.base = found["href"]
            case "main" if found.get("id") == "starting":
                self.again = found.get("data-again", "")
            case "input":
                self.has_password |= found.get("type", "").lower() == "password"
            case "a" if found.get("href"):
                self._link(found)

    def _link(self, found: dict[str, str]) -> None:
        # hotshoe's index names the path, Panel's has it as the id; bokeh's has bare links to /app.
        href = found["href"]
        if "data-path" in found or found.get("id", "").startswith("/") or re.fullmatch(r"(?:/[\w.-]+)+", href):
            self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title" and not self.title:
            self.title = data.strip()


def read_markup(text: str) -> Markup:
    """Read a page, or a script that embeds an app. Never raises."""
    reader = _Reader()
    with suppress(AssertionError, ValueError):  # of markup that no browser would mind
        reader.feed(_RUN.sub("", text[:_MOST_CHARACTERS]))
    depth, scripts, styles = _plan(text)
    tickets = (ticket_of(match) for match in _TOKEN.findall(text)[:_MOST])
    embeds = [*(Embed(source, True) for source in reader.apps), *_autoloads(text)]
    return Markup(
        title=reader.title,
        base=reader.base,
        tickets=tuple(ticket for ticket in tickets if ticket),
        scripts=_some([*reader.scripts, *scripts, *_listed(_SCRIPTS, text)]),
        styles=_some([*reader.styles, *styles, *_listed(_STYLES, text)]),
        images=_some(reader.images),
        embeds=tuple(dict.fromkeys(embeds))[:_MOST],
        links=_some(reader.links),
        is_index='data-path="/' in text or reader.title in _INDEXES,
        has_password=reader.has_password,
        depth=depth,
        again=reader.again or _asked_again(text),
        is_hotshoe="_hotshoe" in text or 'data-path="/' in text,
        is_panel="/panel.min.js" in text or "<title>Panel Applications" in text,
        is_cut="<html" in text.lower() and "</html>" not in text.lower(),
    )


def _some(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:_MOST]


def _autoloads(text: str) -> Iterator[Embed]:
    for match in _AUTOLOAD.findall(text)[:_MOST]:
        yield Embed(html.unescape(match.replace("\\u0026", "&").replace("\\/", "/")), False)


def _plan(text: str) -> tuple[int | None, list[str], list[str]]:
    """What the script at the head of a page of hotshoe loads: depth, scripts, style sheets."""
    found = _PLAN.search(text)
    if found is None:
        return None, [], []
    try:
        plan, _ = json.JSONDecoder().raw_decode(text, found.start())
    except (ValueError, RecursionError):
        return None, [], []
    depth, scripts, styles = plan.get("depth"), plan.get("js"), plan.get("css")
    if not isinstance(depth, int) or not 0 <= depth <= 50:
        return None, [], []
    return depth, _texts(scripts), _texts(styles)


def _asked_again(text: str) -> str:
    """The query with which the script asks for the plan of an app that is starting."""
    found = _STARTING.search(text)
    try:
        query = None if found is None else json.JSONDecoder().raw_decode(text, found.end())[0]
    except (ValueError, RecursionError):
        return ""
    return f"?{query}" if query and isinstance(query, str) else ""


def _listed(where: re.Pattern[str], text: str) -> list[str]:
    found = where.search(text)
    if found is None:
        return []
    try:
        return _texts(json.JSONDecoder().raw_decode(text, found.end())[0])
    except (ValueError, RecursionError):
        return []


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []

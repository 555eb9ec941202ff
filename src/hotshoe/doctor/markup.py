"""Reads a page: its apps, tokens, scripts and style sheets. The page may be hostile, so nothing in it is trusted."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from ..base.errors import TokenError
from ..tokens import read

T = TypeVar("T")

_TOKEN = re.compile(r'"token"\s*:\s*"([A-Za-z0-9_.=-]{8,65536})"')
_AUTOLOAD = re.compile(r"""["'`]([^"'`\s<>]{0,4000}?/?autoload\.js\?[^"'`\s<>]{0,4000})["'`]""")
_SCRIPTS = re.compile(r'(?:"scripts"\s*:|\bconst js_urls\s*=)\s*(?=\[)')
_STYLES = re.compile(r'(?:"styles"\s*:|\bconst css_urls\s*=)\s*(?=\[)')
"""The files that ``autoload.js`` loads, in hotshoe's script and in bokeh's."""
_PLAN = re.compile(r'(?=\{\s*"depth"\s*:)')
_STARTING = re.compile(r'"starting"\s*:\s*(?=")')
_RUN = re.compile(r"<+(?=<)")
"""Python's parser takes quadratic time for a run of these, and they have no meaning."""
_MAX_CHARACTERS = 600_000
_INDEXES = ("Running Bokeh Applications", "Panel Applications")
_MAX_ITEMS = 200
"""Of each kind."""


@dataclass(frozen=True, slots=True)
class PageToken:
    """A session token, as the browser has it."""

    text: str
    expires_at_s: int | None
    """Unix time of the server that made it."""


def page_token_of(text: str) -> PageToken | None:
    """Read a token; ``None`` if the text is not one."""
    try:
        return PageToken(text, read(text).expires_at_s)
    except TokenError:
        return None


@dataclass(frozen=True, slots=True)
class Embed:
    """An app that another site's page embeds."""

    source: str
    """A reference to the app, or to its ``autoload.js`` with a query."""
    is_element: bool

    @property
    def arguments(self) -> dict[str, str]:
        """The query of ``autoload.js``, with the last value of each name."""
        with suppress(ValueError):  # it may not be a URL
            return {name: values[-1] for name, values in parse_qs(urlsplit(self.source).query).items()}
        return {}


@dataclass(frozen=True, slots=True)
class Markup:
    """The parts of a page that matter here. References are as they stand in the page."""

    title: str = ""
    base: str = ""
    """The reference of a ``base`` element."""
    tokens: tuple[PageToken, ...] = ()
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Everything else that the browser loads by itself."""
    embeds: tuple[Embed, ...] = ()
    links: tuple[str, ...] = ()
    """The apps of an index."""
    is_index: bool = False
    """Whether it is an index of hotshoe, bokeh or Panel, and not just a page with links."""
    has_password: bool = False
    """Whether it has a password field."""
    depth: int | None = None
    """How many levels the base of a hotshoe page is above it; its scripts are relative to the base."""
    retry: str = ""
    """The reference to request next, if hotshoe says that the app is starting."""
    is_hotshoe: bool = False
    is_panel: bool = False
    is_cut: bool = False
    """Whether the end of the page is missing."""


NOTHING = Markup()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, list[str]] = defaultdict(list)
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._tag = tag
        source, href = attributes.get("src", ""), attributes.get("href", "")
        match tag:
            case "script" | "bokeh-app" if source:
                self.found[tag].append(source)
            case "img" | "iframe" | "video" | "audio" if source:
                self.found["image"].append(source)
            case "link" if href and "stylesheet" in attributes.get("rel", "").lower().split():
                self.found["style"].append(href)
            case "base" if href:
                self.found["base"].append(href)
            case "a" if href and _leads_to_app(href, attributes):
                self.found["link"].append(href)
            case "main" if attributes.get("id") == "starting":
                self.found["retry"].append(attributes.get("data-again", ""))
            case "input" if attributes.get("type", "").lower() == "password":
                self.found["password"].append("")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self.found["title"].append(data.strip())

    def first(self, name: str) -> str:
        """The first that is not empty, or an empty string."""
        return next(filter(None, self.found[name]), "")


def _leads_to_app(href: str, attributes: dict[str, str]) -> bool:
    # hotshoe's index has the path in data-path, Panel's in the id; bokeh's has bare links to /app.
    return "data-path" in attributes or attributes.get("id", "").startswith("/") \
        or re.fullmatch(r"(?:/[\w.-]+)+", href) is not None


def read_markup(text: str) -> Markup:
    """Read a page, or a script that embeds an app. Never raises."""
    reader = _Reader()
    with suppress(AssertionError, ValueError):  # for markup that browsers accept
        reader.feed(_RUN.sub("", text[:_MAX_CHARACTERS]))
    found, plan = reader.found, _json_after(_PLAN, text)
    depth = plan.get("depth") if isinstance(plan, dict) else None
    if not isinstance(depth, int) or not 0 <= depth <= 50:
        depth, plan = None, {}
    tokens = (page_token_of(match) for match in _TOKEN.findall(text)[:_MAX_ITEMS])
    query = _json_after(_STARTING, text)
    return Markup(
        title=reader.first("title"),
        base=reader.first("base"),
        tokens=tuple(token for token in tokens if token),
        scripts=_distinct([*found["script"], *_texts(plan.get("js")), *_texts(_json_after(_SCRIPTS, text))]),
        styles=_distinct([*found["style"], *_texts(plan.get("css")), *_texts(_json_after(_STYLES, text))]),
        images=_distinct(found["image"]),
        embeds=_distinct([*(Embed(source, True) for source in found["bokeh-app"]), *_autoloads(text)]),
        links=_distinct(found["link"]),
        is_index='data-path="/' in text or reader.first("title") in _INDEXES,
        has_password="password" in found,
        depth=depth,
        retry=reader.first("retry") or (f"?{query}" if query else ""),
        is_hotshoe="_hotshoe" in text or 'data-path="/' in text,
        is_panel="/panel.min.js" in text or "<title>Panel Applications" in text,
        is_cut="<html" in text.lower() and "</html>" not in text.lower(),
    )


def _distinct(values: list[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))[:_MAX_ITEMS]


def _autoloads(text: str) -> Iterator[Embed]:
    for match in _AUTOLOAD.findall(text)[:_MAX_ITEMS]:
        yield Embed(html.unescape(match.replace("\\u0026", "&").replace("\\/", "/")), False)


def _json_after(pattern: re.Pattern[str], text: str) -> Any:
    """The JSON value after the first match; ``None`` if there is none."""
    found = pattern.search(text)
    return None if found is None else json_at(text, found.end())


def json_at(text: str, start: int = 0) -> Any:
    """The JSON value that begins at ``start``; ``None`` if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []

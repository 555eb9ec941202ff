"""Examines one app: the files of its page, ``autoload.js``, the limits of headers, and its websockets."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from urllib.parse import quote, urlencode

from ..base.threads import ThreadPool
from ..http.paths import segments
from .bounds import MAX_RESOURCES, OTHER_SOCKETS, SIZES
from .browser import Browser
from .conversation import Conversation
from .markup import NOTHING, Embed, Markup, PageToken, json_at, read_markup
from .observations import Exchange, Mount, PageVisit, Resource, Talk
from .urls import Url

_SCRIPT_BYTES = 1024
_CDN_TIMEOUT_S = 5.0
_PARALLEL = 6
_ACCEPT = {"script": "*/*", "style": "text/css,*/*;q=0.1"}


def examine_own_page(browser: Browser, visit: PageVisit) -> Mount:
    """Examine an app on its own page."""
    page = visit.last.address
    app = replace(page, query="")
    files = _files(visit.markup, base_of(page, visit.markup))
    mount = Mount(app, page, visit=visit, token=visit.token, resources=_resources(browser, page, files),
                  autoload=_autoload(browser, app, ""), sizes=tuple(_sizes(browser, app)))
    # Only now is the page requested again, since a cache takes a moment to store the first response. An app that was
    # slow to start is not started twice.
    if not visit.last.starting_s:
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
        second = browser.ask(page, headers=headers, timeout_s=browser.options.page_timeout_s)
        mount = replace(mount, second_token=_token_of(second))
    return _open_websockets(browser, mount, page.below("ws", page.query), page.origin,
                            mount.second_token or visit.token)


def examine_embedded(browser: Browser, app: Url, page: Url, *, source: Url | None = None,
                     is_element: bool = False) -> Mount:
    """Examine an app as another page embeds it: with the script at ``source``, or with an element."""
    mount = Mount(replace(app, query=""), page)
    autoload = _autoload(browser, app, mount.origin, source=None if is_element else source)
    token = _token_of(autoload)
    mount = replace(mount, autoload=autoload, token=token)
    if mount.origin:
        mount = replace(mount, preflight=browser.ask(autoload.address, method="OPTIONS", headers={
            "Origin": mount.origin, "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "bokeh-session-id"}))
    if page.is_secure and not app.is_secure:
        return mount  # browsers block all its requests
    files = {app.below("embed.js"): "script"} if is_element else {}
    files |= _files(mount.markup, autoload.address)
    mount = replace(mount, resources=_resources(browser, mount.app, files), sizes=tuple(_sizes(browser, mount.app)))
    return _open_websockets(browser, mount, app.below("ws", app.query), page.origin, token)


def source_of(embed: Embed, page: PageVisit) -> Url | None:
    """The address that an embed refers to; ``None`` if it is invalid."""
    try:
        return base_of(page.last.address, page.markup).join(embed.source)
    except ValueError:
        return None


def app_of(embed: Embed, page: PageVisit) -> Url | None:
    """The address of an embedded app; ``None`` if it is invalid."""
    source = source_of(embed, page)
    if source is None or embed.is_element:
        return source
    path = embed.arguments.get("bokeh-app-path", "")
    if not path.startswith("/"):
        path = source.path.removesuffix("/autoload.js") or "/"
    return replace(source, path=path, query="")


def base_of(page: Url, markup: Markup) -> Url:
    """The URL that references to scripts are relative to."""
    if markup.depth is not None:
        return replace(page, path=_folder_above(page, markup.depth), query="")
    try:
        return page.join(markup.base) if markup.base else page
    except ValueError:
        return page


def _folder_above(page: Url, depth: int) -> str:
    """The path ``depth`` levels above, with slashes at both ends."""
    names = segments(page.path)
    return "".join(f"/{name}" for name in names[:max(len(names) - depth, 0)]) + "/"


def _token_of(exchange: Exchange) -> PageToken | None:
    return next(iter(read_markup(exchange.text).tokens), None)


def _files(markup: Markup, base: Url) -> dict[Url, str]:
    """The scripts and style sheets, with their kinds."""
    found: dict[Url, str] = {}
    for kind, references in (("script", markup.scripts), ("style", markup.styles)):
        for reference in references:
            with suppress(ValueError):  # for example a data: URL
                found.setdefault(base.join(reference), kind)
    return found


def _resources(browser: Browser, page: Url, files: Mapping[Url, str]) -> tuple[Resource, ...]:
    first = list(files.items())[:MAX_RESOURCES]
    fetchable = [(kind, url) for url, kind in first if url.is_secure or not page.is_secure]
    with ThreadPool(_PARALLEL) as pool:
        return tuple(pool.map(lambda pair: _resource(browser, page, *pair), fetchable))


def _resource(browser: Browser, page: Url, kind: str, url: Url) -> Resource:
    is_own = url.host == page.host
    timeout_s = browser.options.timeout_s
    headers = {"Accept": _ACCEPT[kind], "Accept-Encoding": "gzip, deflate, br", "Referer": str(page)}
    exchange = browser.ask(url, headers=headers, most=_SCRIPT_BYTES,
                           timeout_s=timeout_s if is_own else min(timeout_s, _CDN_TIMEOUT_S))
    return Resource(kind, exchange, is_own, _find_elsewhere(browser, page, url, exchange) if is_own else "")


def _find_elsewhere(browser: Browser, page: Url, url: Url, exchange: Exchange) -> str:
    """Look for a missing file below each folder above the page; the URL where it is, or an empty string."""
    if exchange.status not in (404, 403) or "/static/" not in url.path:
        return ""
    tail = url.path[url.path.index("/static/"):]
    names = segments(page.path)
    for count in range(max(len(names), 1)):  # not below the app itself, which always has such files
        path = "".join(f"/{name}" for name in names[:count]) + tail
        if path != url.path:
            there = browser.ask(replace(url, path=path), most=_SCRIPT_BYTES)
            if there.status == 200 and "html" not in there.media_type:
                return str(there.address)
    return ""


def _autoload(browser: Browser, app: Url, origin: str, *, source: Url | None = None) -> Exchange:
    arguments = {"bokeh-autoload-element": "hotshoe-doctor", "bokeh-app-path": app.app_path or "/",
                 "bokeh-absolute-url": str(replace(app, query=""))}
    query = "&".join(filter(None, (urlencode(arguments, quote_via=quote), app.query)))
    return browser.ask_until_started(source or app.below("autoload.js", query), {"Origin": origin})


def _sizes(browser: Browser, app: Url) -> Iterator[tuple[int, Exchange]]:
    """Request ``metadata``, which makes no session, with cookies of several sizes."""
    address = app.below("metadata")
    plain = browser.ask(address)
    yield 0, plain
    if plain.trouble is not None:
        return
    cookie = "; ".join(filter(None, (browser.credentials(address).get("Cookie"), "hotshoe-doctor=")))
    for size in SIZES:
        exchange = browser.ask(address, headers={"Cookie": cookie.ljust(size, "x")})
        yield size, exchange
        if exchange.status != plain.status:
            break


def _open_websockets(browser: Browser, mount: Mount, url: Url, origin: str, token: PageToken | None) -> Mount:
    if token is None:
        return mount
    with closing(Conversation(browser, url, origin, token)) as first:
        first.pull_document()
        mount = replace(mount, talk=first.talk, token=token)
        if first.talk.pulled or not first.is_open():
            mark = f"hotshoe doctor {secrets.token_hex(6)}"
            is_marked = first.set_title(mark)
            others = _other_websockets(browser, url, origin, token, first.talk)
            mount = replace(mount, mark=mark if is_marked else "", others=others)
        first.watch_idle(browser.options.idle_s)
        return replace(mount, talk=replace(first.talk, refusal=_refusal(browser, mount, first.talk)))


def _other_websockets(browser: Browser, url: Url, origin: str, token: PageToken, first: Talk) -> tuple[Talk, ...]:
    """Open more websockets with the same token: if only some are refused, one of several backends refuses them."""
    if not first.is_websocket and first.exchange.status not in (0, 403):
        return ()

    def one(_: int) -> Talk:
        with closing(Conversation(browser, url, origin, token)) as conversation:
            conversation.pull_document()
            return conversation.talk

    with ThreadPool(OTHER_SOCKETS) as pool:
        return tuple(pool.map(one, range(OTHER_SOCKETS)))


def _refusal(browser: Browser, mount: Mount, talk: Talk) -> str:
    """Ask hotshoe why it refused a handshake. Empty if it did not refuse, or is another server."""
    markup = NOTHING if mount.visit is None else mount.visit.markup
    is_other = mount.visit is not None and not markup.is_hotshoe
    if is_other or talk.exchange.status not in (401, 403):
        return ""
    folder = _folder_above(mount.app, 1 if markup.depth is None else markup.depth)
    address = replace(mount.app, path=f"{folder}_hotshoe/refusal", query=f"origin={quote(mount.page.origin)}")
    answer = browser.ask(address, headers={"Accept": "application/json"}, most=4096)
    value = json_at(answer.text) if answer.media_type == "application/json" else None
    refusal = value.get("refusal") if isinstance(value, dict) else None
    return refusal if isinstance(refusal, str) else ""

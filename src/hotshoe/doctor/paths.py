"""The way through one app: its page's files, ``autoload.js``, header sizes, and the websockets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote, urlencode, urljoin

from .addresses import Address
from .exchanges import Browser
from .markup import NOTHING, Embed, Markup, read_markup
from .observations import Autoload, Exchange, Mount, Reply, Resource, Sizes, Talk, Visit
from .options import MAX_RESOURCES, OTHER_SOCKETS, SIZES
from .sockets import Conversation
from .starting import until_there
from .tokens import Ticket

_SCRIPT_BYTES = 1024
_CDN_PATIENCE_S = 5.0
_AT_ONCE = 6
_MEDIA = {"script": "*/*", "style": "text/css,*/*;q=0.1"}


def own_page(browser: Browser, visit: Visit) -> Mount:
    """Look at an app on its own page."""
    page = visit.last.address
    mount = Mount(replace(page, query=""), page, visit=visit, ticket=visit.ticket)
    files = _files(visit.markup, base_of(page, visit.markup))
    mount = replace(mount, resources=_resources(browser, page, files), autoload=_autoload(browser, mount.app, ""),
                    sizes=_sizes(browser, mount.app))
    # Only now: a cache takes a moment until it has what it was passed.
    # Who took long to start has no second one started.
    again = None if isinstance(visit.last, Reply) and visit.last.starting_s else browser.ask(
        page, headers={"Accept": "text/html", "Accept-Encoding": "gzip"}, timeout_s=browser.options.patience_s)
    second = next(iter(read_markup(again.text).tickets), None) if isinstance(again, Reply) else None
    mount = replace(mount, again=again, second=second)
    return _talks(browser, mount, page.below("ws", page.query), page.origin, second or visit.ticket)


def from_elsewhere(browser: Browser, app: Address, page: Address, *, source: Address | None = None,
                   is_element: bool = False) -> Mount:
    """Look at an app as another page shows it: by the script at ``source``, or by an element."""
    is_foreign = app.origin != page.origin
    origin = page.origin if is_foreign else ""
    autoload = _autoload(browser, app, origin, source=None if is_element else source, preflights=is_foreign)
    markup = read_markup(autoload.answer.text) if isinstance(autoload.answer, Reply) else NOTHING
    ticket = next(iter(markup.tickets), None)
    mount = Mount(replace(app, query=""), page, autoload=autoload, ticket=ticket)
    if is_foreign and page.is_secure and not app.is_secure:
        return mount  # a browser asks for nothing of it
    loader = [("script", str(app.below("embed.js")))] if is_element else []
    files = [*loader, *_files(markup, str(autoload.answer.address))]
    mount = replace(mount, resources=_resources(browser, mount.app, files), sizes=_sizes(browser, mount.app))
    return _talks(browser, mount, app.below("ws", app.query), page.origin, ticket)


def source_of(embed: Embed, page: Visit) -> Address | None:
    """Where the reference of an embed leads, by the page's base; ``None`` if nowhere."""
    try:
        return Address.of(_joined(base_of(page.last.address, page.markup), embed.source))
    except ValueError:
        return None


def app_of(embed: Embed, page: Visit) -> Address | None:
    """The address of an app that a page embeds; ``None`` if it leads nowhere."""
    source = source_of(embed, page)
    if source is None:
        return None
    if embed.is_element:
        return source
    named = embed.arguments.get("bokeh-app-path", "")
    path = source.path.removesuffix("/autoload.js") or "/"
    return replace(source, path=named if named.startswith("/") else path, query="")


def base_of(page: Address, markup: Markup) -> str:
    """What references of scripts are relative to."""
    if markup.depth is not None:
        parts = [part for part in page.path.split("/") if part]
        kept = parts[:len(parts) - markup.depth] if markup.depth else parts
        return f"{page.origin}/" + "".join(f"{part}/" for part in kept)
    return _joined(str(page), markup.base) or str(page)


# -- files

def _files(markup: Markup, base: str) -> list[tuple[str, str]]:
    """Scripts and style sheets with what they are, as whole URLs."""
    wanted = [*(("script", url) for url in markup.scripts), *(("style", url) for url in markup.styles)]
    return [(kind, url) for kind, reference in wanted if (url := _joined(base, reference))]


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference).partition("#")[0]
    except ValueError:
        return ""


def _resources(browser: Browser, page: Address, files: Iterable[tuple[str, str]]) -> tuple[Resource, ...]:
    found: dict[Address, str] = {}
    for kind, url in list(files)[:MAX_RESOURCES]:
        try:
            found.setdefault(Address.of(url), kind)
        except ValueError:
            continue  # data: and the like
    fetchable = [(kind, url) for url, kind in found.items() if url.is_secure or not page.is_secure]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(lambda pair: _resource(browser, page, *pair), fetchable))


def _resource(browser: Browser, page: Address, kind: str, url: Address) -> Resource:
    is_own = url.host == page.host
    timeout_s = browser.options.timeout_s
    headers = {"Accept": _MEDIA[kind], "Accept-Encoding": "gzip, deflate, br", "Referer": str(page)}
    exchange = browser.ask(url, headers=headers, most=_SCRIPT_BYTES,
                           timeout_s=timeout_s if is_own else min(timeout_s, _CDN_PATIENCE_S))
    works_at = _moved(browser, page, url, exchange) if is_own else ""
    return Resource(kind, exchange, is_own, works_at)


def _moved(browser: Browser, page: Address, url: Address, exchange: Exchange) -> str:
    """Where a file is that is not where the page says: below one of the folders above the page."""
    if not isinstance(exchange, Reply) or exchange.status not in (404, 403) or "/static/" not in url.path:
        return ""
    tail = url.path[url.path.index("/static/"):]
    parts = [part for part in page.path.split("/") if part]
    for count in range(max(len(parts), 1)):  # below the app itself there always are such files
        path = "".join(f"/{part}" for part in parts[:count]) + tail
        if path != url.path:
            there = browser.ask(replace(url, path=path), most=_SCRIPT_BYTES)
            if isinstance(there, Reply) and there.status == 200 and "html" not in there.media_type:
                return str(there.address)
    return ""


# -- autoload and headers

def _autoload(browser: Browser, app: Address, origin: str, *, source: Address | None = None,
              preflights: bool = False) -> Autoload:
    arguments = {"bokeh-autoload-element": "hotshoe-doctor", "bokeh-app-path": app.app_path or "/",
                 "bokeh-absolute-url": str(replace(app, query=""))}
    query = "&".join(filter(None, (urlencode(arguments, quote_via=quote), app.query)))
    address = source or app.below("autoload.js", query)
    answer = until_there(browser, address, {"Origin": origin})
    preflight = None
    if preflights:
        preflight = browser.ask(address, method="OPTIONS", headers={
            "Origin": origin, "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "bokeh-session-id"})
    return Autoload(origin, answer, preflight)


def _sizes(browser: Browser, app: Address) -> Sizes:
    """Ask for what makes no session, with cookies of several sizes."""
    address = app.below("metadata")
    plain = browser.ask(address)
    padded = []
    if isinstance(plain, Reply):
        own = browser.credentials(address).get("Cookie", "")
        for size in SIZES:
            cookie = "; ".join(filter(None, (own, "hotshoe-doctor=")))
            exchange = browser.ask(address, headers={"Cookie": cookie.ljust(size, "x")})
            padded.append((size, exchange))
            if not isinstance(exchange, Reply) or exchange.status != plain.status:
                break
    return Sizes(plain, tuple(padded))


# -- websockets

def _talks(browser: Browser, mount: Mount, socket: Address, origin: str, ticket: Ticket | None) -> Mount:
    if ticket is None:
        return mount
    first = Conversation(browser, socket, origin, ticket)
    try:
        first.greet()
        mount = replace(mount, talk=first.talk, ticket=ticket)
        if first.talk.pulled or not first.is_open():
            mark = f"hotshoe doctor {secrets.token_hex(6)}" if first.talk.pulled else ""
            marked = bool(mark) and first.entitle(mark)
            mount = replace(mount, mark=mark if marked else "", others=_others(browser, socket, origin, ticket, mount))
        first.watch(browser.options.idle_s)
        mount = replace(mount, talk=_explained(browser, mount, first.talk))
    finally:
        first.close()
    return mount


def _others(browser: Browser, socket: Address, origin: str, ticket: Ticket, mount: Mount) -> tuple[Talk, ...]:
    """More sockets with the same token: a refusal that comes only sometimes is one backend's."""
    talk = mount.talk
    if talk is None or (not talk.is_websocket and isinstance(talk.exchange, Reply) and talk.exchange.status != 403):
        return ()

    def one(_: int) -> Talk:
        conversation = Conversation(browser, socket, origin, ticket)
        try:
            conversation.greet()
            return conversation.talk
        finally:
            conversation.close()

    with ThreadPoolExecutor(OTHER_SOCKETS) as pool:
        return tuple(pool.map(one, range(OTHER_SOCKETS)))


def _explained(browser: Browser, mount: Mount, talk: Talk) -> Talk:
    """hotshoe says at another address why it refuses."""
    if not isinstance(talk.exchange, Reply) or talk.exchange.status not in (401, 403):
        return talk
    for base in _bases(mount):
        answer = browser.ask(replace(mount.app, path=f"{base}_hotshoe/refusal", query=f"origin={quote(talk.origin)}"),
                             headers={"Accept": "application/json"}, most=4096)
        if isinstance(answer, Reply) and answer.media_type == "application/json":
            found = _refusal(answer)
            if found:
                return replace(talk, refusal=found)
    return talk


def _bases(mount: Mount) -> Iterable[str]:
    markup = None if mount.visit is None else mount.visit.markup
    if markup is not None and not markup.is_hotshoe:
        return ()
    parts = [part for part in mount.app.path.split("/") if part]
    depth = 1 if markup is None or markup.depth is None else markup.depth
    return ["".join(f"/{part}" for part in parts[:max(len(parts) - depth, 0)]) + "/"]


def _refusal(answer: Reply) -> str:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    found = value.get("refusal") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


"""The walk: what a browser would ask for, in its order. Everything that is seen ends up in an ``Examination``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .addresses import Address
from .certificates import look_at
from .channel import NoAnswer, look_up
from .exchanges import Browser
from .observations import Examination, Exchange, Failure, Mount, Reply, Tls, Trouble, Visit
from .options import MAX_EMBEDS, Options
from .paths import app_of, from_elsewhere, own_page, source_of
from .visits import visit

_NO_REQUEST = b"hotshoe-doctor\r\n\r\n"
_DEAD = (Trouble.NAME, Trouble.REFUSED, Trouble.UNREACHABLE, Trouble.UNANSWERED)


def walk(asked: Address, options: Options, *, clock: Callable[[], float] = time.time) -> Examination:
    """Walk to an address and through all that a browser needs there.

    Never raises for what a server does; ``OSError`` if the options' ``cafile`` can't be read.
    """
    browser = Browser(options, asked)
    seen = Examination(asked, clock(), name=look_up(asked.host, options.timeout_s))
    if seen.name is not None and seen.name.error:
        return seen
    try:
        if asked.is_secure:
            seen = replace(seen, tls=_shake(browser, asked))
            if seen.tls is not None and seen.tls.failure is not None:
                return seen
        seen = _enter(browser, seen)
    except NoAnswer as error:
        return replace(seen, connection=error.failure)
    front, page = seen.front, seen.page
    if seen.connection is not None or front is None or not isinstance(page, Reply):
        return seen
    seen = replace(seen, malformed=browser.send_raw(page.address, _NO_REQUEST), door=_door(browser, page))
    return _look_around(browser, seen, front, page)


def _shake(browser: Browser, address: Address) -> Tls:
    tls = look_at(address, browser.options, browser.trusted)
    if tls.fault is not None:
        browser.unverified |= {address.host}
    return tls


def _enter(browser: Browser, seen: Examination) -> Examination:
    front = visit(browser, seen.asked)
    last = front.last
    if last.address.is_secure and (seen.tls is None or last.address.host != seen.asked.host):
        # A redirect has led to https, or to another host.
        tls = _shake(browser, last.address)
        if seen.tls is None or tls.fault is not None:
            seen = replace(seen, tls=tls)
        if tls.fault is not None:
            front = visit(browser, seen.asked)
            last = front.last
    if len(front.exchanges) == 1 and isinstance(last, Failure) and last.trouble in _DEAD:
        return replace(seen, front=front, connection=last)
    return replace(seen, front=front)


def _door(browser: Browser, page: Reply) -> Exchange | None:
    """What is said to those who come by plain http."""
    port = browser.options.http_port
    if not page.address.is_secure or page.address.host != browser.home.host:
        return None
    if port is None and page.address.port != 443:
        return None
    return browser.ask(replace(page.address, scheme="http", port=port or 80), most=0)


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is at the address."""

    page: Visit
    choices: tuple[str, ...] = ()


def _look_around(browser: Browser, seen: Examination, front: Visit, page: Reply) -> Examination:
    found = _app_page(browser, front)
    seen = replace(seen, visited=found.page, choices=found.choices)
    mounts = list(_mounts(browser, found.page))
    if not mounts and page.status == 404 and (there := _behind_prefix(browser, front)) is not None:
        seen = replace(seen, wrong_prefix=there.last.address, visited=there)
        mounts = list(_mounts(browser, there))
    return replace(seen, mounts=tuple(mounts))


def _app_page(browser: Browser, front: Visit) -> _Found:
    """The page itself; if it is an index, that of its first app."""
    markup = front.markup
    if markup.tickets or markup.embeds or not markup.links or not isinstance(front.last, Reply):
        return _Found(front)
    urls = []
    for link in markup.links:
        try:
            urls.append(front.last.address.join(link))
        except ValueError:
            continue
    urls = [url for url in urls if url.origin == front.last.address.origin]
    if not urls:
        return _Found(front)
    first = visit(browser, urls[0])
    leads_to_app = markup.is_index or first.markup.tickets or first.markup.embeds
    return _Found(first, tuple(map(str, urls))) if leads_to_app else _Found(front)


def _mounts(browser: Browser, page: Visit) -> Iterator[Mount]:
    if not isinstance(page.last, Reply):
        return
    if page.markup.tickets:
        mount = own_page(browser, page)
        yield mount
        if origin := browser.options.embedded_from:
            yield from_elsewhere(browser, mount.app, Address.of(origin))
    elif page.last.status < 400:
        for embed in page.markup.embeds[:MAX_EMBEDS]:
            app = app_of(embed, page)
            if app is not None:
                yield from_elsewhere(browser, app, page.last.address, source=source_of(embed, page),
                                     is_element=embed.is_element)


def _behind_prefix(browser: Browser, front: Visit) -> Visit | None:
    """The app's page below the path that was asked for, if a redirect has lost that path."""
    first, last = front.exchanges[0], front.last
    prefix = front.asked.app_path
    if not isinstance(first, Reply) or not first.is_redirect or not prefix:
        return None
    if last.address.host != front.asked.host or last.address.path.startswith(f"{prefix}/"):
        return None
    there = visit(browser, replace(last.address, path=prefix + last.address.path))
    return there if there.markup.tickets else None

"""From an address to a report. The walk sends the requests of a browser, in its order, and keeps all observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..base.errors import ConfigError
from .bounds import MAX_EMBEDS, DoctorOptions
from .browser import Browser
from .checks import check
from .findings import DoctorReport
from .observations import Examination, Exchange, Mount, PageVisit, TlsHandshake, Trouble
from .probes import app_of, examine_embedded, examine_own_page, source_of
from .products import sightings_of
from .remedies import advise
from .transport import NoConnection, examine_tls, resolve_name
from .urls import Url

_NO_REQUEST = b"hotshoe-doctor\r\n\r\n"
_NO_SERVER = (Trouble.NAME, Trouble.REFUSED, Trouble.UNREACHABLE, Trouble.UNANSWERED)


def examine(url: str, options: DoctorOptions = DoctorOptions()) -> DoctorReport:  # noqa: B008 - it is a value
    """Examine ``url``, which is an app, an index of apps or a page that embeds some, and report.

    Faults of servers are never raised. Raises ``ConfigError`` for an invalid address or option.
    """
    try:
        asked = Url.typed(url)
    except ValueError as error:
        raise ConfigError(f"{url!r:.200} is not a valid address: {error}") from None
    try:
        seen = walk(asked, options)
    except OSError as error:
        raise ConfigError(f"--cafile: {options.cafile} can't be read: {error.strerror or error}") from None
    sightings = sightings_of(seen)
    products = [sighting.kind for sighting in sightings]
    if options.proxy is not None:
        products = [options.proxy, *(product for product in products if product.is_server)]
    findings = check(seen, insecure=options.insecure)
    return DoctorReport(str(asked), sightings, tuple(advise(findings, products, options.upstream)))


def walk(asked: Url, options: DoctorOptions, *, clock: Callable[[], float] = time.time) -> Examination:
    """Send all requests that a browser would send to show the apps at an address.

    Never raises for faults of servers; raises ``OSError`` if the options' ``cafile`` can't be read.
    """
    browser = Browser(options, asked)
    if asked.is_secure or options.cafile is not None:
        _ = browser.trusted  # raises if the file can't be read
    seen = Examination(asked, clock())
    try:
        seen = replace(seen, addresses=resolve_name(asked, options.timeout_s))
        if asked.is_secure:
            seen = replace(seen, tls=_check_tls(browser, asked))
            if seen.tls is not None and seen.tls.failure is not None:
                return seen
        seen = _visit_entry(browser, seen)
    except NoConnection as error:
        return replace(seen, connection=error.failure)
    entry, page = seen.entry, seen.page
    if seen.connection is None and entry is not None and page is not None and page.trouble is None:
        browser.ask(page.address, most=8192, raw=_NO_REQUEST)  # proxies are recognised by their response
        seen = _examine_apps(browser, replace(seen, plain_http=_plain_http(browser, page)), entry, page)
    return replace(seen, replies=tuple(_replies(browser, seen)))


def _replies(browser: Browser, seen: Examination) -> Iterator[Exchange]:
    """The responses of the hosts that serve pages and apps, not those of hosts that only serve files."""
    hosts = {exchange.address.host for exchange in (seen.entry.exchanges if seen.entry else ())}
    hosts.update(mount.app.host for mount in seen.mounts)
    return (reply for reply in browser.replies if reply.address.host in hosts)


def _check_tls(browser: Browser, address: Url) -> TlsHandshake:
    tls = examine_tls(address, browser.options, browser.trusted)
    if tls.fault is not None:
        browser.unverified |= {address.host}
    return tls


def _visit_entry(browser: Browser, seen: Examination) -> Examination:
    entry = browser.visit(seen.asked)
    last = entry.last
    if last.address.is_secure and (seen.tls is None or last.address.host != seen.asked.host):
        # A redirect led to https, or to another host.
        tls = _check_tls(browser, last.address)
        if seen.tls is None or tls.fault is not None:
            seen = replace(seen, tls=tls)
        if tls.fault is not None:
            entry = browser.visit(seen.asked)
            last = entry.last
    if len(entry.exchanges) == 1 and last.trouble in _NO_SERVER:
        return replace(seen, entry=entry, connection=last)
    return replace(seen, entry=entry)


def _plain_http(browser: Browser, page: Exchange) -> Exchange | None:
    port = browser.options.http_port or (80 if page.address.port == 443 else None)
    if port is None or not page.address.is_secure or page.address.host != browser.home.host:
        return None
    return browser.ask(replace(page.address, scheme="http", port=port), most=0)


def _examine_apps(browser: Browser, seen: Examination, entry: PageVisit, page: Exchange) -> Examination:
    visit, choices = _app_page(browser, entry, page)
    seen = replace(seen, app_page=visit, choices=choices)
    mounts = list(_mounts(browser, visit))
    if not mounts and page.status == 404 and (there := _page_below_prefix(browser, entry)) is not None:
        seen = replace(seen, wrong_prefix=there.last.address, app_page=there)
        mounts = list(_mounts(browser, there))
    return replace(seen, mounts=tuple(mounts))


def _app_page(browser: Browser, entry: PageVisit, page: Exchange) -> tuple[PageVisit, tuple[str, ...]]:
    """The page itself; or if it is an index, the page of its first app, and the addresses of all its apps."""
    markup = entry.markup
    urls = []
    for link in () if markup.tokens or markup.embeds else markup.links:
        try:
            urls.append(page.address.join(link))
        except ValueError:
            continue
    urls = [url for url in urls if url.origin == page.address.origin]
    if urls:
        first = browser.visit(urls[0])
        if markup.is_index or first.markup.tokens or first.markup.embeds:
            return first, tuple(map(str, urls))
    return entry, ()


def _mounts(browser: Browser, page: PageVisit) -> Iterator[Mount]:
    if page.markup.tokens:
        mount = examine_own_page(browser, page)
        yield mount
        if origin := browser.options.embedded_from:
            yield examine_embedded(browser, mount.app, Url.of(origin))
    elif page.last.status < 400:
        for embed in page.markup.embeds[:MAX_EMBEDS]:
            app = app_of(embed, page)
            if app is not None:
                yield examine_embedded(browser, app, page.last.address, source=source_of(embed, page),
                                       is_element=embed.is_element)


def _page_below_prefix(browser: Browser, entry: PageVisit) -> PageVisit | None:
    """The app's page below the path that was asked for, if a redirect has lost that path."""
    first, last = entry.exchanges[0], entry.last
    prefix = first.address.app_path
    if not first.is_redirect or not prefix:
        return None
    if last.address.host != first.address.host or last.address.path.startswith(f"{prefix}/"):
        return None
    there = browser.visit(replace(last.address, path=prefix + last.address.path))
    return there if there.markup.tokens else None

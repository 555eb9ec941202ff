"""The page: its status, its redirects, whether there is an app on it, how long it takes, and whether it is cached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from itertools import pairwise

from ..browser import retry_url
from ..findings import Finding, duration, finding, size
from ..observations import Examination, Exchange, Mount, PageVisit, Trouble
from ..urls import facts_of, is_inner

_SLOW_S = 8.0
_SKEW_S = 60.0
_LOGIN = re.compile(r"(?<![a-z])(log-?in|sign-?in|oauth2?|authorize|saml2?|sso)(?![a-z])", re.IGNORECASE)
_STATUSES = {400: "page.bad-request", 403: "page.forbidden", 413: "headers.too-large/page", 429: "page.limited",
             431: "headers.too-large/page", 494: "headers.too-large/page", 500: "page.app-error",
             502: "page.bad-gateway", 503: "page.unavailable", 504: "page.gateway-timeout"}
_HOST_NAME = "This server does not know that name."
"""On hotshoe's page for a request with another host's name (``Front``)."""
_TROUBLES = {Trouble.TIMEOUT: "page.timeout", Trouble.TOO_LARGE: "page.malformed", Trouble.MALFORMED: "page.malformed"}


def check_page(seen: Examination) -> Iterator[Finding]:
    """The page at the address: its status, redirects, login and content."""
    if seen.entry is None or seen.connection is not None:
        return
    visit = seen.app_page or seen.entry
    yield from _check_redirects(seen, seen.entry)
    page = visit.last
    yield from _check_starts((page, *(mount.autoload for mount in seen.mounts if mount.is_embedded)))
    if seen.entry.loops or seen.entry.stray:
        return
    facts = facts_of(page.address)
    if page.trouble is not None:
        yield finding(_TROUBLES.get(page.trouble, "page.no-answer"), facts, address=page.address,
                      trouble=page.outcome, detail=f" ({page.detail})" if page.detail else "")
    elif (login := _login(visit, page)) is not None:
        yield finding("page.login", how=login)
    elif page.status >= 400:
        key = _refusal(seen, page, facts)
        yield finding(key, facts, status=page.status, reason=page.reason, path=page.address.path,
                      name=page.address.host)
    elif retry_url(page) is None:
        yield from _check_content(seen, visit, page, facts)


def _check_starts(exchanges: Iterable[Exchange | None]) -> Iterator[Finding]:
    """Whether hotshoe says that an app is starting: visitors see that, and wait."""
    for exchange in exchanges:
        if exchange is not None and exchange.starting_s:
            key, path = "page.starting" if retry_url(exchange) is None else "page.not-started", exchange.address.path
            yield finding(key, facts_of(exchange.address), path=path, took=duration(exchange.starting_s))


def _check_redirects(seen: Examination, visit: PageVisit) -> Iterator[Finding]:
    facts = facts_of(visit.last.address)
    if visit.loops:
        yield finding("page.redirect-loop", facts, target=visit.last.header("location"))
    elif visit.stray:
        yield finding("page.redirect-stray", facts, target=visit.stray)
    for before, after in pairwise(visit.exchanges):
        here, there = before.address, after.address
        if is_inner(there.host) and not is_inner(here.host):
            yield finding("page.redirect-inner", facts, target=there)
        elif here.is_secure and not there.is_secure:
            yield finding("page.redirect-insecure", facts, target=there)
    if seen.wrong_prefix is not None:
        asked = visit.exchanges[0].address.app_path
        facts = facts_of(visit.last.address, prefix=asked + "/", bare_prefix=asked)
        yield finding("page.redirect-lost-prefix", facts, asked=asked, target=visit.last.address.path,
                      there=seen.wrong_prefix.path)


def _login(visit: PageVisit, page: Exchange) -> str | None:
    """Words for the login that the page asks for; ``None`` if it asks for none."""
    if visit.markup.tokens or visit.markup.embeds:
        return None
    if page.status in (401, 407):
        return f"status {page.status}"
    is_led = len(visit.exchanges) > 1 and _LOGIN.search(str(page.address)) is not None
    is_login = page.status < 400 and (visit.markup.has_password or is_led)
    return f"a login page at {page.address.path}" if is_login else None


def _refusal(seen: Examination, page: Exchange, facts: dict[str, str]) -> str:
    """The key of the finding for a page whose status is an error."""
    if page.status == 403 and _HOST_NAME in page.text:
        return "page.host-name"
    if page.status != 404:
        return _STATUSES.get(page.status, "page.client-error" if page.status < 500 else "page.server-error")
    if seen.choices:
        return "page.not-found/index"
    return "page.not-found/prefix" if facts["bare_prefix"] else "page.not-found"


def _check_content(seen: Examination, visit: PageVisit, page: Exchange,
                   facts: dict[str, str]) -> Iterator[Finding]:
    length, took = size(len(page.body)), duration(page.elapsed_s)
    if len(seen.choices) > 1:
        yield finding("page.index", count=len(seen.choices), address=page.address, others=", ".join(seen.choices[1:8]))
    if page.is_cut:
        yield finding("page.cut", facts, size=length)
    if page.media_type not in ("text/html", "application/xhtml+xml"):
        yield finding("page.type", facts, media_type=page.media_type or "missing")
    if not seen.mounts:
        yield finding("page.no-app", facts, status=page.status, address=page.address, size=length,
                      cut=" Its end is missing." if visit.markup.is_cut else "")
        return
    count = len(visit.markup.embeds)
    what = "an app" + (f" “{visit.markup.title}”" if visit.markup.title else "")
    if count and not visit.markup.tokens:
        what = f"a page that embeds {count} app{'s' if count > 1 else ''}"
    yield finding("page.ok", status=page.status, what=what, size=length, took=took)
    if page.elapsed_s > _SLOW_S and not page.starting_s:
        yield finding("page.slow", facts, took=took)


def check_cache(seen: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """Whether the page comes from a cache, and whether the clocks are right."""
    if mount.visit is None or (token := mount.visit.token) is None:
        return
    page = mount.visit.last
    date_s, age = date_of(page), page.header("age").strip()[:9]
    is_same = mount.second_token is not None and mount.second_token.text == token.text \
        and "bokeh-token" not in page.address.query
    if is_same or (age.isdecimal() and int(age) > 0):
        yield finding("page.cached", facts, how="two visitors get the same token" if is_same else f"it is {age} s old")
    if date_s is None:
        return
    if not is_same and token.expires_at_s is not None and token.expires_at_s <= date_s:
        yield finding("page.token-expired", facts, ago=duration(date_s - token.expires_at_s))
    if abs(date_s - seen.now_s) > _SKEW_S and not age:
        yield finding("page.clock", facts, apart=duration(abs(date_s - seen.now_s)))


def date_of(reply: Exchange) -> float | None:
    """Its ``Date`` as Unix time."""
    try:
        return parsedate_to_datetime(reply.header("date")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None

"""Cookies that browsers do not send back, and the limits of request headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..cookies import Cookie, loss_of, parse_cookie
from ..findings import Finding, finding, size
from ..observations import Examination, Exchange, Mount
from ..urls import Url, facts_of

_TOO_LARGE = {0, 400, 413, 431, 494}
_USUAL_BYTES = 7_000
"""Most proxies accept headers of this size."""


def check_cookies(seen: Examination) -> Iterator[Finding]:
    """Whether a browser sends back the cookies that are set on the way to the app."""
    is_well, names = True, []
    for cookie, set_by, app, page in _cookies(seen):
        names.append(cookie.name)
        loss = loss_of(cookie, set_by, app, page)
        if loss is not None:
            is_well = False
            path, domain = cookie.get("path") or "/", cookie.get("domain")
            facts = facts_of(app, cookie=cookie.name, cookie_path=path, cookie_domain=domain.lstrip("."))
            yield finding(f"cookies.{loss.value}", facts, cookie=cookie.name, domain=domain, host=set_by.host,
                          path=path, app=app.path, page="" if page is None else page.origin,
                          mode=cookie.get("samesite") or "Lax (the default)")
    if names and is_well:
        yield finding("cookies.ok", names=", ".join(dict.fromkeys(names)))


def _cookies(seen: Examination) -> Iterator[tuple[Cookie, Url, Url, Url | None]]:
    """Each cookie with the address that set it, the app that needs it, and the page that embeds the app, if any."""
    visits = dict.fromkeys(visit for visit in (seen.entry, seen.app_page) if visit is not None)
    for cookie, set_by in _set_cookies(exchange for visit in visits for exchange in visit.exchanges):
        yield cookie, set_by, seen.mounts[0].app if seen.mounts else next(iter(visits)).last.address, None
    for mount in seen.mounts:
        if mount.is_embedded and mount.autoload is not None:
            for cookie, set_by in _set_cookies([mount.autoload]):
                yield cookie, set_by, mount.app, mount.page


def _set_cookies(exchanges: Iterable[Exchange]) -> Iterator[tuple[Cookie, Url]]:
    known: set[str] = set()
    for exchange in exchanges:
        for header in exchange.all("set-cookie"):
            cookie = parse_cookie(header)
            if cookie is not None and not cookie.deletes and cookie.name not in known:
                known.add(cookie.name)
                yield cookie, exchange.address


def check_sizes(seen: Examination, mount: Mount, facts: dict[str, str]) -> Iterator[Finding]:
    """How large a header may be: every request carries all cookies, the websocket's handshake also the token."""
    first = next((each for each in seen.mounts if each.sizes and each.sizes[0][1].trouble is None), None)
    if mount is not first:
        return
    plain = mount.sizes[0][1]

    def is_refused(exchange: Exchange) -> bool:
        return exchange.status in _TOO_LARGE - {plain.status}

    largest = max(count for count, exchange in mount.sizes if not is_refused(exchange))
    token = 0 if mount.token is None else len(mount.token.text)
    refused = next((pair for pair in mount.sizes if is_refused(pair[1])), None)
    if refused is None:
        yield finding("headers.ok", size=size(largest), token=size(token))
        return
    count, exchange = refused
    opens = mount.talk is not None and mount.talk.is_websocket
    case = "too-large" if not largest or (largest < token and not opens) else \
        "small" if largest < _USUAL_BYTES else "usual"
    yield finding(f"headers.{case}", facts, size=size(count), how=exchange.outcome,
                  smaller=f"; a header of {size(largest)} is accepted" if largest else "")

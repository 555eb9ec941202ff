"""Cookies that are set and never come back, and headers that are too large for somebody on the way."""

from __future__ import annotations

from collections.abc import Iterator

from ...loopback import is_local_host
from ..addresses import Address
from ..cookies import Cookie, Loss, loss_of, parse_cookie
from ..findings import Finding, info, ok, problem, warning
from ..observations import Examination, Exchange, Failure, Reply, Sizes
from ..words import size
from .places import facts_of

_TOO_LARGE = (400, 413, 431, 494)
_SAYS = {
    Loss.INSECURE: ("insecure", "is Secure, but the page came by http: browsers drop it",
                    "Serve the page by https; if a proxy ends TLS, redirect plain http to it."),
    Loss.SAME_SITE: ("samesite", "is SameSite=None without Secure: browsers drop it",
                     "Set Secure as well; the server does where it knows that visitors come by https "
                     "(X-Forwarded-Proto)."),
    Loss.DOMAIN: ("domain", "is for the domain {domain}, which is not the page's {host}: browsers drop it",
                  "Set no Domain, or have the proxy rewrite it."),
    Loss.PREFIX: ("prefix", "has a name that begins with __Host- or __Secure- and not what that demands: browsers "
                            "drop it",
                  "Serve it by https, with Secure, Path=/ and without a Domain."),
    Loss.PATH: ("path", "is for the path {path}, which does not cover the app's {app}: browsers do not send it",
                "Have the proxy rewrite the path of cookies along with that of pages, or pass paths on as they are."),
}


def check_cookies(seen: Examination) -> Iterator[Finding]:
    """Whether a browser sends back what was set on the way to the app."""
    app = _app(seen)
    if app is None:
        return
    found = list(_cookies(seen))
    lost = 0
    for cookie, set_by in found:
        loss = loss_of(cookie, set_by, app, is_local=is_local_host(set_by.host))
        if loss is None or loss not in _SAYS:
            continue
        lost += 1
        name, words, change = _SAYS[loss]
        path, domain = cookie.get("path") or "/", cookie.get("domain") or ""
        said = words.format(domain=domain, host=set_by.host, path=path, app=app.path)
        facts = facts_of(app, cookie_path=path, cookie_domain=domain.lstrip("."))
        yield problem(f"cookies.{name}", f"The cookie {cookie.name} {said}.", change, **facts)
    if found and not lost:
        names = ", ".join(dict.fromkeys(cookie.name for cookie, _ in found))
        yield ok("cookies.ok", f"A browser keeps and sends back what is set ({names}).")


def _app(seen: Examination) -> Address | None:
    if seen.mounts:
        return seen.mounts[0].app
    return seen.page.address if isinstance(seen.page, Reply) else None


def _cookies(seen: Examination) -> Iterator[tuple[Cookie, Address]]:
    known: set[str] = set()
    exchanges: list[Exchange] = [] if seen.front is None else list(seen.front.exchanges)
    if seen.visited is not None and seen.visited is not seen.front:
        exchanges.extend(seen.visited.exchanges)
    for exchange in exchanges:
        for header in exchange.all("set-cookie") if isinstance(exchange, Reply) else ():
            cookie = parse_cookie(header)
            if cookie is not None and not cookie.deletes and cookie.name not in known:
                known.add(cookie.name)
                yield cookie, exchange.address


def check_sizes(seen: Examination) -> Iterator[Finding]:
    """How large a header may be: the websocket's carries the token, and every request all cookies."""
    for mount in seen.mounts:
        if mount.sizes is None or not isinstance(mount.sizes.plain, Reply):
            continue
        token = 0 if mount.ticket is None else len(mount.ticket.text)
        opens = mount.talk is not None and mount.talk.is_websocket
        yield _said(mount.sizes, token, opens, facts_of(mount.app))
        return


def _said(sizes: Sizes, token: int, opens: bool, facts: dict[str, str]) -> Finding:
    good = [count for count, exchange in sizes.padded if not _is_too_large(exchange, sizes.plain)]
    bad = [(count, exchange) for count, exchange in sizes.padded if _is_too_large(exchange, sizes.plain)]
    if not bad:
        return ok("headers.ok", f"A header of {size(max(good, default=0))} gets through; the token has {size(token)}.")
    count, exchange = bad[0]
    how = exchange.trouble.value if isinstance(exchange, Failure) else f"{exchange.status} {exchange.reason}"
    smaller = f", one of {size(max(good))} gets through" if good else ""
    words = f"A header of {size(count)} is refused ({how}){smaller}"
    change = ("Raise the limit for request headers: single sign-on alone sets 4 to 8 KB of cookies, and under bokeh "
              "serve the websocket's token carries them again.")
    if not good or (max(good) < token and not opens):
        return problem("headers.too-large", f"{words}.", change, **facts)
    if max(good) < 7_000:
        return warning("headers.small", f"{words}.", change, **facts)
    return info("headers.usual", f"{words}. That is the common limit, and enough but for sites with very many cookies.",
                **facts)


def _is_too_large(exchange: Exchange, plain: Exchange) -> bool:
    if isinstance(exchange, Failure):
        return True
    return exchange.status in _TOO_LARGE and isinstance(plain, Reply) and exchange.status != plain.status

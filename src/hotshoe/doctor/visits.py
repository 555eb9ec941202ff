"""A page asked for as a browser does: redirects are followed, cookies kept."""

from __future__ import annotations

from .addresses import Address
from .exchanges import Browser
from .markup import NOTHING, Markup, read_markup
from .observations import Exchange, Failure, Reply, Visit
from .options import MAX_REDIRECTS
from .starting import until_there

_PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip",
         "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


def visit(browser: Browser, address: Address) -> Visit:
    """Ask for a page, and follow where it leads."""
    exchanges: list[Exchange] = []
    asked, seen = address, set[str]()
    while True:
        exchange = until_there(browser, address, _PAGE, keeps=True)
        exchanges.append(exchange)
        if isinstance(exchange, Failure):
            return Visit(asked, tuple(exchanges))
        if not exchange.is_redirect:
            return Visit(asked, tuple(exchanges), _read(exchange))
        seen.add(str(address))
        location = exchange.header("location")
        try:
            address = address.join(location)
        except ValueError:
            return Visit(asked, tuple(exchanges), stray=location)
        if len(exchanges) > MAX_REDIRECTS or (str(address) in seen and not exchange.header("set-cookie")):
            return Visit(asked, tuple(exchanges), loops=True)


def _read(reply: Reply) -> Markup:
    return read_markup(reply.text) if reply.media_type in ("", "text/html", "application/xhtml+xml", "text/plain") \
        else NOTHING

"""Apps that take long to begin: hotshoe answers that they are starting, and is asked again until they are there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from .addresses import Address
from .exchanges import Browser
from .markup import read_markup
from .observations import Exchange, Reply

_QUICK_S = 1.0
"""The server waits before it says the same again; if something on the way does not, we do."""


def again_of(exchange: Exchange) -> Address | None:
    """Where to ask again, if the answer is that the app is starting: at the same place, for the same session."""
    if not isinstance(exchange, Reply) or exchange.status != 202:
        return None
    reference = read_markup(exchange.text).again
    try:
        again = exchange.address.join(reference)
    except ValueError:
        return None
    here = exchange.address
    return again if reference and (again.origin, again.path) == (here.origin, here.path) else None


def until_there(browser: Browser, address: Address, headers: Mapping[str, str], *, keeps: bool = False) -> Exchange:
    """Ask for an app's page or script, and ask again while it is starting. The answer counts as that of ``address``.

    It is given up after the options' ``start_s``; the answer then still says that the app is starting. Cookies are
    kept if it ``keeps`` them, as a browser does of a page.
    """
    started = time.monotonic()
    exchange = browser.ask(address, headers=headers, timeout_s=browser.options.patience_s)
    if keeps:
        browser.keep_from(exchange)
    is_slow = False
    while (again := again_of(exchange)) is not None:
        is_slow = True
        if time.monotonic() - started > max(browser.options.start_s, browser.options.timeout_s):
            break
        if isinstance(exchange, Reply) and exchange.elapsed_s < _QUICK_S:
            time.sleep(_QUICK_S)
        # As in a browser, which then shows the app at the page's own address.
        exchange = replace(browser.ask(again, headers=headers, timeout_s=browser.options.patience_s), address=address)
        if keeps:
            browser.keep_from(exchange)
    seconds = time.monotonic() - started
    return replace(exchange, elapsed_s=seconds, starting_s=seconds) if is_slow and isinstance(exchange, Reply) \
        else exchange

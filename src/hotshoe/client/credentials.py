"""The token that opens a session: given, made here, or asked of the server where it takes only its own."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

from bokeh.settings import settings

from ..errors import ClientError, RefusedError, TokenError
from ..tokens import mint, new_session_id, read
from .addresses import Address

LIFETIME_S = 300
_TIMEOUT_S = 60.0
_MAX_PAGE_BYTES = 64 * 1024 * 1024
_TOKEN = re.compile(r'\\?"token\\?"\s*:\s*\\?"([A-Za-z0-9_.=-]+)\\?"')


class Credentials:
    """Who we say we are, for each attempt to connect."""

    def __init__(self, session_id: str | None, token: str | None, address: Address, headers: Mapping[str, str],
                 tls: ssl.SSLContext | None) -> None:
        self._address = address
        self._headers = {**address.headers, **headers}
        self._tls = tls
        self._given = token
        self._asks = False
        self.may_ask = session_id is None and token is None
        """Whether any session will do, so that the server may be asked for one."""
        self.session_id = session_id or (_id_of(token) if token else new_session_id(key=_key()))

    async def token(self) -> str:
        """The token for the next attempt. Raises ``ClientError`` if the server gives none."""
        if self._given is not None:
            token, self._given = self._given, None  # it expires; later ones are asked for
            self._asks = True
            return token
        if self._asks:
            return await self._ask({"bokeh-session-id": self.session_id})
        return mint(self.session_id, now_s=time.time(), lifetime_s=LIFETIME_S, key=_key())

    async def refused(self) -> bool:
        """The server has not taken a token made here; whether it makes sense to try once more, with one of its own."""
        if not self.may_ask:
            return False
        self.may_ask = False
        try:
            self._given = await self._ask({})
        except ClientError:  # what it said first says more
            return False
        self.session_id = _id_of(self._given)
        return True

    async def _ask(self, named: Mapping[str, str]) -> str:
        query = "&".join(filter(None, (self._address.query, urlencode(named))))
        url = f"{self._address.page}?{query}" if query else self._address.page
        text = await asyncio.to_thread(self._page, url)
        found = _TOKEN.search(text)
        if found is None:
            raise ClientError(f"the page at {self._address.page} carries no session token; is it a page of Bokeh?")
        return found[1]

    def _page(self, url: str) -> str:
        request = urllib.request.Request(url, headers=dict(self._headers))  # noqa: S310  # http or https only
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls) as answer:  # noqa: S310
                return str(answer.read(_MAX_PAGE_BYTES), "utf-8", "replace")
        except urllib.error.HTTPError as error:
            error.close()
            raise RefusedError(f"{self._address.page} answered with status {error.code}", status=error.code) from None
        except OSError as error:
            raise ClientError(f"no page at {self._address.page}: {error}") from error


def _key() -> bytes | None:
    """The key that bokeh's settings name: what is signed is taken by servers that ask for it, and by all others."""
    key: str | None = settings.secret_key()
    return key.encode() if key else None


def _id_of(token: str) -> str:
    try:
        return read(token).session_id
    except TokenError as error:
        raise ClientError(f"this is no session token: {error.detail}") from error

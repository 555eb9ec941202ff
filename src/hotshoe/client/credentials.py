"""The token that opens a session: given by the program, made here, or requested from a server that accepts no other."""

from __future__ import annotations

import re
import ssl
import time
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlencode

from bokeh.settings import settings

from ..base.errors import ClientError, RefusedError, TokenError
from ..base.process_threads import in_thread
from ..tokens import mint, new_session_id, read
from .address import AppAddress, describe_redirect, is_same_origin

LIFETIME_S = 300
_TIMEOUT_S = 60.0
_MAX_PAGE_BYTES = 64 * 1024 * 1024
_TOKEN = re.compile(r'\\?"token\\?"\s*:\s*\\?"([A-Za-z0-9_.=-]+)\\?"')


class Credentials:
    """The token for each attempt to connect."""

    def __init__(self, session_id: str | None, token: str | None, address: AppAddress, headers: Mapping[str, str],
                 tls: ssl.SSLContext | None) -> None:
        self._address = address
        self._headers = headers
        self._tls = tls
        self._given = token
        self._requests_tokens = False
        self.may_ask = session_id is None and token is None
        """Whether any session will do, so that one may be requested from the server."""
        self.session_id = session_id or (_id_of(token) if token else new_session_id(key=_key()))

    async def token(self) -> str:
        """The token for the next attempt. Raises ``ClientError`` if the server gives none."""
        if self._given is not None:
            token, self._given = self._given, None  # it expires, so later ones are requested
            self._requests_tokens = True
            return token
        if self._requests_tokens:
            return await self._request({"bokeh-session-id": self.session_id})
        return mint(self.session_id, now_s=time.time(), lifetime_s=LIFETIME_S, key=_key())

    async def replace(self) -> bool:
        """Request a token, after the server has refused one that was made here. Returns whether there is one."""
        if not self.may_ask:
            return False
        self.may_ask = False
        try:
            self._given = await self._request({})
        except RedirectedError:  # a better error than that of the refused websocket
            raise
        except ClientError:  # a worse one
            return False
        self.session_id = _id_of(self._given)
        return True

    async def _request(self, named: Mapping[str, str]) -> str:
        query = "&".join(filter(None, (self._address.query, urlencode(named))))
        url = f"{self._address.page}?{query}" if query else self._address.page
        text, found_at = await in_thread(self._page, url)
        found = _TOKEN.search(text)
        if found is not None:
            return found[1]
        if found_at == url:
            raise ClientError(f"the page at {self._address.page} has no session token; is it a page of a Bokeh app?")
        raise ClientError(f"{self._address.page} {describe_redirect(url, found_at)}: there is no session token")

    def _page(self, url: str) -> tuple[str, str]:
        """The page, and its address after redirects."""
        request = urllib.request.Request(url, headers=dict(self._headers))  # noqa: S310  # http or https only
        opener = urllib.request.build_opener(_WithinOrigin, urllib.request.HTTPSHandler(context=self._tls))
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as response:
                return str(response.read(_MAX_PAGE_BYTES), "utf-8", "replace"), response.geturl()
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refusal(url, error) from None
        except (OSError, HTTPException, ValueError) as error:
            raise ClientError(f"can't load {self._address.page}: {error}") from error

    def _refusal(self, url: str, error: urllib.error.HTTPError) -> RefusedError:
        if 300 <= error.code < 400:
            text = describe_redirect(url, error.headers.get("Location", "nowhere"))
            return RedirectedError(f"{self._address.page} {text}", status=error.code)
        return RefusedError(f"{self._address.page} answered with status {error.code}", status=error.code)


class RedirectedError(RefusedError):
    """The page redirects to another origin, where no credentials are sent, or in a circle."""


class _WithinOrigin(urllib.request.HTTPRedirectHandler):
    """Follows redirects only within one scheme, host and port, because they carry all headers, credentials too."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage,
                         newurl: str) -> urllib.request.Request | None:
        if not is_same_origin(req.full_url, newurl):
            return None  # urllib then raises the redirect as HTTPError
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
                       headers: HTTPMessage) -> urllib.response.addinfourl | None:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:  # the redirect has no valid address, and urllib leaves the response open
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _key() -> bytes | None:
    """The key in bokeh's settings. Servers that require signed ids accept ids with it, and all other servers too."""
    key: str | None = settings.secret_key()
    return key.encode() if key else None


def _id_of(token: str) -> str:
    try:
        return read(token).session_id
    except TokenError as error:
        raise ClientError(f"token= is not a session token: {error.detail}") from error

"""HTTP requests to a login provider, limited in time and size. Redirects are not followed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import httpx

from ..base.errors import RequestError
from ..base.logs import PacedLog

PATIENCE_S = 10.0
_MOST_BYTES = 1024 * 1024
_log = PacedLog(logging.getLogger(__name__))


class Fetcher:
    """Fetches JSON. The usual environment variables name proxies and certificates."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._known_client: httpx.AsyncClient | None = None
        # httpx logs each URL, which would reveal every login.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """GET a URL and return its JSON value. Raises ``RequestError``, whose text is for the user."""
        status, value = await self._fetch("GET", url, headers=headers)
        if status != 200:
            raise self._log_failure(url, f"it answered with status {status}")
        return value

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        """POST a form and return the response's status and JSON value."""
        return await self._fetch("POST", url, headers=headers, body=body)

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._known_client = self._known_client, None
        if client is not None:
            await client.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._known_client is None:
            self._known_client = httpx.AsyncClient(timeout=self._patience_s, follow_redirects=False)
        return self._known_client

    async def _fetch(self, method: str, url: str, *, headers: Mapping[str, str] | None = None,
                     body: str | None = None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", **(headers or {})}
        try:
            async with (asyncio.timeout(self._patience_s),
                        self._client.stream(method, url, headers=headers, content=body) as response):
                return response.status_code, json.loads(await self._read(response))
        except TimeoutError:
            raise self._log_failure(url, "it did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._log_failure(url, str(error) or type(error).__name__) from None
        except (ValueError, RecursionError):
            raise self._log_failure(url, "its response is not JSON") from None

    @staticmethod
    async def _read(response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise ValueError("too large")
        return bytes(body)

    @staticmethod
    def _log_failure(url: str, reason: str) -> RequestError:
        """Log URL and reason; return the error for the user, without them."""
        _log.error("Could not use the login provider: %s: %s", url, reason)
        return RequestError("The login provider can't be reached at this moment.", status=502)

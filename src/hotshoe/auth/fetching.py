"""Requests to a provider: within a time and a size, and never to where a redirect leads."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import httpx

from ..errors import RequestError

PATIENCE_S = 10.0
_MOST_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)


class Fetcher:
    """Fetches JSON. Proxies and certificates are those that the environment names, as for other programs."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._known_client: httpx.AsyncClient | None = None
        # Its lines would have the addresses of every login.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The value at an address. Raises ``RequestError``, whose words are for the visitor."""
        status, value = await self._fetch("GET", url, headers=headers)
        if status != 200:
            raise self._failed(url, f"it answered with status {status}")
        return value

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and value that a form is answered with."""
        return await self._fetch("POST", url, headers=headers, body=body)

    async def close(self) -> None:
        """Close the connections; they open again when something is fetched."""
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
            raise self._failed(url, "it did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._failed(url, str(error) or type(error).__name__) from None
        except (ValueError, RecursionError):
            raise self._failed(url, "its answer is no JSON") from None

    @staticmethod
    async def _read(response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise ValueError("too large")
        return bytes(body)

    @staticmethod
    def _failed(url: str, reason: str) -> RequestError:
        """For the log: where and why; for the visitor: that it is not their fault."""
        _log.error("The login provider can't be used: %s: %s", url, reason)
        return RequestError("The login provider can't be reached at this moment.", status=502)

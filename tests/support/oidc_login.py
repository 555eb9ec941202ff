"""Logging in at the provider of oidc_provider.py."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx

KEYS = (b"k" * 32,)


async def agree(page_url: str, user: str, go: str = "yes") -> str:
    """Fill in the provider's form; where it sends the user back to."""
    query = {name: values[-1] for name, values in parse_qs(urlsplit(page_url).query).items()}
    async with httpx.AsyncClient(timeout=40) as client:
        answer = await client.post(page_url, data={**query, "user": user, "go": go})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def log_in(visitor: httpx.AsyncClient, user: str = "ada", page: str = "/login?next=/app?x=1") -> httpx.Response:
    answer = await visitor.get(page)
    assert answer.status_code == 303, answer.text
    return await visitor.get(await agree(answer.headers["location"], user))

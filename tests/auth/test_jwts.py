"""Keys at an address: fetched once for many, kept while the provider is down, and no more often than they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.support.cookie_client import SetClock

from hotshoe.auth.fetching import Fetcher
from hotshoe.auth.jwts import RemoteKeys, TokenInvalid, Verifier
from hotshoe.base.errors import RequestError

FIRST, SECOND = (ECKey.generate_key("P-256", {"kid": name}) for name in ("first", "second"))


class Store(Fetcher):
    """Answers with keys from memory."""

    def __init__(self, *keys: ECKey) -> None:
        super().__init__()
        self.keys = keys
        self.asked = 0
        self.is_down = False

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise RequestError("down", status=502)
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


def token(key: ECKey, now: float) -> str:
    claims = {"aud": "us", "exp": now + 100_000, "sub": key.kid}
    return jwt.encode({"alg": "ES256", "kid": key.kid or ""}, claims, key)


def verifier(store: Store, clock: SetClock) -> Verifier:
    return Verifier(RemoteKeys(store, "http://localhost/jwks", clock), audience="us", issuer=None, clock=clock)


async def test_many_at_once_fetch_once() -> None:
    store, clock = Store(FIRST), SetClock()
    checking = verifier(store, clock)
    found = await asyncio.gather(*(checking.claims(token(FIRST, clock.now)) for _ in range(20)))
    assert [claims["sub"] for claims in found] == ["first"] * 20
    assert store.asked == 1


async def test_unknown_keys_do_not_make_a_flood() -> None:
    store, clock = Store(FIRST), SetClock()
    checking = verifier(store, clock)
    for _ in range(30):
        with pytest.raises(TokenInvalid, match="not signed by any of the provider's keys"):
            await checking.claims(token(SECOND, clock.now))
        clock.now += 1
    assert store.asked == 3, "once in ten seconds"
    store.keys = (SECOND,)
    clock.now += 10
    assert (await checking.claims(token(SECOND, clock.now)))["sub"] == "second"
    with pytest.raises(TokenInvalid):
        await checking.claims(token(FIRST, clock.now))


async def test_a_key_that_was_withdrawn_counts_an_hour_at_most() -> None:
    store, clock = Store(FIRST), SetClock()
    checking = verifier(store, clock)
    signed = token(FIRST, clock.now)
    await checking.claims(signed)
    store.keys = (SECOND,)
    clock.now += 3599
    await checking.claims(signed)
    clock.now += 2
    with pytest.raises(TokenInvalid):
        await checking.claims(signed)


async def test_while_the_provider_is_down_what_is_known_counts() -> None:
    store, clock = Store(FIRST), SetClock()
    checking = verifier(store, clock)
    signed = token(FIRST, clock.now)
    store.is_down = True
    with pytest.raises(RequestError):
        await checking.claims(signed)
    store.is_down = False
    clock.now += 10
    await checking.claims(signed)
    store.is_down = True
    clock.now += 7200
    await checking.claims(signed)

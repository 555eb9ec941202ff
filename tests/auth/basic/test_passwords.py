"""Hashes of passwords: argon2id, few at once, and nothing told by time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher

from hotshoe.auth.basic.passwords import LONGEST, Passwords, hash_password
from hotshoe.base.errors import RequestError

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_only_the_password_matches() -> None:
    passwords = Passwords(QUICK)
    hashed = hash_password("correct horse", QUICK)
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, "correct horse")
    for wrong in ("", "correct hors", "correct horse\x00", "Correct horse", "x" * 5000, "\ud800", "correct horse "):
        assert not await passwords.matches(hashed, wrong)
    assert not await passwords.matches("$argon2id$no hash at all", "correct horse")
    assert not await passwords.matches(None, "nobody has this password")
    passwords.close()


async def test_letters_that_look_the_same_are_the_same() -> None:
    passwords = Passwords(QUICK)
    assert await passwords.matches(hash_password("caf\u00e9 \u00e0 la carte", QUICK), "cafe\u0301 a\u0300 la carte")
    passwords.close()


def test_short_and_endless_passwords_are_none() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        hash_password("1234567", QUICK)
    with pytest.raises(ValueError, match="at most"):
        hash_password("x" * (LONGEST + 1), QUICK)


async def test_an_unknown_user_costs_as_much() -> None:
    class Counting(PasswordHasher):
        verified: list[str] = []

        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002
            self.verified.append(str(hash))
            return super().verify(hash, password)

    hasher = Counting(time_cost=2, memory_cost=16, parallelism=1)
    passwords = Passwords(hasher)
    hashed = hash_password("correct horse", hasher)
    for each in (hashed, None):
        assert not await passwords.matches(each, "wrong password")
    known, unknown = (verified.rsplit("$", 2)[0] for verified in hasher.verified)
    assert known == unknown, "the same algorithm with the same parameters"
    passwords.close()


async def test_few_run_at_once_and_few_wait() -> None:
    release, running, most = threading.Event(), [], []

    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002
            running.append(1)
            most.append(len(running))
            release.wait(60)
            running.pop()
            return super().verify(hash, password)

    passwords = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1))
    hashed = hash_password("correct horse", QUICK)
    tasks = [asyncio.create_task(passwords.matches(hashed, "correct horse")) for _ in range(60)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION, timeout=60)
    assert all(isinstance(task.exception(), RequestError) for task in done)
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert max(most) <= 2
    assert results.count(True) == 52
    assert await passwords.matches(hashed, "correct horse"), "afterwards there is room again"
    passwords.close()


async def test_weak_hashes_are_replaced() -> None:
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    old = hash_password("correct horse", QUICK)
    new = await passwords.stronger_hash(old, "correct horse")
    assert new is not None
    assert await passwords.matches(new, "correct horse")
    assert await passwords.stronger_hash(new, "correct horse") is None
    passwords.close()

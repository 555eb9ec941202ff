"""The contract of ``Accounts``, for the users file and for accounts that are in no file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.accounts import MemoryAccounts, write_users

from hotshoe.auth.accounts import Account, Accounts
from hotshoe.auth.basic import users_file
from hotshoe.auth.basic.users_file import UsersFile

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g"
OTHER = HASH[:-1] + "h"
ADA = Account("ada", HASH, "ada@example.org", frozenset({"staff", "a"}))
BOB = Account("jürgen@navy.mil", HASH)

Make = Callable[..., Accounts]


@pytest.fixture(params=["file", "memory"])
async def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes ``Accounts``; in a file, all those of a test are in the same one, as in several processes."""
    monkeypatch.setattr(users_file, "LOOK_EVERY_S", 0.01)
    write_users(tmp_path / "users", ADA, BOB)
    shared, made = MemoryAccounts(ADA, BOB), list[Accounts]()

    def make() -> Accounts:
        made.append(UsersFile(tmp_path / "users") if request.param == "file" else shared)
        return made[-1]

    yield make
    for accounts in made:
        await accounts.close()


async def test_accounts_are_found(make: Make) -> None:
    accounts = make()
    assert await accounts.find("ada") == ADA
    assert await accounts.find("Ada") is None
    assert await accounts.all() == {"ada": ADA, BOB.name: BOB}


async def test_an_account_is_added_changed_and_removed(make: Make) -> None:
    accounts, elsewhere = make(), make()
    eve, changed = Account("eve", HASH), Account("eve", OTHER, "eve@example.org", frozenset({"guests"}))
    for old, new in ((None, eve), (eve, changed), (changed, None)):
        assert await accounts.change(old, new)
        for each in (accounts, elsewhere):
            assert await each.find("eve") == new
    assert await accounts.all() == {"ada": ADA, BOB.name: BOB}


@pytest.mark.parametrize(("old", "new"), [
    (None, replace(ADA, hash=OTHER)), (replace(ADA, hash=OTHER), ADA), (replace(ADA, email=""), None),
    (Account("none", HASH), Account("none", OTHER)), (Account("none", HASH), None)])
async def test_what_is_not_as_it_was_is_not_changed(make: Make, old: Account | None, new: Account | None) -> None:
    accounts = make()
    assert not await accounts.change(old, new)
    assert await accounts.all() == {"ada": ADA, BOB.name: BOB}


async def test_nothing_becomes_nothing(make: Make) -> None:
    assert await make().change(None, None)
    with pytest.raises(ValueError, match="rename"):
        await make().change(ADA, BOB)


async def test_of_many_changes_at_once_one_succeeds(make: Make) -> None:
    processes = [make() for _ in range(3)]
    news = [replace(ADA, email=f"{number}@example.org") for number in range(30)]
    done = await asyncio.gather(*(processes[number % 3].change(ADA, new) for number, new in enumerate(news)))
    assert done.count(True) == 1
    for accounts in processes:
        assert await accounts.find("ada") == news[done.index(True)]


async def test_no_change_is_lost(make: Make) -> None:
    processes = [make() for _ in range(3)]
    await asyncio.gather(*(processes[number % 3].change(None, Account(f"user{number}", HASH)) for number in range(30)))
    assert len(await processes[0].all()) == 32


async def test_changes_of_others_are_seen(make: Make) -> None:
    accounts, elsewhere = make(), make()
    changes = await accounts.watch()
    eve = Account("eve", HASH)
    for old, new in ((None, eve), (eve, replace(eve, groups=frozenset({"a"}))), (ADA, None)):
        assert await elsewhere.change(old, new)
        seen = await asyncio.wait_for(anext(changes), 40)
        assert seen == {(old or new).name}  # type: ignore[union-attr]


async def test_no_change_is_missed_after_watching_has_begun(make: Make) -> None:
    accounts = make()
    changes = await accounts.watch()
    for account in (ADA, BOB):
        assert await accounts.change(account, None)
    seen: set[str] = set()
    async with asyncio.timeout(40):
        while seen != {"ada", BOB.name}:
            seen |= await anext(changes)


async def test_after_closing_it_opens_again(make: Make) -> None:
    accounts = make()
    for _ in range(2):
        assert await accounts.find("ada") == ADA
        await accounts.close()


@pytest.mark.parametrize(("fields", "words"), [
    ({"name": "a:b"}, "not a name"), ({"name": ""}, "not a name"), ({"name": "a\nroot"}, "not a name"),
    ({"name": "x" * 65}, "not a name"), ({"name": "a b"}, "not a name"), ({"email": "nobody"}, "e-mail"),
    ({"email": "a@b:c"}, "e-mail"), ({"email": "a@b\nroot"}, "e-mail"), ({"groups": frozenset({"a,b"})}, "group"),
    ({"groups": frozenset({"a:b"})}, "group"), ({"hash": "secret"}, "argon2"), ({"hash": HASH + "\n"}, "argon2"),
])
def test_nothing_breaks_out_of_its_line(fields: dict[str, object], words: str) -> None:
    values: dict[str, object] = {"name": "ada", "hash": HASH, "email": "", "groups": frozenset(), **fields}
    with pytest.raises(ValueError, match=words):
        Account(**values)  # type: ignore[arg-type]

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.client.scripted import Caller, scripted

from hotshoe.client.addresses import Address
from hotshoe.client.credentials import Credentials
from hotshoe.errors import ClientError
from hotshoe.tokens import mint, read

KEY = b"k" * 32
ADDRESS = Address.of("http://h/a")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOKEH_SECRET_KEY", raising=False)


def credentials(session_id: str | None = None, token: str | None = None, address: Address = ADDRESS,
                **headers: str) -> Credentials:
    return Credentials(session_id, token, address, headers, None)


async def test_a_token_of_our_own_for_each_attempt() -> None:
    ours = credentials("mine")
    for _ in range(2):
        token = read(await ours.token())
        assert token.session_id == "mine"
        assert token.expires_at_s is not None
    assert not await ours.refused()


async def test_with_bokehs_key_ids_and_tokens_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_SECRET_KEY", KEY.decode())
    ours = credentials()
    assert read(await ours.token(), key=KEY).session_id == ours.session_id


async def test_a_given_token_names_the_session() -> None:
    token = mint("given", now_s=0, lifetime_s=1)
    ours = credentials(token=token)
    assert ours.session_id == "given"
    assert await ours.token() == token


def test_what_is_no_token() -> None:
    with pytest.raises(ClientError, match="no session token"):
        credentials(token="%%%")


async def nothing(caller: Caller) -> None:
    await asyncio.Event().wait()


async def test_a_refused_one_is_replaced_by_that_of_a_page_and_renewed_from_there() -> None:
    asked: list[Any] = []
    token = mint("theirs", now_s=0, lifetime_s=1, key=KEY)

    def answer(request: Any) -> tuple[int, str]:
        asked.append((request.path, request.headers.get("X-Way")))
        return 200, f'<script>const items = [{{"docid":"1","token":"{token}","roots":{{}}}}]</script>'

    async with scripted(nothing, answer=answer) as url:
        ours = Credentials(None, None, Address.of(url, {"a": "1"}), {"X-Way": "up"}, None)
        assert await ours.refused()
        assert ours.session_id == "theirs"
        assert await ours.token() == token
        assert await ours.token() == token
        assert not await ours.refused()
    assert asked == [("/app?a=1", "up"), ("/app?a=1&bokeh-session-id=theirs", "up")]


@pytest.mark.parametrize("found", [(200, "<form>who are you?</form>"), (403, "no"), (500, "oops")])
async def test_a_page_without_a_token_leaves_the_refusal_as_it_is(found: tuple[int, str]) -> None:
    async with scripted(nothing, answer=lambda request: found) as url:
        assert not await credentials(address=Address.of(url)).refused()

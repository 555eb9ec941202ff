"""What a site has said of a visitor counts for a second, for the files of a page: never longer, and for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

import hotshoe
from hotshoe.base.errors import AccessError
from hotshoe.http.scopes import ADMISSION
from hotshoe.web.mount import Asgi
from hotshoe.web.site import consents
from hotshoe.web.site.consents import KEPT_S, Consents, client_key

ANN = {"Cookie": "who=ann"}


class Site:
    """Lets in whoever has a cookie of somebody who is logged in, and counts how often it is asked."""

    def __init__(self) -> None:
        self.extensions = {"hotshoe": self}
        self.apps: dict[str, Any] = {}
        self.logged_in = {"ann", "bob"}
        self.asked = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    def join(self, urls: list[str]) -> None: ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("no lifespan")
        self.asked += 1
        who = Request(scope).cookies.get("who")
        is_in = who in self.logged_in
        await self.go_on.wait()
        proof = scope[ADMISSION].admit(scope[ADMISSION].app, user=who) if is_in else {}
        await Response(status_code=204 if is_in else 401, headers=proof)(scope, receive, send)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def clock() -> list[float]:
    """The time, which stands still unless a test says otherwise."""
    return [100.0]


@pytest.fixture
async def client(site: Site, tmp_path: Path, clock: list[float]) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("app", "other"):
        (tmp_path / name / "static").mkdir(parents=True)
        (tmp_path / name / "main.py").write_text("")
        for number in range(20):
            (tmp_path / name / "static" / f"{number}.css").write_text("p {}")
    both: Asgi = hotshoe.wrap(site, {f"/{name}": str(tmp_path / name) for name in ("app", "other")})
    site_check = both.front._gate._site_check
    assert site_check is not None
    site_check._consents._clock = lambda: clock[0]
    transport = httpx.ASGITransport(both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as found:
        yield found


async def statuses(client: httpx.AsyncClient, headers: dict[str, str], app: str = "app") -> set[int]:
    asked = (client.get(f"/{app}/static/{number}.css", headers=headers) for number in range(20))
    return {answer.status_code for answer in await asyncio.gather(*asked)}


async def test_the_files_of_a_page_ask_once(site: Site, client: httpx.AsyncClient) -> None:
    assert await statuses(client, ANN) == {200}
    assert site.asked == 1
    of_pictures = {**ANN, "Accept": "image/png", "Sec-Fetch-Dest": "image", "If-None-Match": '"x"'}
    assert await statuses(client, of_pictures) == {200}
    assert site.asked == 1


@pytest.mark.parametrize("other", [
    {"Cookie": "who=bob"}, {"Cookie": "who=ann; more=1"}, {**ANN, "Authorization": "Bearer x"},
    {**ANN, "X-Remote-User": "x"}, {**ANN, "User-Agent": "another"}, {**ANN, "Sec-Fetch-Site": "cross-site"},
    {**ANN, "Host": "other.example"},
])
async def test_whoever_could_be_another_asks_anew(site: Site, client: httpx.AsyncClient, other: dict[str, str]) -> None:
    assert await statuses(client, ANN) == {200}
    assert await statuses(client, other) == {200}
    assert site.asked == 2


async def test_nobody_gets_the_consent_of_another(site: Site, client: httpx.AsyncClient) -> None:
    assert await statuses(client, ANN) == {200}
    assert await statuses(client, {}) == {401}
    assert await statuses(client, {"Cookie": "who=eve"}) == {401}


async def test_each_app_is_asked_for(site: Site, client: httpx.AsyncClient) -> None:
    assert await statuses(client, ANN) == {200}
    assert await statuses(client, ANN, "other") == {200}
    assert site.asked == 2


async def test_pages_are_always_asked_for(site: Site, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert (await client.get("/app", headers=ANN)).status_code == 200
    assert site.asked == 3


async def test_a_refusal_is_not_kept(site: Site, client: httpx.AsyncClient) -> None:
    site.logged_in.clear()
    assert await statuses(client, ANN) == {401}
    site.logged_in.add("ann")
    assert await statuses(client, ANN) == {200}


async def test_a_logout_is_not_outlived_by_more_than_a_second(site: Site, client: httpx.AsyncClient,
                                                              clock: list[float]) -> None:
    assert await statuses(client, ANN) == {200}
    site.logged_in.clear()
    clock[0] += KEPT_S - 0.1
    assert await statuses(client, ANN) == {200}
    clock[0] += 0.1
    assert await statuses(client, ANN) == {401}


async def test_it_counts_from_the_question_and_not_from_its_answer(site: Site, client: httpx.AsyncClient,
                                                                   clock: list[float]) -> None:
    async def asking(questions: int) -> asyncio.Task[httpx.Response]:
        task = asyncio.create_task(client.get("/app/static/1.css", headers=ANN))
        async with asyncio.timeout(20):
            while site.asked < questions:
                await asyncio.sleep(0.01)
        return task

    site.go_on.clear()
    first = await asking(1)
    site.logged_in.clear()
    clock[0] += KEPT_S
    second = await asking(2)
    site.go_on.set()
    assert ((await first).status_code, (await second).status_code) == (200, 401)


async def test_who_leaves_does_not_end_it_for_others() -> None:
    go_on = asyncio.Event()

    async def ask() -> str:
        await go_on.wait()
        return "yes"

    kept: Consents[str] = Consents()
    first, second = (asyncio.create_task(kept.get("ann", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await second == "yes"


async def test_few_are_kept_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consents, "MOST", 10)
    monkeypatch.setattr(consents, "KEPT_S", 0.05)

    async def ask() -> str:
        return "yes"

    async def refuse() -> str:
        raise AccessError("no")

    kept: Consents[str] = Consents()
    for number in range(100):
        await kept.get(number, ask)
    assert len(kept) == 10
    with pytest.raises(AccessError):
        await kept.get("eve", refuse)
    async with asyncio.timeout(20):
        while len(kept):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("more", [{"user": "ann"}, {"session": {}}, {"extensions": {"tls": {}}}])
def test_where_a_server_around_knows_the_visitor_nothing_is_kept(more: dict[str, Any]) -> None:
    scope = {"type": "http", "headers": [], "query_string": b"", "client": ("h", 1)}
    assert client_key(scope, "/app") is not None
    assert client_key({**scope, **more}, "/app") is None

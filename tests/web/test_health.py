"""``/_hotshoe/health``: what proxies and supervisors ask, and get told whatever state the server is in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.support.front_site import MakeSite, Site
from tests.support.waiting import until

import hotshoe
from hotshoe.base.users import User
from hotshoe.web.gate.auth_options import AuthOptions

READY, ALIVE = "/_hotshoe/health", "/_hotshoe/health/alive"


def told(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


async def started(site: Site) -> Site:
    await site.front.start()
    return site


@pytest.mark.parametrize("path", [READY, ALIVE, f"{READY}/"])
async def test_a_server_that_is_ready(site: Site, path: str) -> None:
    response = await (await started(site)).get(path)
    assert told(response) == (200, {"alive": True, "ready": True})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


async def test_head_has_no_body(site: Site) -> None:
    response = await (await started(site)).request("HEAD", READY)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(b'{"alive":true,"ready":true}'))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused(site: Site, method: str) -> None:
    response = await (await started(site)).request(method, READY)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


async def test_before_during_and_after(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()
    start, stop = site.host.start, site.host.stop
    monkeypatch.setattr(site.host, "start", lambda: slowly(go_on, start))
    monkeypatch.setattr(site.host, "stop", lambda grace_s: slowly(go_on, stop))
    starting = asyncio.create_task(site.front.start())
    await asyncio.sleep(0)
    assert told(await site.get(READY)) == (503, {"alive": True, "ready": False})
    assert told(await site.get(ALIVE)) == (200, {"alive": True, "ready": False})
    go_on.set()
    await starting
    assert told(await site.get(READY)) == (200, {"alive": True, "ready": True})
    go_on.clear()
    stopping = asyncio.create_task(site.front.stop())
    await asyncio.sleep(0)
    assert told(await site.get(READY)) == (503, {"alive": True, "ready": False})
    assert told(await site.get(ALIVE)) == (200, {"alive": True, "ready": False})
    go_on.set()
    await stopping
    assert told(await site.get(READY)) == (503, {"alive": True, "ready": False})
    assert (site.host.started, site.host.stopped) == (1, 1), "to ask does not start it again"


async def slowly(go_on: asyncio.Event, then: Any) -> None:
    await go_on.wait()
    await then()


async def test_where_nothing_else_starts_it_the_question_does(site: Site) -> None:
    """A mount without a lifespan starts with its first request, and a proxy sends none before it is ready."""
    assert told(await site.get(ALIVE)) == (200, {"alive": True, "ready": False})
    assert site.host.started == 0
    assert told(await site.get(READY))[0] == 503
    async with asyncio.timeout(20):
        while told(await site.get(READY))[0] != 200:
            await asyncio.sleep(0.001)
    assert site.host.started == 1


async def test_a_start_that_fails_is_logged_and_tried_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.host.failures["start"] = RuntimeError("no database yet")
    assert told(await site.get(READY))[0] == 503
    await until(lambda: "no database yet" in caplog.text)
    del site.host.failures["start"]
    async with asyncio.timeout(20):
        while told(await site.get(READY))[0] != 200:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("settings", "root_path", "path"), [
    ({"prefix": "apps"}, "", f"/apps{READY}"),
    ({"prefix": "apps"}, "", READY),
    ({"prefix": "apps"}, "/mount", f"/mount/apps{READY}"),
    ({"prefix": "apps"}, "/mount", f"/mount{READY}"),
    ({}, "/mount", f"/mount{READY}"),
    ({}, "/mount", f"/mount{ALIVE}/"),
])
async def test_below_every_prefix(make_site: MakeSite, settings: dict[str, Any], root_path: str, path: str) -> None:
    site = await started(make_site("/a", **settings))
    async with site.client(root_path=root_path) as client:
        assert told(await client.get(path)) == (200, {"alive": True, "ready": True})


@pytest.mark.parametrize("path", [READY, ALIVE])
async def test_it_is_not_the_site_s(path: str) -> None:
    flask = pytest.importorskip("flask")
    site = flask.Flask("site")
    site.add_url_rule("/<path:path>", "all", lambda path: f"the site's {path}")
    both = hotshoe.wrap(site, {"/a": lambda document: None})
    transport = httpx.ASGITransport(app=both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.get("/else")).text == "the site's else"
        assert told(await client.get(path)) == (200, {"alive": True, "ready": True})


class Nobody:
    """A provider that knows nobody."""

    logout_path = None

    def __init__(self) -> None:
        self.endpoints: dict[str, Any] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def user_of(self, connection: Any) -> User | None:
        return None

    async def login_path(self, connection: Any) -> str | None:
        return None


async def test_it_tells_nothing_else(make_site: MakeSite) -> None:
    """Neither is a session made nor a login asked for; it is said by any name, and to a page of any site."""
    nobody = AuthOptions(auth=Nobody())
    site = await started(make_site("/a", only_local=True, auth_options=nobody))
    assert (await site.get("/a", headers={"Host": "10.0.0.7:5006"})).status_code == 403
    assert (await site.get("/a", headers={"Host": "localhost"})).status_code == 401
    for path in (READY, ALIVE):
        for headers in ({"Host": "10.0.0.7:5006"}, {"Host": "evil.example", "Origin": "http://evil.example"},
                        {"Cookie": "bokeh-session-id=x"}):
            response = await site.get(f"{path}?bokeh-session-id=x", headers=headers)
            assert response.content == b'{"alive":true,"ready":true}'
            assert set(response.headers) == {"content-type", "content-length", "cache-control", "referrer-policy",
                                             "x-content-type-options"}
    assert not site.host.open_requests
    assert dict(site.front.counters.snapshot().refusals) == {"host_name": 1, "login": 1}


async def test_websockets_are_not_there(site: Site) -> None:
    peer = (await started(site)).connect(READY)
    assert [event.get("status") for event in await peer.ended()][:1] == [404]

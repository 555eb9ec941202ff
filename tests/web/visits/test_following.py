"""Pages in dev mode: the websocket that tells them of changes, and the pages of what is broken."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from starlette.requests import HTTPConnection
from tests.support.encoded_shared import EncodedShared
from tests.support.fake_host import FileApp
from tests.support.front_site import MakeSite, Site

from hotshoe.auth import User
from hotshoe.auth.provider import Endpoint
from hotshoe.base.errors import BuildError, Failure, Frame, Report
from hotshoe.base.shared import MemoryShared
from hotshoe.hosts.host import AppInfo
from hotshoe.web.gate.auth_options import AuthOptions
from hotshoe.web.own_pages import failure_page

APP = AppInfo("/a", "A", version="v-1")
QUERY = b"app=%2Fa&version=v-1"
ORIGIN = {"origin": "http://testserver"}


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site(APP, AppInfo("/b", "B", version="v-1"), dev=True)


def change(site: Site, url: str = "/a") -> None:
    site.host.change(replace(site.host.apps[url], version="v-2"))


async def test_a_page_is_told_once_its_app_is_another(site: Site) -> None:
    peer = site.connect("/_hotshoe/dev", query=QUERY, headers=ORIGIN)
    assert (await peer.hear())["type"] == "websocket.accept"
    change(site, "/b")
    await asyncio.sleep(0.05)
    assert not peer.task.done()
    change(site)
    assert await peer.hear() == {"type": "websocket.send", "text": "changed"}
    assert (await peer.ended())[-1] == {"type": "websocket.close", "code": 1000}


async def test_many_pages_are_told_at_once(site: Site) -> None:
    peers = [site.connect("/_hotshoe/dev", query=QUERY, headers=ORIGIN) for _ in range(500)]
    for peer in peers:
        assert (await peer.hear())["type"] == "websocket.accept"
    change(site)
    assert [(await peer.hear()).get("text") for peer in peers] == ["changed"] * 500


async def test_a_page_of_an_earlier_version_is_told_at_once(site: Site) -> None:
    change(site)
    peer = site.connect("/_hotshoe/dev", query=QUERY)
    assert [event["type"] for event in await peer.ended()] == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_a_page_that_another_process_made_is_told_once_no_process_serves_its_version(make_site: MakeSite) -> None:
    shared = EncodedShared(MemoryShared())
    here, there = (make_site(replace(APP, version=version), dev=True, shared=shared) for version in ("v-1", "w-1"))
    for site in (here, there):
        await site.front.start()
    peers = [there.connect("/_hotshoe/dev", query=QUERY, headers=ORIGIN) for _ in range(2)]
    for peer in peers:
        assert (await peer.hear())["type"] == "websocket.accept"
    there.host.change(replace(APP, version="w-2"))
    await asyncio.sleep(0.05)
    assert not any(peer.task.done() for peer in peers)
    change(here)
    for peer in peers:
        assert await peer.hear() == {"type": "websocket.send", "text": "changed"}
        await peer.ended()
    peer = there.connect("/_hotshoe/dev", query=b"app=%2Fa&version=v-2", headers=ORIGIN)
    assert (await peer.hear())["type"] == "websocket.accept"
    await here.front.stop()
    assert await peer.hear() == {"type": "websocket.send", "text": "changed"}
    await peer.ended()


async def test_a_page_that_leaves_leaves_nothing(site: Site) -> None:
    await site.front.start()
    before = asyncio.all_tasks()
    peers = [site.connect("/_hotshoe/dev", query=QUERY) for _ in range(3)]
    for peer in peers:
        await peer.hear()
        peer.leave()
        await peer.ended()
    assert asyncio.all_tasks() <= before


async def test_the_end_of_the_server_ends_it(site: Site) -> None:
    peer = site.connect("/_hotshoe/dev", query=QUERY)
    await peer.hear()
    await site.front.stop()
    assert (await peer.ended())[-1] == {"type": "websocket.close", "code": 1001}


async def test_what_is_refused(site: Site, make_site: MakeSite) -> None:
    production = make_site(APP)
    for refusing, query, headers, status in (
        (site, b"app=%2Fother", {}, 404),
        (site, b"", {}, 404),
        (site, QUERY, {"origin": "http://evil.example"}, 403),
        (production, QUERY, ORIGIN, 404),
    ):
        peer = refusing.connect("/_hotshoe/dev", query=query, headers=headers)
        assert (await peer.ended())[0]["status"] == status


class Nobody:
    """A provider that knows no user, or fails to."""

    endpoints: ClassVar[dict[str, Endpoint]] = {}
    logout_path = None
    failure: Exception | None = None

    async def user_of(self, connection: HTTPConnection) -> User | None:
        if self.failure is not None:
            raise self.failure
        return User("ada") if connection.headers.get("x-user") == "ada" else None

    async def login_path(self, connection: HTTPConnection) -> str | None:
        return None

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""


async def test_nobody_without_access_is_told_that_an_app_has_changed(make_site: MakeSite) -> None:
    site = make_site(APP, AppInfo("/b", "B", version="v-1"), dev=True, public=["b"],
                     auth_options=AuthOptions(auth=Nobody(), authorize=lambda user, app: user.name == "ada"))
    for path in ("/_hotshoe/dev", "/a/_hotshoe/dev", "/b/_hotshoe/dev"):
        for query in (QUERY, b"app=%2Fa&version=old"):
            peer = site.connect(path, query=query, headers=ORIGIN)
            assert (await peer.ended())[0]["status"] == 401
    admitted = [site.connect("/_hotshoe/dev", query=query, headers=headers) for query, headers in (
        (b"app=%2Fa&version=old", {**ORIGIN, "x-user": "ada"}), (b"app=%2Fb&version=old", ORIGIN))]
    for peer in admitted:
        assert (await peer.hear())["type"] == "websocket.accept"
        assert await peer.hear() == {"type": "websocket.send", "text": "changed"}
        await peer.ended()


async def test_nobody_without_access_sees_why_the_login_fails(make_site: MakeSite) -> None:
    provider = Nobody()
    provider.failure = ValueError("the password of the directory is sesame")
    site = make_site(APP, dev=True, auth_options=AuthOptions(auth=provider))
    for path in ("/a", "/a/metadata", "/a/autoload.js?bokeh-autoload-element=x", "/_hotshoe/source/a", "/"):
        answer = await site.get(path)
        assert answer.status_code == 500
        assert "sesame" not in answer.text, path
    peer = site.connect("/_hotshoe/dev", query=QUERY, headers=ORIGIN)
    refusal = await peer.ended()
    assert refusal[0]["status"] == 500
    assert "sesame" not in str(refusal)


SECRET = "</script><script>alert(1)</script>"
REPORT = Report(
    (Failure("KeyError", SECRET, (
        Frame("/lib/x.py", 1, "inner", False),
        Frame("C:\\home\\a.py", 3, SECRET, True, ((3, SECRET),), ((SECRET, SECRET),)),
        Frame("/lib/y.py", 2, "f", False), Frame("/lib/z.py", 2, "g", False))),
     Failure("", "no theme", (), "It was raised from")),
    SECRET)


async def test_a_broken_app_shows_its_report(site: Site) -> None:
    site.host.failures["open"] = BuildError("/a", "deadbeef", REPORT)
    answer = await site.get("/a")
    assert answer.status_code == 500
    assert "KeyError" in answer.text
    assert "deadbeef" in answer.text
    assert '"app":"/a","version":"v-1"' in answer.text
    script = await site.get("/a/autoload.js?bokeh-autoload-element=x")
    assert "alert(1)" in script.text
    assert "<script>" not in script.text


async def test_any_other_error_is_described_too(site: Site) -> None:
    site.host.failures["open"] = ValueError("in some hook")
    assert "in some hook" in (await site.get("/a")).text
    del site.host.failures["open"]
    site.host.failures["page"] = BuildError("/a", "id")
    assert "BuildError" in (await site.get("/a")).text


async def test_production_says_nothing_of_it(make_site: MakeSite) -> None:
    site = make_site(APP)
    site.host.failures["open"] = BuildError("/a", "deadbeef", REPORT)
    text = (await site.get("/a")).text + (await site.get("/a/autoload.js?bokeh-autoload-element=x")).text
    assert "deadbeef" in text
    assert "KeyError" not in text
    assert "hotshoe-dev" not in text


def test_the_page_is_escaped_and_its_policy_allows_its_script() -> None:
    page = failure_page(REPORT, AppInfo("/x/<b>", "A", version=SECRET), SECRET)
    html = bytes(page.body).decode()
    assert "<script>alert" not in html
    assert html.count("&lt;/script&gt;") >= 6
    assert "<b>a.py</b>" in html
    assert html.index("2 calls in libraries") < html.index("a.py") < html.index("1 call in libraries")
    policy = page.headers["Content-Security-Policy"]
    parts = re.findall(r"<(style|script)(?: nonce=\"\")?>(.*?)</\1>", html, re.DOTALL)
    assert [kind for kind, _ in parts] == ["style", "style", "script"]
    for kind, text in parts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert re.search(f"{kind}-src [^;]*'sha256-{re.escape(digest)}'", policy)
    assert "unsafe" not in policy


async def test_static_files_are_read_again_at_once(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(FileApp("/a", "A", static_dir=tmp_path), dev=True)
    for text in ("one", "two"):
        (tmp_path / "x.css").write_text(text)
        assert (await site.get("/a/static/x.css")).text == text

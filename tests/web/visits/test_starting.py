"""Apps that take long to begin: who is told so, who may come back, and that one build is one build."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import Any

import httpx
import pytest
from bokeh.application.application import SessionContext
from bokeh.document import Document
from tests.support.cookie_client import SetClock
from tests.support.encoded_shared import EncodedShared
from tests.support.front_site import MakeSite, Site

import hotshoe
from hotshoe.base.errors import BuildError, CapacityError
from hotshoe.base.shared import MemoryShared, Shared
from hotshoe.hosts.host import AppInfo
from hotshoe.tokens import read
from hotshoe.web.gate.auth_options import AuthOptions
from hotshoe.web.visits import starting
from hotshoe.web.visits.starting import retry_query
from hotshoe.web.visits.tickets import Ticket

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "PATIENCE_S", 0.02)


@pytest.fixture
def slow(site: Site) -> Site:
    """Builds nothing until its gate is opened."""
    site.host.gate = asyncio.Event()
    return site


def be_patient() -> None:
    """What must end in time may take as long as a loaded machine needs; ``hasty`` sets it back."""
    starting.PATIENCE_S = 60


def open_gate(site: Site) -> None:
    """Let the session be built; what is asked for from now on has all the time that a busy machine takes."""
    be_patient()
    assert site.host.gate is not None
    site.host.gate.set()


def query_of(answer: httpx.Response) -> str:
    assert answer.status_code == 202
    found = re.search(r'data-again="(\?[^"]*)"', answer.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# -- the page


async def test_a_page_that_takes_long_says_so_and_is_asked_for_again(slow: Site) -> None:
    first = await slow.get("/a?x=1&y=%20", headers=BROWSER)
    query = query_of(first)
    assert query.startswith("?x=1&y=%20&bokeh-session-id=")
    assert "This app is starting." in first.text
    assert first.headers["cache-control"] == "no-store"
    assert query_of(await slow.get(f"/a{query}", headers=BROWSER)) == query

    be_patient()
    waiting = asyncio.create_task(slow.get(f"/a{query}", headers=BROWSER))
    await settled()
    open_gate(slow)
    page = await waiting
    assert page.status_code == 200
    [open_request] = slow.host.open_requests
    token = read(page.text.removeprefix("<html>").removesuffix("</html>"))
    assert token.session_id == open_request.session_id
    assert token.payload == {"arguments": {"x": [b"1"], "y": [b" "]}}


async def test_a_quick_page_is_a_page(site: Site) -> None:
    be_patient()
    answer = await site.get("/a", headers=BROWSER)
    assert answer.status_code == 200
    assert len(asyncio.all_tasks()) <= 2


async def test_programs_wait(slow: Site) -> None:
    asking = asyncio.create_task(slow.get("/a", headers={"Accept": "*/*"}))
    await asyncio.sleep(0.1)
    assert not asking.done()
    open_gate(slow)
    assert (await asking).status_code == 200


async def test_head_creates_nothing_and_waits_for_what_is_being_built(slow: Site) -> None:
    assert (await slow.request("HEAD", "/a", headers=BROWSER)).status_code == 200
    unknown = await slow.request("HEAD", "/a?bokeh-session-id=of-another-process&hotshoe-starting=new")
    assert unknown.status_code == 200
    assert slow.host.open_requests == []
    query = query_of(await slow.get("/a", headers=BROWSER))
    waits = await slow.request("HEAD", f"/a{query}")
    assert (waits.status_code, waits.content) == (202, b"")
    open_gate(slow)
    assert (await slow.request("HEAD", f"/a{query}")).status_code == 200
    assert (await slow.get(f"/a{query}", headers=BROWSER)).status_code == 200
    assert len(slow.host.open_requests) == 1


async def test_a_page_that_is_slow_to_be_drawn_says_so_too(site: Site) -> None:
    site.host.drawn = drawn = asyncio.Event()
    query = query_of(await site.get("/a", headers=BROWSER))
    assert query_of(await site.get(f"/a{query}", headers=BROWSER)) == query
    be_patient()
    drawn.set()
    assert (await site.get(f"/a{query}", headers=BROWSER)).status_code == 200
    assert len(site.host.open_requests) == 1


async def test_an_app_that_fails_says_so_once(slow: Site) -> None:
    slow.host.failures["open"] = BuildError("/a", "0123abcd")
    query = query_of(await slow.get("/a", headers=BROWSER))
    open_gate(slow)
    assert (await slow.request("HEAD", f"/a{query}")).status_code == 500
    failed = await slow.get(f"/a{query}", headers=BROWSER)
    assert failed.status_code == 500
    assert "0123abcd" in failed.text
    del slow.host.failures["open"]
    assert (await slow.get(f"/a{query}", headers=BROWSER)).status_code == 200


async def test_no_room_is_said_at_once(site: Site) -> None:
    be_patient()
    site.host.failures["open"] = CapacityError("All places are taken. Please try again.")
    assert (await site.get("/a", headers=BROWSER)).status_code == 503


async def test_what_ended_before_anybody_came_back_is_built_again(slow: Site) -> None:
    query = query_of(await slow.get("/a", headers=BROWSER))
    open_gate(slow)
    await settled()
    slow.host.live.clear()
    assert (await slow.get(f"/a{query}", headers=BROWSER)).status_code == 200
    assert [each.session_id for each in slow.host.open_requests] == [slow.host.open_requests[0].session_id] * 2


async def test_another_process_builds_it_under_the_same_id(make_site: MakeSite) -> None:
    one, other = (make_site("/a", session_ids="auto", secret_key="k" * 32) for _ in range(2))
    one.host.gate = asyncio.Event()
    query = query_of(await one.get("/a", headers=BROWSER))
    be_patient()
    assert (await other.get(f"/a{query}", headers=BROWSER)).status_code == 200
    assert other.host.open_requests[0].session_id == one.host.open_requests[0].session_id
    assert (await other.get(f"/a{query.replace('bokeh-session-id=', 'bokeh-session-id=x')}")).status_code != 200


class Processes:
    """Two processes with a server's key that share what ``shared`` has."""

    def __init__(self, make_site: MakeSite, shared: Shared, **settings: Any) -> None:
        self.one, self.other = (make_site("/a", **{"session_ids": "auto", "secret_key": "k" * 32, **settings},
                                          shared=shared) for _ in range(2))
        self.one.host.gate = asyncio.Event()


async def test_another_process_waits_for_the_build(make_site: MakeSite) -> None:
    both = Processes(make_site, EncodedShared(MemoryShared()))
    query = query_of(await both.one.get("/a", headers=BROWSER))
    assert query_of(await both.other.get(f"/a{query}", headers=BROWSER)) == query
    assert (await both.other.request("HEAD", f"/a{query}", headers=BROWSER)).status_code == 202
    be_patient()
    assert (await both.other.get("/a", headers=BROWSER)).status_code == 200, "other sessions are not waited for"
    asking = asyncio.create_task(both.other.get(f"/a{query}", headers=BROWSER))
    await settled()
    assert not asking.done()
    open_gate(both.one)
    assert (await asking).status_code == 200
    assert (await both.other.request("HEAD", f"/a{query}", headers=BROWSER)).status_code == 200
    assert both.other.host.open_requests[-1].session_id == both.one.host.open_requests[0].session_id


async def test_in_another_process_too_a_build_is_its_user_s(make_site: MakeSite) -> None:
    both = Processes(make_site, MemoryShared(), auth="header", auth_header_user="X-User", use_xheaders=True)
    query = query_of(await both.one.get("/a", headers={**BROWSER, "X-User": "jo"}))
    for method in ("GET", "HEAD"):
        for user, status in (("mallory", 403), ("jo", 202)):
            answer = await both.other.request(method, f"/a{query}", headers={**BROWSER, "X-User": user})
            assert answer.status_code == status
    assert not both.other.host.open_requests


async def test_a_build_outlives_its_claim(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "CLAIM_S", 0.06)
    clock = SetClock()
    shared = MemoryShared(clock)
    both = Processes(make_site, shared)
    query = query_of(await both.one.get("/a", headers=BROWSER))
    for _ in range(10):
        revision = (await shared.changes(starting.CLAIMS)).revision
        await asyncio.wait_for(shared.changes(starting.CLAIMS, revision), 20)  # it is renewed
        clock.now += 0.05
        assert query_of(await both.other.get(f"/a{query}", headers=BROWSER)) == query
    assert not both.other.host.open_requests


async def test_a_process_that_died_is_not_waited_for_for_long(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
                                                             ) -> None:
    clock = SetClock()
    monkeypatch.setattr(starting, "CLAIM_S", 0.05)
    both = Processes(make_site, MemoryShared(clock))
    query = query_of(await both.one.get("/a", headers=BROWSER))
    be_patient()
    asking = asyncio.create_task(both.other.get(f"/a{query}", headers=BROWSER))
    await asyncio.sleep(0.1)
    assert not asking.done()
    for task in both.one.front._of_apps._starts._claims._held:
        task.cancel()
    clock.now += 1
    assert (await asking).status_code == 200


async def test_nobody_comes_back(slow: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "KEPT_S", 0.05)
    query_of(await slow.get("/a", headers=BROWSER))
    starts = slow.front._of_apps._starts
    assert len(starts._starts) == 1
    open_gate(slow)
    async with asyncio.timeout(5):
        while starts._starts or starts._timers:
            await asyncio.sleep(0.01)
    assert slow.host.cancelled == 0  # the session is the host's, which ends what nobody uses


async def test_who_leaves_before_being_told_has_nothing_built(slow: Site) -> None:
    be_patient()
    asking = asyncio.create_task(slow.get("/a", headers=BROWSER))
    await settled()
    asking.cancel()
    await asyncio.wait([asking])
    await settled()
    assert slow.host.cancelled == 1


async def test_who_leaves_after_it_has_it_built(slow: Site) -> None:
    query = query_of(await slow.get("/a", headers=BROWSER))
    asking = asyncio.create_task(slow.get(f"/a{query}", headers=BROWSER))
    await settled()
    asking.cancel()
    await asyncio.wait([asking])
    open_gate(slow)
    await settled()
    assert slow.host.cancelled == 0
    assert len(slow.host.live) == 1


async def test_the_server_stops_meanwhile(slow: Site) -> None:
    query = query_of(await slow.get("/a", headers=BROWSER))
    be_patient()
    asking = asyncio.create_task(slow.get(f"/a{query}", headers=BROWSER))
    await settled()
    await slow.front.stop()
    assert (await asking).status_code == 503
    assert not slow.front._of_apps._starts._starts
    assert len(asyncio.all_tasks()) <= 2


async def test_a_build_is_its_user_s(make_site: MakeSite) -> None:
    site = make_site("/a", auth="header", auth_header_user="X-User", use_xheaders=True)
    site.host.gate = asyncio.Event()
    query = query_of(await site.get("/a", headers={**BROWSER, "X-User": "jo"}))
    for method in ("GET", "HEAD"):
        answer = await site.request(method, f"/a{query}", headers={**BROWSER, "X-User": "mallory"})
        assert answer.status_code == 403
    open_gate(site)
    assert (await site.get(f"/a{query}", headers={**BROWSER, "X-User": "jo"})).status_code == 200


async def test_it_is_told_to_the_log(slow: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        query = query_of(await slow.get("/a", headers=BROWSER))
        query_of(await slow.get(f"/a{query}", headers=BROWSER))
    ours = [record.getMessage() for record in caplog.records if record.name == starting.__name__]
    assert ours == ["/a takes more than 0.02 s to start; its page says so, and waits"]


async def test_what_the_page_may_load(make_site: MakeSite) -> None:
    site = make_site(AppInfo("/a", "<b>A</b>"), strict_csp=True, frame_ancestors=("self",))
    site.host.gate = asyncio.Event()
    answer = await site.get('/a?x="><script>&y=\xe4&z=%22', headers=BROWSER)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert "<b>A" not in answer.text
    assert '"><script>&' not in answer.text
    assert query_of(answer).startswith("?x=%22%3E%3Cscript%3E&y=")


@pytest.mark.parametrize(("query", "headers", "expected"), [
    ("", [], "bokeh-session-id=ID&hotshoe-starting=new"),
    ("a=1", [], "a=1&bokeh-session-id=ID&hotshoe-starting=new"),
    ("bokeh-session-id=mine", [], "bokeh-session-id=mine&hotshoe-starting=kept"),
    ("bokeh-token=t", [], "bokeh-token=t&hotshoe-starting=kept"),
    ("a=1", [(b"bokeh-session-id", b"mine")], "a=1&hotshoe-starting=kept"),
    ("a=1&hotshoe-starting=kept", [], "a=1&hotshoe-starting=kept"),
    ("a=\"<>' \xff\r\n#b", [], "a=%22%3C%3E'%20%FF%0D%0A%23b&bokeh-session-id=ID&hotshoe-starting=new"),
])
def test_the_query_to_ask_again_with(query: str, headers: list[tuple[bytes, bytes]], expected: str) -> None:
    assert retry_query({"query_string": query.encode("latin-1"), "headers": headers}, Ticket("ID")) == expected


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_real_session_is_built_once_and_ends_unless_somebody_comes(comes_back: bool) -> None:
    built, ended = [], asyncio.Event()
    loop, go_on = asyncio.get_running_loop(), threading.Event()

    def tell(context: SessionContext) -> None:
        loop.call_soon_threadsafe(ended.set)

    def app(doc: Document) -> None:
        assert doc.session_context is not None
        built.append(doc.session_context.id)
        doc.on_session_destroyed(tell)
        go_on.wait(20)

    apps = hotshoe.asgi({"/a": app}, unused_session_lifetime_milliseconds=1500, check_unused_sessions_milliseconds=20)
    transport = httpx.ASGITransport(app=apps)
    async with httpx.AsyncClient(transport=transport, base_url="http://h", headers=BROWSER, timeout=30) as client:
        query = query_of(await client.get("/a?x=1"))
        assert query_of(await client.get(f"/a{query}")) == query
        be_patient()
        go_on.set()
        if comes_back:
            page = await client.get(f"/a{query}")
            assert "Bokeh" in page.text
        async with asyncio.timeout(20):
            await ended.wait()
    assert len(built) == 1
    await apps.stop()


# -- embedding


PLAN = {"Accept": "application/json"}
EMBED = "bokeh-autoload-element=e&bokeh-app-path=/a"


async def test_a_plan_that_takes_long(slow: Site) -> None:
    first = await slow.get("/a/autoload.js?x=1", headers=PLAN)
    assert (first.status_code, first.headers["content-type"]) == (202, "application/json")
    query = first.json()["starting"]
    assert (await slow.get(f"/a/autoload.js?{query}", headers=PLAN)).json() == {"starting": query}
    open_gate(slow)
    answer = await slow.get(f"/a/autoload.js?{query}", headers=PLAN)
    assert answer.status_code == 200
    assert answer.text.startswith("/* None")
    [open_request] = slow.host.open_requests
    assert open_request.request.arguments == {"x": [b"1"]}


async def test_a_script_that_takes_long_asks_for_its_plan(slow: Site) -> None:
    first = await slow.get(f"/a/autoload.js?{EMBED}", headers={"Accept": "*/*"})
    assert (first.status_code, first.headers["content-type"]) == (202, "application/javascript; charset=utf-8")
    found = re.search(r'"starting":"([^"]+)","with_credentials":false', first.text)
    assert found is not None
    query = found[1].replace("\\u0026", "&")
    assert query.startswith(f"{EMBED}&bokeh-session-id=")
    open_gate(slow)
    answer = await slow.get(f"/a/autoload.js?{query}", headers=PLAN)
    assert answer.text.startswith("/* None")
    assert len(slow.host.open_requests) == 1


async def test_a_script_that_came_with_cookies_asks_with_cookies(slow: Site) -> None:
    headers = {"Origin": "http://testserver", "Cookie": "a=b"}
    answer = await slow.get(f"/a/autoload.js?{EMBED}", headers=headers)
    assert '"with_credentials":true' in answer.text


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer x"}, {"X-Own": "1", "Origin": "http://elsewhere"}])
async def test_a_script_with_headers_of_its_embedder_waits(slow: Site, headers: dict[str, str]) -> None:
    asking = asyncio.create_task(slow.get(f"/a/autoload.js?{EMBED}", headers=headers))
    await asyncio.sleep(0.1)
    assert not asking.done()
    open_gate(slow)
    assert (await asking).status_code == 200


@pytest.mark.parametrize("wrong", [
    "bokeh-app-path=//x", "bokeh-absolute-url=javascript:x", "bokeh-autoload-element=%3C"])
async def test_what_can_not_be_embedded_is_said_at_once(slow: Site, wrong: str) -> None:
    answer = await slow.get(f"/a/autoload.js?{EMBED}&{wrong}")
    assert answer.status_code == 400


async def test_a_plan_that_fails_says_so(slow: Site) -> None:
    slow.host.failures["open"] = BuildError("/a", "0123abcd")
    query = (await slow.get("/a/autoload.js", headers=PLAN)).json()["starting"]
    open_gate(slow)
    answer = await slow.get(f"/a/autoload.js?{query}", headers=PLAN)
    assert (answer.status_code, answer.json()["error_id"]) == (500, "0123abcd")


async def test_the_guard_is_asked_each_time(make_site: MakeSite) -> None:
    allowed = {"jo"}
    site = make_site("/a", use_xheaders=True, auth="header", auth_header_user="X-User",
                     auth_options=AuthOptions(authorize=lambda user, app: user.name in allowed))
    site.host.gate = asyncio.Event()
    query = query_of(await site.get("/a", headers={**BROWSER, "X-User": "jo"}))
    allowed.clear()
    assert (await site.get(f"/a{query}", headers={**BROWSER, "X-User": "jo"})).status_code == 403

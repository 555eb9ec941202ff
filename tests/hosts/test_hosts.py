"""What a front may ask of a host, of the one in its own process and of one behind bytes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from jinja2 import Template
from starlette.responses import Response
from tests.support.hosts import MakeHost, inline_of, join, open_session, page_of, until_empty

from hotshoe.apps import App, Hooks, Request
from hotshoe.auth import User
from hotshoe.base.errors import AccessError, BuildError, RequestError, SessionGone
from hotshoe.hosts.host import AsPage, AsScript, Event, Host, Opened, OpenRequest, SessionEnded
from hotshoe.sessions import FailureInfo, Registry, on_exception
from hotshoe.wire import Close, Incoming


def greet(document: Document) -> None:
    document.add_root(Div(text="hello", name="greeting"))


async def test_it_is_a_host(make: MakeHost) -> None:
    host: Host = await make({"/greet": App(build=greet, title="Greetings", description="Says hello.")})
    info = host.apps["/greet"]
    assert (info.url, info.title, info.description) == ("/greet", "Greetings", "Says hello.")


async def test_a_session_is_opened_rendered_and_attached(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    assert await host.open(OpenRequest("/greet", Request(), "a")) == Opened({}, None)
    assert "the-token" in await page_of(host, "/greet", "a")
    attachment = await join(host, "/greet", "a")
    received = await attachment.receive()
    assert not isinstance(received, Close)
    assert b'"ACK"' in bytes(received[0][0])
    statistics = await host.statistics()
    assert (statistics.sessions, statistics.connections) == ({"/greet": 1}, 1)
    attachment.detach()
    attachment.detach()
    assert (await host.statistics()).connections == 0


async def test_one_call_finds_or_creates_renders_and_subscribes(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    opened = await host.open(OpenRequest("/greet", Request(), "a", view=AsPage()))
    assert opened.page is not None
    assert b"the-token" in opened.page.fill(token="the-token", nonce="n")
    plan = (await host.open(OpenRequest("/greet", Request(), "a", view=AsScript(None, "/p/greet")))).page
    assert plan is not None
    assert json.loads(plan.fill(token="t"))["app_path"] == "/p/greet"
    with pytest.raises(RequestError, match="not a path"):
        await host.open(OpenRequest("/greet", Request(), "a", view=AsScript("e", "no path")))
    attachment = await host.attach(OpenRequest("/greet", Request(), "b"))
    assert (await host.statistics()).sessions == {"/greet": 2}
    attachment.detach()


async def test_a_failing_process_request_is_reported_as_the_apps(make: MakeHost) -> None:
    def fail(request: Request) -> dict[str, Any]:
        raise ValueError("boom")

    def refuse(request: Request) -> dict[str, Any]:
        raise RequestError("not you", status=403)

    heard: list[FailureInfo] = []
    end = on_exception(lambda error, info: heard.append(info))
    apps = {url: App(build=greet, hooks=Hooks(process_request=hook)) for url, hook in (("/a", fail), ("/b", refuse))}
    host = await make(apps)
    with pytest.raises(BuildError) as caught:
        await host.open(OpenRequest("/a", Request(user="ada"), "a"))
    with pytest.raises(RequestError, match="not you"):
        await host.open(OpenRequest("/b", Request(), "b"))
    end()
    assert heard == [FailureInfo(caught.value.error_id, "process_request", "/a", None, "ada")]
    assert (await host.statistics()).sessions == {"/a": 0, "/b": 0}


async def test_a_result_of_process_request_that_is_no_dictionary_opens_no_session(make: MakeHost) -> None:
    async def later() -> dict[str, Any]:
        return {}

    async def awaits_too_little() -> Any:
        return later()

    answers: dict[str, Callable[[], Any]] = {
        "/response": lambda: Response(status_code=401), "/text": lambda: "no", "/list": lambda: [("user", "root")],
        "/coroutine": awaits_too_little, "/true": lambda: True}
    def hook(answer: Callable[[], Any]) -> Callable[[Request], Any]:
        return lambda request: answer()

    apps = {url: App(build=greet, hooks=Hooks(process_request=hook(answer))) for url, answer in answers.items()}
    host = await make({**apps, "/none": App(build=greet, hooks=Hooks(process_request=lambda request: None))})
    for url in answers:
        with pytest.raises(BuildError):
            await open_session(host, url, "a")
    assert sum((await host.statistics()).sessions.values()) == 0
    await open_session(host, "/none", "a")


async def test_process_request_is_asked_only_without_a_token(make: MakeHost) -> None:
    asked: list[Request] = []

    async def process(request: Request) -> dict[str, Any]:
        asked.append(request)
        return {"user": "ada"}

    host = await make({"/greet": App(build=greet, hooks=Hooks(process_request=process))})
    opened = await host.open(OpenRequest("/greet", Request(path="/x"), "a"))
    assert opened.payload == {"user": "ada"}
    opened = await host.open(OpenRequest("/greet", Request(), "b", payload={"user": "bob"}))
    assert opened.payload == {"user": "bob"}
    assert [request.path for request in asked] == ["/x"]


async def test_unknown_apps_and_sessions_are_refused(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    with pytest.raises(RequestError) as caught:
        await host.open(OpenRequest("/other", Request(), "a"))
    assert caught.value.status == 404
    with pytest.raises(SessionGone):
        await page_of(host, "/greet", "never")
    with pytest.raises(SessionGone):
        await join(host, "/greet", "never")


async def test_a_page_that_can_not_be_rendered_is_a_build_error(
    make: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    def build(document: Document) -> None:
        greet(document)
        document.template = Template("{{ embed(roots.missing) }}")

    host = await make({"/greet": App(build=build)})
    await host.open(OpenRequest("/greet", Request(), "a"))
    with pytest.raises(BuildError) as caught:
        await page_of(host, "/greet", "a")
    assert caught.value.error_id in caplog.text


async def test_server_hooks_run_at_start_and_stop_and_share_their_context(make: MakeHost) -> None:
    seen: list[Any] = []

    def loaded(context: Any) -> None:
        context.shared = "kept"
        seen.append(("loaded", context.application_context.url, context.sessions))

    async def unloaded(context: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("unloaded", context.shared, context.sessions))

    host = await make({"/greet": App(build=greet, hooks=Hooks(server_loaded=loaded, server_unloaded=unloaded))})
    await host.open(OpenRequest("/greet", Request(), "a"))
    await host.stop()
    await host.stop()
    assert seen == [("loaded", "/greet", []), ("unloaded", "kept", [])]


async def test_update_sessions_locks_each_and_waits_for_all(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet), "/other": App(build=greet)})
    for session_id in "abc":
        await host.open(OpenRequest("/greet", Request(), session_id))
    await host.open(OpenRequest("/other", Request(), "d"))
    updated: list[Document] = []

    async def update(document: Document) -> None:
        await asyncio.sleep(0.001)
        document.roots[0].text = "updated"  # type: ignore[attr-defined]
        updated.append(document)

    await inline_of(host).update("/greet", update)
    assert len(set(map(id, updated))) == 3

    def fails(document: Document) -> None:
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        await inline_of(host).update("/greet", fails)

    ended: list[Document] = []

    async def fails_first(document: Document) -> None:
        if document is updated[0]:
            raise ValueError("of the caller")
        await asyncio.sleep(0.02)
        ended.append(document)

    with pytest.raises(ValueError, match="of the caller"):
        await inline_of(host).update("/greet", fails_first)
    assert len(ended) == 2


async def test_unused_sessions_expire_by_themselves(make: MakeHost) -> None:
    host = await make(
        {"/greet": App(build=greet)},
        check_unused_sessions_milliseconds=10,
        unused_session_lifetime_milliseconds=10,
    )
    await host.open(OpenRequest("/greet", Request(), "a"))
    await until_empty(host, "/greet")


async def test_a_failure_does_not_end_the_expiry_of_sessions(
    make: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expire, failed = Registry.expire, list[str]()

    async def fail_once(registry: Registry, lifetime_s: float) -> None:
        if not failed:
            failed.append(registry.url)
            raise OSError("on purpose")
        await expire(registry, lifetime_s)

    monkeypatch.setattr(Registry, "expire", fail_once)
    host = await make({"/greet": App(build=greet)}, check_unused_sessions_milliseconds=10,
                      unused_session_lifetime_milliseconds=10)
    await host.open(OpenRequest("/greet", Request(), "a"))
    await until_empty(host, "/greet")
    assert "expiry of sessions has failed and starts again" in caplog.text
    assert "on purpose" in caplog.text


async def test_stopping_leaves_no_thread_and_no_task(make: MakeHost) -> None:
    before, others = set(asyncio.all_tasks()), set(threading.enumerate())
    host = await make({"/greet": App(build=greet)})
    for session_id in "abc":
        await host.open(OpenRequest("/greet", Request(), session_id))
    await host.stop()
    async with asyncio.timeout(20):
        while set(threading.enumerate()) - others:
            await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before


async def test_a_session_is_its_users(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    jo, kim = Request(user=User("jo")), Request(user=User("kim"))
    await host.open(OpenRequest("/greet", jo, "hers"))
    await host.open(OpenRequest("/greet", Request(), "nobody's"))
    for may_create in (True, False):
        for stranger in (kim, Request()):
            open_request = OpenRequest("/greet", stranger, "hers", may_create=may_create, view=AsPage())
            with pytest.raises(AccessError, match="belongs to another user"):
                await host.open(open_request)
            with pytest.raises(AccessError):
                await host.attach(open_request)
        for session_id in ("hers", "nobody's"):
            await host.open(OpenRequest("/greet", jo, session_id, may_create=may_create))
    (await host.attach(OpenRequest("/greet", jo, "hers"))).detach()
    assert [(session.id, session.user) for session in await host.sessions()] == [("hers", "jo"), ("nobody's", None)]


async def test_it_tells_of_sessions_that_are_gone(make: MakeHost) -> None:
    told: list[Event] = []
    ask, go_on = asyncio.Event(), asyncio.Event()

    def fail(document: Document) -> None:
        raise ValueError

    async def wait(request: Request) -> None:
        ask.set()
        await go_on.wait()

    host = await make({"/greet": App(build=greet), "/fails": App(build=fail),
                       "/waits": App(build=greet, hooks=Hooks(process_request=wait))})
    host.listen(told.append)
    await open_session(host, "/greet", "a")
    assert not told
    assert await host.close("/greet", "a")
    assert not await host.close("/greet", "a")
    with pytest.raises(BuildError):
        await open_session(host, "/fails", "b")
    leaves = asyncio.create_task(open_session(host, "/waits", "c"))
    stays = asyncio.create_task(open_session(host, "/waits", "d"))
    await ask.wait()
    leaves.cancel()
    await asyncio.wait([leaves])
    go_on.set()
    await stays
    with pytest.raises(SessionGone):
        await page_of(host, "/greet", "never")
    async with asyncio.timeout(20):
        while len(told) < 3:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)  # another one would come now
    assert told == [SessionEnded("/greet", "a"), SessionEnded("/fails", "b"), SessionEnded("/waits", "c")]


async def test_a_call_that_is_cancelled_is_cancelled_in_the_host(make: MakeHost) -> None:
    waits, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    host = await make({"/greet": App(build=greet, hooks=Hooks(process_request=wait))})
    opening = asyncio.create_task(open_session(host, "/greet", "a"))
    await waits.wait()
    opening.cancel()
    await asyncio.wait([opening])
    async with asyncio.timeout(10):
        await cancelled.wait()


async def test_a_wait_for_messages_that_is_cancelled_loses_none(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    attachment = await host.attach(OpenRequest("/greet", Request(), "a"))
    await attachment.receive()
    waiting = asyncio.create_task(attachment.receive())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    attachment.handle(Incoming("m", "PULL-DOC-REQ", b"{}"))
    await attachment.ready()
    received = await attachment.receive()
    assert not isinstance(received, Close)
    assert b"PULL-DOC-REPLY" in bytes(received[0][0])
    await host.close("/greet", "a")
    assert isinstance(await attachment.receive(), Close)
    attachment.detach()


async def test_an_app_knows_its_user(make: MakeHost) -> None:
    seen: list[Any] = []

    def build(document: Document) -> None:
        context: Any = document.session_context
        seen.extend([context.user, context.request.user, context.logout_url])

    host = await make({"/app": App(build=build)})
    await host.open(OpenRequest("/app", Request(user=User("jo"), logout_url="/p/logout"), "a"))
    await host.open(OpenRequest("/app", Request(), "b"))
    assert seen == [User("jo"), User("jo"), "/p/logout", None, None, None]


async def test_all_bundles_for_all_apps_or_some(make: MakeHost) -> None:
    def plain(document: Document) -> None:
        document.title = "no widgets"

    apps = {"/sales": App(build=plain), "/other": App(build=plain)}
    for settings, expected in (({}, ["", ""]), ({"all_bundles": True}, ["all", "all"]),
                               ({"all_bundles": {"sales": True}}, ["all", ""]),
                               ({"all_bundles": ["yes", "/sales=no"]}, ["", "all"])):
        host = await make(apps, **settings)
        pages = []
        for app in apps:
            await host.open(OpenRequest(app, Request(), "a"))
            pages.append((await page_of(host, app, "a")).partition('"config"')[0])
        assert ["all" if "bokeh-mathjax" in page else "" for page in pages] == expected


async def test_a_component_of_no_app_is_nobody_s(make: MakeHost) -> None:
    host = await make({"/greet": App(build=greet)})
    for name in ("os/path/css/x.css", "none/C/css/x.css", "tests/C/css/x.css", ""):
        assert list(await host.component_apps(name)) == []

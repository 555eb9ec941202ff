from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from jinja2 import Template

from hotshoe.apps import App, Hooks, Request
from hotshoe.auth import User
from hotshoe.config import Settings
from hotshoe.errors import BuildError, RequestError, SessionGone
from hotshoe.hosts import Host, InlineHost, OpenRequest
from hotshoe.sessions import FailureInfo, on_exception


def greet(document: Document) -> None:
    document.add_root(Div(text="hello", name="greeting"))


Make = Callable[..., Any]


@pytest.fixture(params=[8, 0], ids=["threads", "loop"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    hosts: list[InlineHost] = []

    async def make(apps: Mapping[str, App], **options: Any) -> InlineHost:
        host = InlineHost(apps, Settings(threads=request.param, **options))
        hosts.append(host)
        await host.start()
        return host

    yield make
    for host in hosts:
        await host.stop()


async def test_it_is_a_host(make: Make) -> None:
    host: Host = await make({"/greet": App(build=greet, title="Greetings", description="Says hello.")})
    info = host.apps["/greet"]
    assert (info.url, info.title, info.description) == ("/greet", "Greetings", "Says hello.")


async def test_a_session_is_opened_rendered_and_attached(make: Make) -> None:
    host = await make({"/greet": App(build=greet)})
    info = await host.open(OpenRequest("/greet", Request(), "a"))
    assert (info.id, info.app, dict(info.payload)) == ("a", "/greet", {})
    page = (await host.page("/greet", "a")).fill(token="the-token").decode()
    assert "the-token" in page
    attachment = await host.attach("/greet", "a")
    ((ack,), *_) = (await attachment.receive(), None)
    assert b'"ACK"' in bytes(ack[0])
    assert host.statistics().sessions == {"/greet": 1}
    assert host.statistics().connections == 1
    attachment.detach()
    assert host.statistics().connections == 0


async def test_a_failing_process_request_is_reported_as_the_apps(make: Make) -> None:
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
    assert host.statistics().sessions == {"/a": 0, "/b": 0}


async def test_process_request_is_asked_only_without_a_token(make: Make) -> None:
    asked: list[Request] = []

    async def process(request: Request) -> dict[str, Any]:
        asked.append(request)
        return {"user": "ada"}

    host = await make({"/greet": App(build=greet, hooks=Hooks(process_request=process))})
    info = await host.open(OpenRequest("/greet", Request(path="/x"), "a"))
    assert info.payload == {"user": "ada"}
    info = await host.open(OpenRequest("/greet", Request(), "b", payload={"user": "bob"}))
    assert info.payload == {"user": "bob"}
    assert [request.path for request in asked] == ["/x"]


async def test_unknown_apps_and_sessions_are_refused(make: Make) -> None:
    host = await make({"/greet": App(build=greet)})
    with pytest.raises(RequestError) as caught:
        await host.open(OpenRequest("/other", Request(), "a"))
    assert caught.value.status == 404
    with pytest.raises(SessionGone):
        await host.page("/greet", "never")
    with pytest.raises(SessionGone):
        await host.attach("/greet", "never")


async def test_a_page_that_can_not_be_rendered_is_a_build_error(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def build(document: Document) -> None:
        greet(document)
        document.template = Template("{{ embed(roots.missing) }}")

    host = await make({"/greet": App(build=build)})
    await host.open(OpenRequest("/greet", Request(), "a"))
    with pytest.raises(BuildError) as caught:
        await host.page("/greet", "a")
    assert caught.value.error_id in caplog.text


async def test_server_hooks_run_at_start_and_stop_and_share_their_context(make: Make) -> None:
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


async def test_update_sessions_locks_each_and_waits_for_all(make: Make) -> None:
    host = await make({"/greet": App(build=greet), "/other": App(build=greet)})
    for session_id in "abc":
        await host.open(OpenRequest("/greet", Request(), session_id))
    await host.open(OpenRequest("/other", Request(), "d"))
    updated: list[Document] = []

    async def update(document: Document) -> None:
        await asyncio.sleep(0.001)
        document.roots[0].text = "updated"  # type: ignore[attr-defined]
        updated.append(document)

    await host.update_sessions("/greet", update)
    assert len(set(map(id, updated))) == 3

    def fails(document: Document) -> None:
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        await host.update_sessions("/greet", fails)

    ended: list[Document] = []

    async def fails_first(document: Document) -> None:
        if document is updated[0]:
            raise ValueError("of the caller")
        await asyncio.sleep(0.02)
        ended.append(document)

    with pytest.raises(ValueError, match="of the caller"):
        await host.update_sessions("/greet", fails_first)
    assert len(ended) == 2


async def test_unused_sessions_expire_by_themselves(make: Make) -> None:
    host = await make(
        {"/greet": App(build=greet)},
        check_unused_sessions_milliseconds=10,
        unused_session_lifetime_milliseconds=10,
    )
    await host.open(OpenRequest("/greet", Request(), "a"))
    async with asyncio.timeout(5):
        while host.statistics().sessions["/greet"]:
            await asyncio.sleep(0.01)


async def test_stopping_leaves_no_thread_and_no_task(make: Make) -> None:
    before = set(asyncio.all_tasks())
    host = await make({"/greet": App(build=greet)})
    for session_id in "abc":
        await host.open(OpenRequest("/greet", Request(), session_id))
    await host.stop()
    async with asyncio.timeout(5):
        while any(thread.name == "hotshoe-lane" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before


async def test_a_session_has_an_owner(make: Make) -> None:
    host = await make({"/greet": App(build=greet)})
    await host.open(OpenRequest("/greet", Request(user=User("jo")), "hers"))
    await host.open(OpenRequest("/greet", Request(), "nobody's"))
    assert [await host.owner("/greet", name) for name in ("hers", "nobody's", "no session")] == ["jo", None, None]
    await host.open(OpenRequest("/greet", Request(user=User("kim")), "hers"))
    assert await host.owner("/greet", "hers") == "jo"
    with pytest.raises(RequestError):
        await host.owner("/nothing", "hers")


async def test_an_app_knows_its_user(make: Make) -> None:
    seen: list[Any] = []

    def build(document: Document) -> None:
        context: Any = document.session_context
        seen.extend([context.user, context.request.user, context.logout_url])

    host = await make({"/app": App(build=build)})
    await host.open(OpenRequest("/app", Request(user=User("jo"), logout_url="/p/logout"), "a"))
    await host.open(OpenRequest("/app", Request(), "b"))
    assert seen == [User("jo"), User("jo"), "/p/logout", None, None, None]

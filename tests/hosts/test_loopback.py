"""What only a host behind bytes has: what can't cross, what crosses beside the arguments, and frames out of place."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from tests.support import behind_bytes
from tests.support.hosts import join, open_session, page_of
from tests.support.waiting import until

from hotshoe.apps import App, Hooks, Request
from hotshoe.base import logs
from hotshoe.base.errors import AppError, ConfigError, InternalError, ProtocolError, RemoteError
from hotshoe.config import Settings
from hotshoe.hosts import codec
from hotshoe.hosts.host import OpenRequest, SessionEnded
from hotshoe.hosts.inline import InlineHost
from hotshoe.hosts.loopback import HostSide, LoopbackHost, RemoteHost

secret = ContextVar("secret", default="")
seen: list[Any] = []


def build(document: Document) -> None:
    seen.append((secret.get(), logs.known().get("request_id")))
    document.add_root(Div(text="hello"))


def write(document: Document, text: str, *, times: int = 1) -> None:
    """What a test has a session run by name."""
    root = document.roots[0]
    assert isinstance(root, Div)
    root.text = text * times
    seen.append(root.text)


def fail(document: Document) -> None:
    raise ValueError("of the caller")


@pytest.fixture
async def inline() -> InlineHost:
    seen.clear()
    return InlineHost({"/a": App(build=build)}, Settings(threads=4))


@pytest.fixture
async def host(inline: InlineHost) -> AsyncIterator[LoopbackHost]:
    host = LoopbackHost(inline)
    await host.start()
    yield host
    await host.stop()


async def test_a_function_crosses_by_its_name(host: LoopbackHost) -> None:
    await open_session(host, "/a", "s")
    seen.clear()
    await host.update("/a", f"{__name__}:write", "ho")
    assert seen == ["ho"]
    with pytest.raises(ConfigError, match='"module:name"'):
        await host.update("/a", write, "ho")
    with pytest.raises(ConfigError, match="an argument of tests"):
        await host.update("/a", f"{__name__}:write", object())
    with pytest.raises(ConfigError, match="is not the name of a function"):
        await host.update("/a", "tests.nothing:write")
    for name in (".nothing:write", "math:pi", "math:", "math", ""):
        with pytest.raises(ConfigError, match="is not the name of a function"):
            await host.update("/a", name)
    with pytest.raises(InternalError):
        await host.update("/a", f"{__name__}:fail")


async def test_no_app_but_a_path_crosses(host: LoopbackHost, tmp_path: Path) -> None:
    for target in (build, App(build=build)):
        with pytest.raises(AppError, match="can't be sent to another process"):
            await host.serve_app("/new", target)
    (tmp_path / "new.py").write_text("")
    await host.serve_app("/new", tmp_path / "new.py")
    assert list(host.apps) == ["/a", "/new"]


async def test_log_fields_cross_and_no_other_context(host: LoopbackHost) -> None:
    noted, told = logs.note(request_id="r-1"), secret.set("of the front")
    try:
        await open_session(host, "/a", "s")
    finally:
        logs.forget(noted)
        secret.reset(told)
    assert seen == [("", "r-1")]


async def test_who_leaves_while_a_socket_is_attached_leaves_no_subscriber(
    inline: InlineHost, host: LoopbackHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_session(host, "/a", "s")
    attach = inline.attach
    attached = asyncio.Event()

    async def attach_and_notify(open_request: OpenRequest) -> Any:
        attachment = await attach(open_request)
        attached.set()
        return attachment

    monkeypatch.setattr(inline, "attach", attach_and_notify)
    joining = asyncio.create_task(join(host, "/a", "s"))
    await attached.wait()  # the answer is on its way
    joining.cancel()
    await asyncio.wait([joining])
    async with asyncio.timeout(10):
        while (await host.statistics()).connections:
            await asyncio.sleep(0.005)


async def test_a_call_and_its_cancellation_in_one_read_tell_that_there_is_no_session(inline: InlineHost) -> None:
    frames: list[bytes] = []
    side = HostSide(inline, frames.append)
    await inline.start()
    open_request = codec.pack((OpenRequest("/a", Request(), "s"),))
    side.receive_frame(codec.encode_frame(codec.Call(1, "open", open_request)))
    side.receive_frame(codec.encode_frame(codec.Cancel(1)))
    async with asyncio.timeout(10):
        while codec.EventFrame(SessionEnded("/a", "s")) not in map(codec.decode_frame, frames):
            await asyncio.sleep(0.005)
    await inline.stop()


async def test_what_is_too_large_fails_by_itself(
    host: LoopbackHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await open_session(host, "/a", "s")
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(ProtocolError) as caught:
        await page_of(host, "/a", "s")
    assert caught.value.close_code == 1009
    assert (await host.statistics()).sessions == {"/a": 1}


@pytest.mark.parametrize("payload", [{"n": 1 << 70}, {"half a pair": "\ud800"}, {"text": "x" * 20_000}])
@pytest.mark.parametrize("method", ["open", "attach"])
async def test_a_wish_that_can_not_cross_leaves_no_session(
    host: LoopbackHost, monkeypatch: pytest.MonkeyPatch, payload: dict[str, Any], method: str
) -> None:
    told: list[Any] = []
    host.listen(told.append)
    await open_session(host, "/a", "lives", Request(user="jo"))
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", 10_000)
    for session_id, user in (("lives", "jo"), ("new", None), ("half a pair: \udfff", None)):
        open_request = OpenRequest("/a", Request(user=user), session_id, payload)
        with pytest.raises(RemoteError):
            await getattr(host, method)(open_request)
    assert told == [SessionEnded("/a", "new"), SessionEnded("/a", "half a pair: \udfff")]
    with pytest.raises(RemoteError):
        await getattr(host, method)(OpenRequest("/a", Request(), "newer", payload, may_create=False))
    assert len(told) == 2


async def test_a_call_ends_whatever_the_host_raised(host: LoopbackHost) -> None:
    sent: list[bytes] = []
    remote = RemoteHost(sent.append)
    call = asyncio.create_task(remote.statistics())
    await asyncio.sleep(0)
    frame = codec.decode_frame(sent[0])
    assert isinstance(frame, codec.Call)
    remote.receive_frame(codec.encode_frame(codec.Failed(frame.number, "OfAnotherVersion", "no")))
    with pytest.raises(ProtocolError, match="no error 'OfAnotherVersion'"):
        await call


async def test_what_the_hook_returns_must_be_plain(caplog: pytest.LogCaptureFixture) -> None:
    app = App(build=build, hooks=Hooks(process_request=lambda request: {"key": object()}))
    host = LoopbackHost(InlineHost({"/a": app}, Settings(threads=0)))
    await host.start()
    with pytest.raises(InternalError) as caught:
        await host.open(OpenRequest("/a", Request(), "s"))
    assert caught.value.error_id in caplog.text
    await host.stop()


def test_frames_out_of_place_are_refused(inline: InlineHost) -> None:
    told = codec.encode_frame(codec.EventFrame(SessionEnded("/a", "s")))
    handed = codec.encode_frame(codec.Detach(1))
    with pytest.raises(ProtocolError, match="does not send EventFrame"):
        HostSide(inline, lambda data: None).receive_frame(told)
    with pytest.raises(ProtocolError, match="does not send Detach"):
        RemoteHost(lambda data: None).receive_frame(handed)
    for side in (HostSide(inline, lambda data: None), RemoteHost(lambda data: None)):
        with pytest.raises(ProtocolError, match="malformed"):
            side.receive_frame(b"\xc1")


async def test_two_calls_at_once_have_two_numbers(host: LoopbackHost, inline: InlineHost) -> None:
    sent: list[bytes] = []
    side = HostSide(inline, sent.append)
    call = codec.encode_frame(codec.Call(7, "statistics", codec.pack(())))
    side.receive_frame(call)
    with pytest.raises(ProtocolError, match="twice as number 7"):
        side.receive_frame(call)
    await until(lambda: len(sent) == 1)
    side.receive_frame(call)
    await until(lambda: len(sent) == 2)


async def test_answers_to_nobody_and_calls_of_nothing(host: LoopbackHost) -> None:
    host.receive_frame(codec.encode_frame(codec.Answer(999, codec.pack(None))))
    with pytest.raises(ProtocolError, match="no method '__init__'"):
        await host.call("__init__")
    with pytest.raises(ProtocolError, match="malformed"):
        await host.call("metadata", 7)
    for method in ("receive", "ready"):
        with pytest.raises(ProtocolError, match="detached"):
            await host.call(method, 999)


def test_tests_can_have_all_hosts_behind_bytes() -> None:
    code = "import hotshoe; print(type(hotshoe.asgi(lambda document: None).front.host).__name__)"
    folder = str(Path(behind_bytes.__path__[0]))
    path = f"{Path(sys.modules['hotshoe'].__path__[0]).parent}"
    for more, kind in ((folder, "LoopbackHost"), ("", "InlineHost")):
        environment = {"PYTHONPATH": f"{more}:{path}"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True,
                              timeout=60)
        assert done.stdout.strip() == kind

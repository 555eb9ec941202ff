"""A host that is called only through bytes, in the front's own process. It proves that only plain data passes.

``RemoteHost`` is the front's side and ``HostSide`` the host's. Each sends frames by calling a function, and receives
those of the other in order. ``LoopbackHost`` connects the two through the event loop's queue; a worker process will use
a socket.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..base import logs
from ..base.errors import AccessError, AppError, ConfigError, HotshoeError, InternalError, ProtocolError, RequestError
from ..base.tasks import STOP_GRACE_S
from ..http.requests import Request
from ..wire.messages import Close, Incoming, Outgoing
from . import codec
from .host import AppInfo, AppsChanged, Attachment, Event, Host, Listener, Opened, OpenRequest, SessionEnded

Sender = Callable[[bytes], None]


def _method(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A method that only calls the same method of the host."""

    async def call(self: RemoteHost, *arguments: Any) -> Any:
        return await self.call(name, *arguments)

    return call


class RemoteHost:
    """A host in another process: ``send`` sends a frame to it, and ``receive_frame`` gets each frame from it."""

    def __init__(self, send: Sender) -> None:
        self._send_bytes = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[codec.Answer]] = {}
        self._apps: Mapping[str, AppInfo] = MappingProxyType({})
        self._listener: Listener | None = None

    def receive_frame(self, data: bytes) -> None:
        """Handle a frame of the host. Raises ``ProtocolError`` for one that a host does not send."""
        frame = codec.decode_frame(data)
        match frame:
            case codec.Answer() | codec.Failed():
                waiting = self._waiting.get(frame.number)
                if waiting is None or waiting.done():
                    return
                if isinstance(frame, codec.Answer):
                    waiting.set_result(frame)
                else:
                    waiting.set_exception(codec.decode_error(frame))
            case codec.EventFrame(event):
                if isinstance(event, AppsChanged):
                    self._apps = event.apps
                if self._listener is not None:
                    # Keep the order of events and answers: a call that has its answer by now continues first.
                    asyncio.get_running_loop().call_soon(self._listener, event)
            case _:
                raise ProtocolError(f"a host does not send {type(frame).__name__}")

    def send(self, frame: codec.Frame) -> None:
        """Send a frame to the host."""
        self._send_bytes(codec.encode_frame(frame))

    async def call(self, method: str, *arguments: Any, number: int | None = None) -> Any:
        """Call a method of the host and wait for its answer. If this is cancelled, so is the call at the host."""
        number = next(self._numbers) if number is None else number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self.send(codec.Call(number, method, codec.pack(arguments), dict(logs.known())))
            return codec.unpack((await answer).value, codec.METHODS[method][1])
        except asyncio.CancelledError:
            self.send(codec.Cancel(number))
            raise
        finally:
            del self._waiting[number]

    @property
    def apps(self) -> Mapping[str, AppInfo]:
        """The apps by URL, from the host's latest ``AppsChanged``."""
        return self._apps

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with each event from now on."""
        self._listener = listener

    start = _method("start")
    metadata = _method("metadata")
    withdraw_app = _method("withdraw_app")
    file = _method("file")
    component_apps = _method("component_apps")
    read_file = _method("read_file")
    model_script = _method("model_script")
    statistics = _method("statistics")
    sessions = _method("sessions")
    close = _method("close")

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop the host."""
        await self.call("stop", grace_s)

    async def open(self, open_request: OpenRequest) -> Opened:
        """Find or create the session, and render it if a view is asked for."""
        opened: Opened = await self._open("open", open_request, next(self._numbers))
        return opened

    async def attach(self, open_request: OpenRequest) -> RemoteAttachment:
        """Find or create the session, and subscribe a websocket to it."""
        number = next(self._numbers)
        await self._open("attach", open_request, number)
        return RemoteAttachment(self, number)

    async def _open(self, method: str, open_request: OpenRequest, number: int) -> Any:
        try:
            return await self.call(method, codec.without_objects(open_request), number=number)
        except (InternalError, ProtocolError, *codec.UNSENDABLE) as error:
            # The host may not have read the call, and then it can't tell that the call left no session.
            if open_request.may_create:
                telling = self._notify_if_gone(open_request.app, open_request.session_id)
                await asyncio.shield(asyncio.ensure_future(telling))
            if isinstance(error, HotshoeError):
                raise
            raise RequestError("The request has a value that can't be sent to the app's process") from error

    async def _notify_if_gone(self, app: str, session_id: str) -> None:
        try:
            await self.call("open", OpenRequest(app, Request(), session_id, may_create=False))
        except AccessError:  # there is one, of some user
            return
        except (HotshoeError, *codec.UNSENDABLE):
            if self._listener is not None:
                self._listener(SessionEnded(app, session_id))

    async def serve_app(self, url: str, target: Any) -> None:
        """Serve the app at a path. Raises ``AppError`` for a function or an object, which can't be sent."""
        if not isinstance(target, str | Path):
            raise AppError(f"{url}: a {type(target).__name__} can't be sent to another process: name the app's file")
        await self.call("serve_app", url, str(target))

    async def update(self, app: str, function: Callable[..., Any] | str, *args: Any) -> None:
        """Call the function of a name like ``"module:name"``. Raises ``ConfigError`` for a function object."""
        if not isinstance(function, str):
            raise ConfigError('a function can\'t be sent to another process: name it as "module:name", and give what '
                              "it needs as arguments")
        try:
            await self.call("update", app, function, args)
        except TypeError as error:
            raise ConfigError(f"an argument of {function} can't be sent to another process: {error}") from error


class RemoteAttachment:
    """An attachment at a host in another process."""

    def __init__(self, host: RemoteHost, number: int) -> None:
        self._host = host
        self._number = number
        self._receiving: asyncio.Task[Any] | None = None

    async def receive(self) -> Sequence[Outgoing] | Close:
        """Wait for the next messages. If this is cancelled, the call at the host goes on, so that nothing is lost."""
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._host.call("receive", self._number))
            self._receiving.add_done_callback(lambda task: task.cancelled() or task.exception())
        messages: Sequence[Outgoing] | Close = await asyncio.shield(self._receiving)
        self._receiving = None
        return messages

    def handle(self, message: Incoming) -> None:
        """Pass a message from the browser to the session."""
        self._host.send(codec.MessageFrame(self._number, message))

    async def ready(self) -> None:
        """Wait until there is room for another message."""
        await self._host.call("ready", self._number)

    def detach(self) -> None:
        """End the attachment."""
        if self._receiving is not None:
            self._receiving.cancel()
        self._host.send(codec.Detach(self._number))


class HostSide:
    """Runs the calls that arrive as frames at ``host``, and sends its answers and events by ``send``."""

    def __init__(self, host: Host, send: Sender) -> None:
        self._host = host
        self._send_bytes = send
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._attachments: dict[int, Attachment] = {}
        host.listen(self._notify)

    def _notify(self, event: Event) -> None:
        self._send_bytes(codec.encode_frame(codec.EventFrame(event)))

    def receive_frame(self, data: bytes) -> None:
        """Handle a frame of the front. Raises ``ProtocolError`` for one that a front does not send."""
        frame = codec.decode_frame(data)
        match frame:
            case codec.Call(number):
                if number in self._calls or number in self._attachments:
                    raise ProtocolError(f"a front calls twice as number {number}")
                # An empty context: the app's code must not see the front's context variables.
                task = self._calls[number] = asyncio.get_running_loop().create_task(
                    self._answer(frame), context=contextvars.Context())
                task.add_done_callback(lambda _: self._calls.pop(number))
            case codec.Cancel(number):
                # After the call has begun: a host that never ran it could not report that it left no session.
                asyncio.get_running_loop().call_soon(self._cancel, number)
            case codec.Detach(number):
                self._detach(number)
            case codec.MessageFrame(number, message):
                if (attachment := self._attachments.get(number)) is not None:
                    attachment.handle(message)
            case _:
                raise ProtocolError(f"a front does not send {type(frame).__name__}")

    def _cancel(self, number: int) -> None:
        call = self._calls.get(number)
        if call is None or not call.cancel():  # the call has ended, and made an attachment that nobody will use
            self._detach(number)

    def _detach(self, number: int) -> None:
        if (attachment := self._attachments.pop(number, None)) is not None:
            attachment.detach()

    async def _answer(self, call: codec.Call) -> None:
        logs.note(**call.log_fields)
        try:
            answer = codec.encode_frame(codec.Answer(call.number, codec.pack(await self._run(call))))
        except (Exception, asyncio.CancelledError) as error:
            answer = codec.encode_error(call.number, call.method, error)
        self._send_bytes(answer)

    async def _run(self, call: codec.Call) -> Any:
        if call.method not in codec.METHODS:
            raise ProtocolError(f"a host has no method {call.method!r}")
        arguments = codec.unpack(call.arguments, codec.METHODS[call.method][0])
        match call.method, arguments:
            case "open", (OpenRequest() as open_request,):
                return await self._host.open(codec.restore_user(open_request))
            case "attach", (OpenRequest() as open_request,):
                self._attachments[call.number] = await self._host.attach(codec.restore_user(open_request))
                return None
            case ("receive" | "ready"), (number,):
                if (attachment := self._attachments.get(number)) is None:
                    raise ProtocolError("the websocket is detached")
                return await getattr(attachment, call.method)()
            case "file", (name,):
                return replace(await self._host.file(name), path=None)
            case "update", (app, function, args):
                return await self._host.update(app, function, *args)
        return await getattr(self._host, call.method)(*arguments)


class LoopbackHost(RemoteHost):
    """Wraps ``host``: each call, answer and event is encoded and decoded again."""

    def __init__(self, host: Host) -> None:
        super().__init__(lambda data: self._later(side.receive_frame, data))
        side = HostSide(host, lambda data: self._later(self.receive_frame, data))
        self.receive_frame(codec.encode_frame(codec.EventFrame(AppsChanged(host.apps))))

    @staticmethod
    def _later(receive: Sender, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(receive, data)

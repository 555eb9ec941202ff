"""A websocket as BokehJS opens it, by hand, so that the answer to a refused handshake can be read."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from .addresses import Address
from .channel import Channel, failure_of
from .exchanges import Browser
from .observations import Close, Failure, Reply, Talk, Trouble
from .options import MAX_MESSAGES
from .tokens import Ticket

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BODY = 8192
_ACK_PATIENCE_S = 4.0
"""The server sends ``ACK`` at once; after this we speak first, to see whether somebody holds it back."""


class Conversation:
    """A websocket that has been asked for. Nothing of it raises: ``talk`` says what was seen."""

    def __init__(self, browser: Browser, address: Address, origin: str, ticket: Ticket) -> None:
        self._browser = browser
        self._timeout_s = browser.options.timeout_s
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=MAX_MESSAGES)
        self._fragments: list[tuple[bool, bytes]] = []
        self._messages: list[dict[str, Any]] = []
        self._sent = 0
        self._opened = time.monotonic()
        self._channel: Channel | None = None
        self._file: Any = None
        self.talk = self._shake(address, origin, ticket)

    # -- the handshake

    def _shake(self, address: Address, origin: str, ticket: Ticket) -> Talk:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": f"bokeh, {ticket.text}", "Origin": origin}
        try:
            self._channel = self._browser.open(address, timeout_s=self._timeout_s, max_bytes=MAX_MESSAGES)
            self._channel.send(self._browser.request(address, "GET", headers))
            reply = self._answer(address)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            failure = failure_of(address, error)
            if isinstance(error, HTTPException) and not isinstance(error, OSError):
                failure = Failure(address, Trouble.MALFORMED, str(error))
            return Talk(address, origin, failure)
        good = reply.status == 101 and reply.header("sec-websocket-accept") == _accept(key)
        if not good:
            self.close()
        self._opened = time.monotonic()
        return Talk(address, origin, reply, is_websocket=good, subprotocol=reply.header("sec-websocket-protocol"))

    def _answer(self, address: Address) -> Reply:
        started = time.monotonic()
        response = HTTPResponse(cast(Any, _Shared(self._channel)))
        self._file = response.fp
        response.begin()
        reply = Reply(address, response.status, response.reason, tuple(response.getheaders()),
                      elapsed_s=time.monotonic() - started)
        if response.status == 101:
            return reply
        try:
            return replace(reply, body=response.read(_BODY))
        except (OSError, HTTPException):
            return replace(reply, is_cut=True)

    # -- what is said

    def greet(self) -> None:
        """Wait for ``ACK``, and ask for the document."""
        if not self.talk.is_websocket:
            return
        first = min(_ACK_PATIENCE_S, self._timeout_s / 2)
        acknowledged = self._until(lambda: bool(self._messages), first)
        started = time.monotonic()
        self._say("PULL-DOC-REQ", {})
        self._until(lambda: self._reply("PULL-DOC-REPLY") is not None or self._reply("ERROR") is not None,
                    self._timeout_s)
        document = self._reply("PULL-DOC-REPLY")
        error = self._reply("ERROR")
        title = _title(document)
        self.talk = replace(
            self.talk, acknowledged=self._reply("ACK") is not None,
            was_held=not acknowledged and self._reply("ACK") is not None, pulled=document is not None, title=title,
            pull_s=time.monotonic() - started, error="" if error is None else str(error["content"].get("text", "")))

    def entitle(self, title: str) -> bool:
        """Give the session's document another title, which every socket of that session then shows."""
        if not self.talk.pulled or self.talk.close is not None:
            return False
        self._messages.clear()
        self._say("PATCH-DOC", {"events": [{"kind": "TitleChanged", "title": title}]})
        return self._until(lambda: self._reply("OK") is not None, self._timeout_s)

    def watch(self, seconds: float) -> None:
        """Say nothing, and see what happens."""
        if seconds and self.is_open():
            started = time.monotonic()
            self._until(lambda: False, seconds)
            self.talk = replace(self.talk, watched_s=time.monotonic() - started)

    def is_open(self) -> bool:
        """Whether it is."""
        return self.talk.is_websocket and self.talk.close is None

    def close(self) -> None:
        """Say good-bye, and close the connection."""
        try:
            if self._channel is not None and self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
        except (OSError, ProtocolError):
            pass
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _say(self, kind: str, content: Mapping[str, Any]) -> None:
        self._sent += 1
        for part in ({"msgid": f"doctor-{self._sent}", "msgtype": kind}, {}, content):
            if self._protocol.state is State.OPEN:
                self._protocol.send_text(json.dumps(part).encode())
        try:
            self._flush()
        except OSError as error:
            self._ended(None, str(error))

    def _flush(self) -> None:
        assert self._channel is not None
        for data in self._protocol.data_to_send():
            if data:
                self._channel.extend(self._timeout_s)
                self._channel.send(data)

    # -- what is heard

    def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0 or self._channel is None or self.talk.close is not None:
                return done()
            self._channel.extend(left)
            try:
                self._take(self._file.read1(65_536))
            except TimeoutError:
                return done()
            except OSError as error:
                self._ended(None, str(error))
        return True

    def _take(self, data: bytes) -> None:
        if not data:
            self._ended(None, "")
            return
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                self._frame(cast(Frame, event))
            if self._protocol.parser_exc is not None:
                self._ended(1002, "it sends what is no websocket frame")
            self._flush()  # pongs
        except ProtocolError as error:
            self._ended(1002, str(error))

    def _frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PING:
                seconds = time.monotonic() - self._opened
                self.talk = replace(self.talk, pings_s=(*self.talk.pings_s, seconds)[-1000:])
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                self._ended(1005 if received is None else received.code, "" if received is None else received.reason)
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._fragment(frame)

    def _fragment(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CONT and self._fragments:
            _, data = self._fragments.pop()
            self._fragments.append((frame.fin, data + bytes(frame.data)))
        else:
            self._fragments.append((frame.fin, bytes(frame.data)))
        if frame.fin:
            self._assemble()

    def _assemble(self) -> None:
        """Of a message header, metadata and content come first, then two fragments per buffer."""
        parts = self._fragments
        header = _object(parts[0][1])
        if len(parts) < 3:
            return
        if len(parts) == 3:
            content = {**header, "content": _object(parts[2][1])}
            self._messages = [*self._messages[-200:], content]
        buffers = header.get("num_buffers")
        if len(parts) >= 3 + 2 * (buffers if isinstance(buffers, int) else 0):
            self._fragments = []

    def _reply(self, kind: str) -> dict[str, Any] | None:
        return next((message for message in self._messages if message.get("msgtype") == kind), None)

    def _ended(self, code: int | None, reason: str) -> None:
        if self.talk.close is None:
            after_s = time.monotonic() - self._opened
            self.talk = replace(self.talk, close=Close(code, reason, after_s))


class _Shared:
    """Lets ``http.client`` read a head and leaves what follows in the same buffer."""

    def __init__(self, channel: Channel | None) -> None:
        self._channel = channel

    def makefile(self, mode: str) -> Any:
        assert self._channel is not None
        return _Kept(self._channel.makefile(mode))


class _Kept:
    def __init__(self, file: Any) -> None:
        self._file = file

    def close(self) -> None:
        """Nothing: frames are read from it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _title(reply: dict[str, Any] | None) -> str | None:
    document = {} if reply is None else reply["content"].get("doc")
    title = document.get("title") if isinstance(document, dict) else None
    return title if isinstance(title, str) else None

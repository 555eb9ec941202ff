"""A websocket as BokehJS opens it.

``websockets`` reads and writes the frames, h11 does the handshake, both on a connection of ours. The client of
``websockets`` reads a whole refusal before it tells the status: if the body is large, late or cut, or a header has more
than 8 KB, it only raises ``InvalidMessage`` or ``TimeoutError``. It also stores unread messages, each as large as one
message may be, and does not report the server's pings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import h11
from websockets.exceptions import ProtocolError as FrameError
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import accept_key, generate_key

from ..base.errors import ProtocolError
from ..wire import Assembler, Incoming, Outgoing, decode_content, patch_doc_request, pull_doc_request
from .bounds import MAX_MESSAGES
from .browser import Browser
from .markup import PageToken
from .observations import SocketClose, Talk
from .transport import BoundedSocket, failure_of
from .urls import Url

_BODY = 8192
_ACK_TIMEOUT_S = 4.0
"""The server sends ``ACK`` at once. After this time we send first, to see whether something holds it back."""


class Conversation:
    """Opens a websocket and exchanges messages. Never raises: ``talk`` has the observations."""

    def __init__(self, browser: Browser, address: Url, origin: str, token: PageToken) -> None:
        self._browser = browser
        self._timeout_s = browser.options.timeout_s
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=MAX_MESSAGES)
        self._fragments = bytearray()
        self._is_text = True
        self._assembler = Assembler(MAX_MESSAGES)
        self._messages: list[Incoming] = []
        self._connection: BoundedSocket | None = None
        self._early = b""
        self.talk = self._open(address, origin, token)
        self._opened = time.monotonic()

    def _open(self, address: Url, origin: str, token: PageToken) -> Talk:
        key = generate_key()
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": f"bokeh, {token.text}", "Origin": origin}
        try:
            self._connection = self._browser.open(address, timeout_s=self._timeout_s, max_bytes=MAX_MESSAGES)
            request = self._browser.request(address, "GET", headers)
            reply, self._early = self._browser.send(self._connection, address, request, _BODY)
        except (OSError, ValueError, h11.ProtocolError) as error:
            self.close()
            return Talk(failure_of(address, error))
        if reply.status != 101 or reply.header("sec-websocket-accept") != accept_key(key):
            self.close()
            return Talk(reply)
        return Talk(reply, is_websocket=True, subprotocol=reply.header("sec-websocket-protocol"))

    def pull_document(self) -> None:
        """Wait for ``ACK``, and request the document."""
        if not self.talk.is_websocket:
            return
        is_prompt = self._receive_until(lambda: bool(self._messages), min(_ACK_TIMEOUT_S, self._timeout_s / 2))
        started = time.monotonic()
        self._send(pull_doc_request("doctor-pull"))
        self._receive_until(lambda: bool(self._reply("PULL-DOC-REPLY") or self._reply("ERROR")), self._timeout_s)
        has_ack, document = self._reply("ACK") is not None, self._reply("PULL-DOC-REPLY")
        self.talk = replace(
            self.talk, acknowledged=has_ack, was_held=has_ack and not is_prompt, pulled=document is not None,
            title=_title(document), pull_s=time.monotonic() - started,
            error=str(_content(self._reply("ERROR")).get("text", "")))

    def set_title(self, title: str) -> bool:
        """Change the title of the session's document; all websockets of the session see it. Whether that worked."""
        if not self.talk.pulled or self.talk.close is not None:
            return False
        self._messages.clear()
        event = json.dumps({"kind": "TitleChanged", "title": title}).encode()
        self._send(patch_doc_request("doctor-title", event, ()))
        return self._receive_until(lambda: self._reply("OK") is not None, self._timeout_s)

    def watch_idle(self, seconds: float) -> None:
        """Receive for so long without sending anything."""
        if seconds and self.is_open():
            started = time.monotonic()
            self._receive_until(lambda: False, seconds)
            self.talk = replace(self.talk, watched_s=time.monotonic() - started)

    def is_open(self) -> bool:
        return self.talk.is_websocket and self.talk.close is None

    def close(self) -> None:
        """Send a close frame if possible, and close the connection."""
        if self._connection is not None:
            with suppress(OSError, FrameError):
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(1000)
                    self._flush()
            self._connection.close()
            self._connection = None

    def _send(self, message: Outgoing) -> None:
        if self._protocol.state is State.OPEN:
            for part in message:
                self._protocol.send_text(bytes(part))
        try:
            self._flush()
        except OSError as error:
            self._record_close(None, str(error))

    def _flush(self) -> None:
        assert self._connection is not None
        if data := b"".join(self._protocol.data_to_send()):
            self._connection.extend(self._timeout_s)
            self._connection.send(data)

    def _receive_until(self, done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not done() and self._connection is not None and self.is_open():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._connection.extend(left)
            try:
                data, self._early = self._early or self._connection.receive(), b""
                self._feed(data)
            except TimeoutError:
                break
            except OSError as error:
                self._record_close(None, str(error))
        return done()

    def _feed(self, data: bytes) -> None:
        if not data:
            self._record_close(None, "")
            return
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                self._handle_frame(cast(Frame, event))
            if self._protocol.parser_exc is not None:
                self._record_close(1002, "it sends data that is not a websocket frame")
            self._flush()  # sends pongs
        except FrameError as error:
            self._record_close(1002, str(error))

    def _handle_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PING:
                seconds = time.monotonic() - self._opened
                self.talk = replace(self.talk, pings_s=(*self.talk.pings_s, seconds)[-1000:])
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                self._record_close(*((1005, "") if received is None else (received.code, received.reason)))
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._add_fragment(frame)

    def _add_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments += frame.data
        if not frame.fin:
            return
        data = bytes(self._fragments)
        self._fragments.clear()
        try:
            message = self._assembler.feed(data.decode() if self._is_text else data)
        except (ProtocolError, UnicodeDecodeError):
            self._record_close(1002, "it sends a message that is not of Bokeh's protocol")
        else:
            if message is not None:
                self._messages = [*self._messages[-200:], message]

    def _reply(self, kind: str) -> Incoming | None:
        return next((message for message in self._messages if message.msgtype == kind), None)

    def _record_close(self, code: int | None, reason: str) -> None:
        if self.talk.close is None:
            self.talk = replace(self.talk, close=SocketClose(code, reason, time.monotonic() - self._opened))


def _content(message: Incoming | None) -> dict[str, Any]:
    try:
        return {} if message is None else decode_content(message)
    except ProtocolError:
        return {}


def _title(reply: Incoming | None) -> str | None:
    document = _content(reply).get("doc")
    title = document.get("title") if isinstance(document, dict) else None
    return title if isinstance(title, str) else None

"""One websocket to a server, from handshake to end: whole messages, and errors that say what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from ..base.errors import ClientError, ClientTimeout, NoServerError, ProtocolError, RefusedError
from ..wire import Assembler, Incoming, Outgoing, decode_content, is_binary
from .address import AppAddress, describe_redirect
from .terms import Terms

PING_S = 20.0
"""The time between pings, which keep proxies from cutting an idle connection."""

_CLOSE_S = 5.0
_LARGEST_BYTES = 1 << 40

_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
"""When the network counts as cut. The kernel answers these probes, also for a server that is too busy for pings."""


class _Connect(websockets.asyncio.client.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # as in browsers: the target is a login page, or a server that must not get our credentials


class Closed(Exception):
    """The connection has ended. ``code`` is from the server's close frame; ``None`` without such a frame."""

    def __init__(self, code: int | None, reason: str, *, too_big: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.too_big = too_big
        """Whether we closed it because of a message above our limit."""


class MessageSocket:
    """An open websocket on which the server has sent its greeting. Make one with ``dial``."""

    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection
        self._assembler = Assembler(_LARGEST_BYTES)  # websockets limits each part

    async def send(self, message: Outgoing) -> None:
        """Send a message, and wait for room for the next. Raises ``Closed``."""
        try:
            for index, data in enumerate(message):
                await self._connection.send(data, text=not is_binary(index))
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> Incoming:
        """The next message. Raises ``Closed``, or ``ClientError`` for data that is not of Bokeh's protocol."""
        while True:
            try:
                message = self._assembler.feed(await self._connection.recv())
            except ConnectionClosed as error:
                raise _closed(error) from None
            except ProtocolError as error:
                raise ClientError(f"the server does not speak Bokeh's protocol: {error.detail}") from error
            if message is not None:
                return message

    async def close(self) -> None:
        """Send a close frame, and end it."""
        await self._connection.close()

    def abort(self) -> None:
        """End it at once."""
        self._connection.transport.abort()


async def dial(terms: Terms, token: str) -> MessageSocket:
    """Open a websocket and wait for the server's greeting. Raises ``ClientError`` with the reason."""
    address = terms.address
    more: dict[str, Any] = {"ssl": terms.tls} if terms.tls is not None and address.socket.startswith("wss:") else {}
    try:
        async with asyncio.timeout(terms.timeout_s):
            connection = await _Connect(
                address.socket_url, subprotocols=[Subprotocol("bokeh"), Subprotocol(token)], compression=None,
                additional_headers=terms.headers, proxy=None, open_timeout=None, ping_interval=PING_S,
                ping_timeout=None, close_timeout=_CLOSE_S, max_size=terms.max_message_bytes, **more)
            _keep_alive(connection)
            return await _wait_for_greeting(MessageSocket(connection), address)
    except TimeoutError as error:
        raise ClientTimeout(f"{address.page} has not answered within {terms.timeout_s:g} s") from error
    except InvalidStatus as error:
        raise _refusal(address, error.response) from None
    except (InvalidHandshake, InvalidMessage, EOFError) as error:
        raise ClientError(f"{address.page} is not a Bokeh server: {_first_line(str(error))}") from error
    except ssl.SSLCertVerificationError as error:
        raise ClientError(f"the certificate of {address.page} is not trusted ({error.verify_message}); "
                          "give ssl=ssl.create_default_context(cafile=…) with the CA that made it") from error
    except ClientError:
        raise
    except ssl.SSLError as error:
        raise ClientError(f"no TLS with {address.page}: {error.reason or error}") from error
    except OSError as error:
        reason = _first_line(error.strerror or str(error))
        raise NoServerError(f"no server answers at {address.page}: {reason}; is it running?") from error


async def _wait_for_greeting(opened: MessageSocket, address: AppAddress) -> MessageSocket:
    try:
        message = await opened.receive()
    except Closed as closed:
        why = printable_line(closed.reason) or "it gave no reason; it may accept only session ids that it has signed"
        raise RefusedError(f"{address.page} closed the connection: {why}", code=closed.code) from None
    except BaseException:
        opened.abort()
        raise
    if message.msgtype != "ACK":
        opened.abort()
        raise ClientError(f"{address.page} is not a Bokeh server: it began with {message.msgtype!r:.40}")
    return opened


def printable_line(text: Any) -> str:
    """A text of the other side in one line, safe for a terminal."""
    return "".join(character for character in " ".join(str(text).split()) if character.isprintable())[:500]


def content_of(message: Incoming) -> dict[str, Any]:
    """The content of a message. Raises ``ClientError`` if it can't be read."""
    try:
        content: dict[str, Any] = decode_content(message)
    except ProtocolError as error:
        raise ClientError(f"the server sent an invalid {message.msgtype:.40}; is it a Bokeh server?") from error
    return content


def _refusal(address: AppAddress, response: Any) -> ClientError:
    status: int = response.status_code
    reason = _text_of(response)
    match status:
        case 404:
            text = f"the server has no app at {address.page}"
        case 401:  # the server's text is for users of browsers
            text = f"the server refuses the connection to {address.page} (401): give a login by headers= or cookies="
        case 403:
            text = f"the server refuses the connection to {address.page} ({status})" + (f": {reason}" if reason else "")
        case _ if 300 <= status < 400:
            place = describe_redirect(f"{address.page.rstrip('/')}/ws", response.headers.get("Location", "nowhere"))
            text = f"the websocket of {address.page} {place}"
        case 200:
            return ClientError(f"{address.page} is not a Bokeh server: it has no websocket")
        case _:
            text = f"{address.page} answered with status {status}" + (f": {reason}" if reason else "")
    return RefusedError(text, status=status)


def _text_of(response: Any) -> str:
    """The text of the response, if it is plain text."""
    if not response.headers.get("Content-Type", "").startswith("text/plain"):
        return ""
    return _first_line((response.body or b"").decode("utf-8", "replace"))


def _first_line(text: str) -> str:
    return printable_line(next(iter(text.strip().splitlines()), ""))[:200]


def _closed(error: ConnectionClosed) -> Closed:
    if error.rcvd is None:
        too_big = error.sent is not None and error.sent.code == 1009
        return Closed(None, "" if error.sent is None else error.sent.reason, too_big=too_big)
    return Closed(error.rcvd.code, error.rcvd.reason)


def _keep_alive(connection: websockets.asyncio.client.ClientConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # no system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, option, value)

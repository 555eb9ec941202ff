"""One websocket to a server, from its handshake to its end: whole messages, and errors that say what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from ..errors import ClientError, ClientTimeout, NoServerError, ProtocolError, RefusedError
from ..wire import Assembler, Incoming, Outgoing, is_binary
from .addresses import Address
from .replies import in_one_line

PING_S = 20.0
"""Something travels at least so often, so that proxies do not take the connection for dead."""

_CLOSE_S = 5.0
_LARGEST_BYTES = 1 << 40

_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
"""When a network is taken for cut. The kernel answers for a server that computes and answers no ping."""


class _Connect(websockets.asyncio.client.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # it leads to a login page, which is no websocket


class Closed(Exception):
    """The connection has ended. ``code`` is that of the server's close frame; ``None`` if it sent none."""

    def __init__(self, code: int | None, reason: str, *, too_big: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.too_big = too_big
        """Whether we closed it because of a message larger than we take."""


class Channel:
    """An open websocket that the server has greeted. Make one with ``dial``."""

    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection
        self._assembler = Assembler(_LARGEST_BYTES)  # websockets bounds each part

    async def send(self, message: Outgoing) -> None:
        """Send a message; returns when there is room for the next. Raises ``Closed``."""
        try:
            for index, data in enumerate(message):
                await self._connection.send(data, text=not is_binary(index))
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> Incoming:
        """The next message. Raises ``Closed``, and ``ClientError`` if what comes is no message of Bokeh's protocol."""
        while True:
            try:
                message = self._assembler.feed(await self._connection.recv())
            except ConnectionClosed as error:
                raise _closed(error) from None
            except ProtocolError as error:
                raise ClientError(f"the server sent what is no message of Bokeh's protocol: {error.detail}") from error
            if message is not None:
                return message

    async def close(self) -> None:
        """Say goodbye, and end it."""
        await self._connection.close()

    def abort(self) -> None:
        """End it at once."""
        self._connection.transport.abort()


async def dial(address: Address, token: str, *, headers: Mapping[str, str], tls: ssl.SSLContext | None,
               max_message_bytes: int, timeout_s: float | None) -> Channel:
    """Open a websocket and wait for the server's greeting. Raises ``ClientError``, one that says why."""
    more: dict[str, Any] = {"ssl": tls} if tls is not None and address.socket.startswith("wss:") else {}
    try:
        async with asyncio.timeout(timeout_s):
            connection = await _Connect(
                address.dialled, subprotocols=[Subprotocol("bokeh"), Subprotocol(token)], compression=None,
                additional_headers={**address.headers, **headers}, proxy=None, open_timeout=None,
                ping_interval=PING_S, ping_timeout=None, close_timeout=_CLOSE_S, max_size=max_message_bytes, **more)
            _keep_alive(connection)
            return await _greeted(Channel(connection), address)
    except TimeoutError as error:
        raise ClientTimeout(f"{address.page} has not answered within {timeout_s:g} s") from error
    except InvalidStatus as error:
        raise _refusal(address, error.response) from None
    except (InvalidHandshake, InvalidMessage, EOFError) as error:
        raise ClientError(f"what answers at {address.page} is no Bokeh server: {_first_line(str(error))}") from error
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


async def _greeted(channel: Channel, address: Address) -> Channel:
    try:
        message = await channel.receive()
    except Closed as closed:
        why = in_one_line(closed.reason) or "without a word; it may want session ids that it has signed"
        raise RefusedError(f"{address.page} closed the connection: {why}", code=closed.code) from None
    except BaseException:
        channel.abort()
        raise
    if message.msgtype != "ACK":
        channel.abort()
        raise ClientError(f"what answers at {address.page} is no Bokeh server: it began with {message.msgtype!r:.40}")
    return channel


def _refusal(address: Address, response: Any) -> ClientError:
    status: int = response.status_code
    reason = _text_of(response)
    match status:
        case 404:
            text = f"the server has no app at {address.page}"
        case 401:  # what the server says of it is meant for who sits at a browser
            text = f"the server refuses the connection to {address.page} (401): give a login by headers= or cookies="
        case 403:
            text = f"the server refuses the connection to {address.page} ({status})" + (f": {reason}" if reason else "")
        case _ if 300 <= status < 400:
            place = response.headers.get("Location", "elsewhere")
            text = f"{address.page} sends us to {place:.200}; if it wants a login, give headers= or cookies="
        case 200:
            return ClientError(f"what answers at {address.page} is no Bokeh server: it has no websocket")
        case _:
            text = f"{address.page} answered with status {status}" + (f": {reason}" if reason else "")
    return RefusedError(text, status=status)


def _text_of(response: Any) -> str:
    """What the server says, if it says it in plain text."""
    if not response.headers.get("Content-Type", "").startswith("text/plain"):
        return ""
    return _first_line((response.body or b"").decode("utf-8", "replace"))


def _first_line(text: str) -> str:
    return in_one_line(next(iter(text.strip().splitlines()), ""))[:200]


def _closed(error: ConnectionClosed) -> Closed:
    if error.rcvd is None:
        too_big = error.sent is not None and error.sent.code == 1009
        return Closed(None, "" if error.sent is None else error.sent.reason, too_big=too_big)
    return Closed(error.rcvd.code, error.rcvd.reason)


def _keep_alive(connection: websockets.asyncio.client.ClientConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # each system has some of them
            sock.setsockopt(socket.IPPROTO_TCP, option, value)

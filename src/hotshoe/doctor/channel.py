"""A connected socket on which everything has an end: a deadline for the whole, and a number of bytes."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from typing import Any

from .addresses import Address
from .observations import Failure, Name, Trouble


class NoAnswer(Exception):
    """There is none; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.trouble.value)
        self.failure = failure


class Unanswered(OSError):
    """Nobody accepts the connection in time."""


class TooMuch(OSError):
    """The other side sends more than is read."""


def look_up(host: str, timeout_s: float) -> Name:
    """The addresses of a name. The resolver can't be interrupted, only left alone."""
    found: list[Name] = []
    thread = threading.Thread(target=lambda: found.append(_look_up(host)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else Name(host, error="the name server does not answer in time")


def _look_up(host: str) -> Name:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Name(host, error=getattr(error, "strerror", None) or str(error))
    return Name(host, tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)))


class Channel:
    """Bytes to and from an address. What it raises is an ``OSError``; ``TimeoutError`` when its time is over."""

    def __init__(self, address: Address, *, timeout_s: float, max_bytes: int, context: ssl.SSLContext | None) -> None:
        self._left = max_bytes
        self._socket = _connect(address, timeout_s)
        self._deadline = time.monotonic() + timeout_s
        try:
            if context is not None:
                self._socket.settimeout(self._remaining())
                self._socket = context.wrap_socket(self._socket, server_hostname=address.host)
        except BaseException:
            self._socket.close()
            raise

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The TLS socket, if it is one."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    def extend(self, seconds: float) -> None:
        """Set the deadline anew, from now."""
        self._deadline = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.settimeout(self._remaining())
        self._socket.sendall(data)

    def receive(self, most: int = 65_536) -> bytes:
        """What comes next; empty at the end."""
        if self._left <= 0:
            raise TooMuch("it sends without end")
        self._socket.settimeout(self._remaining())
        data = self._socket.recv(min(most, self._left))
        self._left -= len(data)
        return data

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """What ``http.client`` reads from. Closing it does not close the channel."""
        return io.BufferedReader(_Raw(self))

    def close(self) -> None:
        """Close it without a word."""
        self._socket.close()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class _Raw(io.RawIOBase):
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._channel.receive(len(buffer))
        buffer[:len(data)] = data
        return len(data)


def _connect(address: Address, timeout_s: float) -> socket.socket:
    try:
        connection = socket.create_connection((address.host, address.port), timeout_s)
    except TimeoutError as error:
        raise Unanswered(str(error)) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def failure_of(address: Address, error: Exception) -> Failure:
    """An error of a channel as data."""
    detail = getattr(error, "strerror", None) or str(error)
    match error:
        case TooMuch():
            trouble = Trouble.TOO_LARGE
        case Unanswered():
            trouble = Trouble.UNANSWERED
        case socket.gaierror() | UnicodeError():
            trouble = Trouble.NAME
        case ssl.SSLError():
            trouble = Trouble.TLS
            detail = getattr(error, "verify_message", "") or getattr(error, "reason", "") or detail
        case TimeoutError():
            trouble = Trouble.TIMEOUT
        case ConnectionRefusedError():
            trouble = Trouble.REFUSED
        case ConnectionError() | EOFError():
            trouble = Trouble.RESET
        case OSError():
            trouble = Trouble.UNREACHABLE
        case _:
            trouble = Trouble.MALFORMED
    return Failure(address, trouble, str(detail))



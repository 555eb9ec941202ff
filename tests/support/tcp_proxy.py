"""A network that can be cut: a TCP proxy on a port of its own."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

_PATIENCE_S = 5.0


class TcpProxy:
    """Forwards to a port of this machine; ``cut`` resets what is open and refuses what comes, ``heal`` ends that."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.taken = 0
        """How many connections it has taken."""
        self._open: dict[socket.socket, socket.socket] = {}
        """The sockets to the server by those of the clients."""
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.heal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def heal(self) -> None:
        """Take connections, at the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._take, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Reset all connections, refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Closing alone would leave the port open for as long as the other thread waits in accept.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.reset()

    def reset(self) -> None:
        """Reset all connections, once the server is done with them.

        Else it could read what they brought after what the next connection brings: no protocol of Bokeh tells it the
        order of two connections.
        """
        with self._lock:
            pairs, self._open = self._open, {}
        for far in pairs.values():
            _end(far)
        for near in pairs:
            _reset(near)

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), 10)
            except OSError:
                _reset(near)
                continue
            far.settimeout(None)
            self.taken += 1
            with self._lock:
                self._open[near] = far
            for one, two in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, two, near), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            far = self._open.pop(near, None)
        if far is not None:
            for sock in (near, far):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()


def _end(far: socket.socket) -> None:
    """Tell the server that no more comes, and wait until it has closed the connection."""
    with suppress(OSError):
        far.shutdown(socket.SHUT_WR)
        far.settimeout(_PATIENCE_S)
        while far.recv(65536):
            pass
    _reset(far)


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

"""Ports of this machine."""

from __future__ import annotations

import socket
import time


def free_port() -> int:
    """One on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def wait_until_closed(port: int) -> None:
    """Until nobody listens."""
    deadline = time.monotonic() + 60
    while is_open(port):
        assert time.monotonic() < deadline, f"port {port} is still open"
        time.sleep(0.1)

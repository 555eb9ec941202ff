import socket

import pytest

from hotshoe.base.errors import BindError
from hotshoe.server import listening
from hotshoe.server.listening import listen


def test_any_free_port_on_one_address() -> None:
    listeners = listen("127.0.0.1", 0)
    try:
        assert listeners.port > 0
        with socket.create_connection(("127.0.0.1", listeners.port), timeout=60):
            pass
    finally:
        listeners.close()


def test_all_interfaces_share_a_port() -> None:
    listeners = listen(None, 0)
    try:
        families = {sock.family for sock in listeners.sockets}
        assert socket.AF_INET in families
        assert {sock.getsockname()[1] for sock in listeners.sockets} == {listeners.port}
        for family in families:
            host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            with socket.create_connection((host, listeners.port), timeout=60):
                pass
    finally:
        listeners.close()


def test_a_port_can_be_had_again_at_once() -> None:
    listeners = listen("127.0.0.1", 0)
    client = socket.create_connection(("127.0.0.1", listeners.port), timeout=60)
    accepted, _ = listeners.sockets[0].accept()
    accepted.close()
    listeners.close()
    client.close()
    listen("127.0.0.1", listeners.port).close()


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for address in ("127.0.0.1", None):
            with pytest.raises(BindError, match=f"^Cannot start Bokeh server, port {port} is already in use; choose "):
                listen(address, port)


@pytest.mark.parametrize("address", ["192.0.2.1", "no-such-host.invalid", "x" * 300, "a..b"])
def test_an_address_that_is_not_ours(address: str) -> None:
    with pytest.raises(BindError, match=f"^Cannot start Bokeh server, address '{address}' not available; --address"):
        listen(address, 0)


def test_nothing_stays_open_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []
    real = listening._bind

    def failing(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if opened:
            raise PermissionError(13, "Permission denied")
        opened.append(real(family, host, port))
        return opened[0]

    monkeypatch.setattr(listening, "_bind", failing)
    with pytest.raises(BindError, match="needs privileges"):
        listen(None, 0)
    assert opened[0].fileno() == -1


def test_the_second_family_may_find_the_port_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = listening._bind, [None, None]

    def colliding(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if port and failures:
            failures.pop()
            raise OSError(98, "Address already in use")
        return real(family, host, port)

    monkeypatch.setattr(listening, "_bind", colliding)
    listen(None, 0).close()
    assert not failures

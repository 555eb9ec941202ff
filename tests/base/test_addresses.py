"""Which addresses and names are this machine."""

from __future__ import annotations

import pytest

from hotshoe.base.addresses import is_local_host, is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::1%lo", "::ffff:127.0.0.1"])
def test_addresses_of_this_machine(address: str) -> None:
    assert is_loopback(address)
    assert is_local_host(address)


@pytest.mark.parametrize("address", [
    "", "10.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "127.1", "127.0.0.1%lo", "[::1]", "127.0.0.1.example",
])
def test_other_addresses(address: str) -> None:
    assert not is_loopback(address)
    assert not is_local_host(address)


def test_names() -> None:
    assert is_local_host("localhost")
    assert is_local_host("app.localhost")
    assert not is_loopback("localhost")
    assert not any(map(is_local_host, ("localhost.example", "evillocalhost", "localhost:80", "unix")))

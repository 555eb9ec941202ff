"""Settings that do not go together, and texts that are no network or mode."""

from __future__ import annotations

import os
from typing import Any

import pytest

from hotshoe.config import Settings
from hotshoe.errors import ConfigError

SOCKET = {"unix_socket": "/run/a.sock"}
WORDS = r"^\['address', 'ssl_certfile', 'ssl_keyfile', 'port'\] args are not supported with a unix socket$"


@pytest.mark.parametrize(("values", "message"), [
    ({**SOCKET, "port": 0}, "^--port arg is not supported with a unix socket$"),
    ({**SOCKET, "address": "::1"}, WORDS),
    ({**SOCKET, "ssl_certfile": "a.pem"}, WORDS),
    ({**SOCKET, "ssl_keyfile": "a.pem"}, WORDS),
    ({"ssl_keyfile": "a.pem"}, "needs --ssl-certfile"),
    ({"trusted_proxies": ("10.0.0.1",)}, "needs --use-xheaders"),
    ({"use_xheaders": True, "trusted_proxies": ("10.0.0.1/8",)}, "'10.0.0.1/8' is not an address or a network"),
    ({"use_xheaders": True, "trusted_proxies": ("proxy.example",)}, "'proxy.example' is not"),
    ({"unix_socket_mode": "rw"}, "'rw' is not a mode"),
    ({"unix_socket_mode": "066"}, "'066' is not a mode"),
])
def test_one_line_says_what_is_wrong(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Settings(**values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [
    SOCKET, {**SOCKET, "unix_socket_mode": "0666"}, {"unix_socket": "", "port": 1},
    {"ssl_certfile": "c", "ssl_keyfile": "k"},
    {"use_xheaders": True, "trusted_proxies": ("10.0.0.0/8", "fd00::/8", "192.0.2.1")},
])
def test_the_rest_goes_together(values: dict[str, Any]) -> None:
    Settings(**values)


def test_windows_has_no_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(ConfigError, match="none on Windows; use --address"):
        Settings(unix_socket="/run/a.sock")


def test_a_password_is_not_printed() -> None:
    assert "hush" not in repr(Settings(ssl_password="hush"))

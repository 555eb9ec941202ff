"""Settings that do not go together."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.support.cases import every_case

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings

SOCKET: dict[str, Any] = {"unix_socket": "/run/a.sock"}
WORDS = r"^\['address', 'ssl_certfile', 'ssl_keyfile', 'port'\] args are not supported with a unix socket$"


def test_one_line_says_what_does_not_go_together() -> None:
    with every_case() as case:
        for values, message in [
            ({**SOCKET, "port": 0}, "^--port arg is not supported with a unix socket$"),
            ({**SOCKET, "address": "::1"}, WORDS),
            ({**SOCKET, "ssl_certfile": "a.pem"}, WORDS),
            ({**SOCKET, "ssl_keyfile": "a.pem"}, WORDS),
            ({"ssl_keyfile": "a.pem"}, "needs --ssl-certfile"),
            ({"trusted_proxies": ("10.0.0.1",)}, "needs --use-xheaders"),
        ]:
            with case(values):
                with pytest.raises(ConfigError, match=message) as caught:
                    Settings(**values)
                assert "\n" not in str(caught.value)


def test_the_rest_goes_together() -> None:
    with every_case() as case:
        for values in [
            SOCKET, {**SOCKET, "unix_socket_mode": "0666"}, {"unix_socket": "", "port": 1},
            {"ssl_certfile": "c", "ssl_keyfile": "k"}, {"use_xheaders": True, "trusted_proxies": ("10.0.0.0/8",)},
        ]:
            with case(values):
                Settings(**values)


def test_windows_has_no_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(ConfigError, match="Windows has no Unix sockets; use --address"):
        Settings(unix_socket="/run/a.sock")

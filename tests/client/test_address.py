from __future__ import annotations

import pytest

from hotshoe.base.errors import ClientError
from hotshoe.client.address import AppAddress, default_url


@pytest.mark.parametrize(("url", "page", "socket"), [
    ("http://localhost:5006/app", "http://localhost:5006/app", "ws://localhost:5006/app/ws"),
    ("http://localhost:5006/app/", "http://localhost:5006/app", "ws://localhost:5006/app/ws"),
    ("http://localhost:5006", "http://localhost:5006/", "ws://localhost:5006/ws"),
    ("http://localhost:5006/", "http://localhost:5006/", "ws://localhost:5006/ws"),
    ("https://h/a/b", "https://h/a/b", "wss://h/a/b/ws"),
    ("ws://h:1/app/ws", "http://h:1/app", "ws://h:1/app/ws"),
    ("ws://h:1/ws", "http://h:1/", "ws://h:1/ws"),
    ("wss://h/app", "https://h/app", "wss://h/app/ws"),
    ("http://[::1]:80/x", "http://[::1]:80/x", "ws://[::1]:80/x/ws"),
    ("http://h/ws", "http://h/ws", "ws://h/ws/ws"),
])
def test_pages_and_sockets(url: str, page: str, socket: str) -> None:
    address = AppAddress.of(url)
    assert (address.page, address.socket, address.socket_url) == (page, socket, socket)


def test_arguments_join_the_query_of_the_address() -> None:
    address = AppAddress.of("http://h/a?x=1", {"y": "ä b", "z": ["1", "2"]})
    assert address.socket_url == "ws://h/a/ws?x=1&y=%C3%A4+b&z=1&z=2"


def test_a_user_in_the_address_becomes_a_header() -> None:
    address = AppAddress.of("http://joe:p%40ss@h:1/a")
    assert address.headers == {"Authorization": "Basic am9lOnBAc3M="}
    assert address.socket == "ws://h:1/a/ws"


@pytest.mark.parametrize("url", ["", "localhost:5006/app", "ftp://h/a", "http://", "http://h:x/", "http://h:99999/",
                                 "file:///etc/passwd", "http://[::1/"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ClientError, match="is not the address"):
        AppAddress.of(url)


def test_default_is_what_bokehs_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_url() == "http://localhost:5006/"
    monkeypatch.setenv("BOKEH_DEFAULT_SERVER_HOST", "::1")
    monkeypatch.setenv("BOKEH_DEFAULT_SERVER_PORT", "7000")
    assert AppAddress.of("default").socket == "ws://[::1]:7000/ws"

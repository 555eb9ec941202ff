"""Scopes in, requests out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hotshoe.http.requests import Request, arguments_of, header, headers_of, last, request_id, request_of, with_payload


def scope(query: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/p/a", "query_string": query, "headers": headers or [],
            "client": ("10.0.0.1", 5), "scheme": "http", **more}


def test_arguments_are_lists_of_bytes_with_blanks_kept() -> None:
    assert arguments_of(b"a=1&a=2&b=&c=%FF%20x&%C3%A9=y+z") == {
        "a": [b"1", b"2"], "b": [b""], "c": [b"\xff x"], "é": [b"y z"]}
    assert arguments_of(b"") == {}
    assert arguments_of(b"\xff=\xfe&=&%=%zz") == {"�": [b"\xfe"], "": [b""], "%": [b"%zz"]}


def test_a_request_keeps_the_id_that_a_proxy_gave_it_if_it_is_sane() -> None:
    for given in (b"4bf92f35-77b3/4da6", b"x" * 128):
        assert request_id(scope(headers=[(b"x-request-id", given)])) == given.decode()
    for given in (b"", b"a b", b"a\nb", b"\xe9", b"x" * 129, b'"'):
        assert len(request_id(scope(headers=[(b"x-request-id", given)]))) == 16
    assert request_id(scope()) != request_id(scope())


def test_session_arguments_are_not_the_apps() -> None:
    request = request_of(scope(b"bokeh-session-id=x&bokeh-token=t&bokeh-app-path=%2F&a=1"))
    assert request.arguments == {"bokeh-app-path": [b"/"], "a": [b"1"]}


def test_headers_are_title_case_and_joined() -> None:
    pairs = [(b"x-sso-user", b"jo"), (b"accept", b"a"), (b"accept", b"b"), (b"cookie", b"a=1"), (b"cookie", b'b="x y"')]
    request = request_of(scope(headers=pairs))
    assert request.headers == {"X-Sso-User": "jo", "Accept": "a,b", "Cookie": 'a=1; b="x y"'}
    assert request.cookies == {"a": "1", "b": "x y"}


@pytest.mark.parametrize(("cookies", "seen"), [
    (b"hotshoe_login_1=x", None), (b"a=1; hotshoe_login_1=x;hotshoe_form_2=y; b=2", "a=1; b=2"),
    (b" hotshoe_session=x ", None), (b"a=hotshoe_", "a=hotshoe_"),
])
def test_apps_do_not_see_the_cookies_of_logins(cookies: bytes, seen: str | None) -> None:
    request = request_of(scope(headers=[(b"cookie", cookies)]))
    assert request.headers.get("Cookie") == seen
    assert not any(name.startswith("hotshoe_") for name in request.cookies)


def test_where_the_request_came_from() -> None:
    request = request_of(scope(headers=[(b"host", b"h:1")], scheme="wss", root_path="/p", user="jo"))
    assert (request.protocol, request.host, request.root_path, request.user) == ("https", "h:1", "/p", "jo")
    assert request.remote_ip == "10.0.0.1"
    assert request_of(scope(client=None)).remote_ip is None
    assert request_of(scope(b"a=1")).uri == "/p/a?a=1"


def test_single_headers() -> None:
    pairs = [(b"host", b"a"), (b"host", b"b")]
    assert header(scope(headers=pairs), b"host") == "b"
    assert header(scope(), b"host") is None
    assert headers_of(scope()) == {}


def test_repeated_headers_are_joined_in_their_order() -> None:
    pairs = [(b"x", b"1"), (b"cookie", b"a=b"), (b"y", b"z"), (b"x", b"2"), (b"cookie", b"c=d"), (b"x", b"3")]
    assert headers_of(scope(headers=pairs)) == {"X": "1,2,3", "Cookie": "a=b; c=d", "Y": "z"}


def test_thousands_of_repeated_headers_take_time_in_proportion() -> None:
    """Joined one by one, ten times as many would take a hundred times as long."""

    def seconds_for(count: int) -> float:
        start_s = time.thread_time()
        assert len(headers_of(scope(headers=[(b"x", b"yyyy")] * count))["X"]) == 5 * count - 1
        return time.thread_time() - start_s

    assert seconds_for(200_000) < 40 * min(seconds_for(20_000) for _ in range(5))


def test_last_argument() -> None:
    assert last({"a": [b"1", b" 2 "]}, "a") == "2"
    assert last({"a": [b"\xff"]}, "a") == "�"
    assert last({}, "a") is None


def test_a_token_brings_the_pages_arguments() -> None:
    request = Request(arguments={"b": [b"2"]}, headers={"Host": "h"}, cookies={"c": "own"})
    payload = {
        "arguments": {"a": [b"1", "é"]},
        "headers": {"Host": "evil", "X-User": "root"},
        "cookies": {"c": "x", "d": "y"},
    }
    brought = with_payload(request, payload)
    assert brought.arguments == {"a": [b"1", "é".encode()]}
    assert (brought.headers, brought.cookies) == ({"Host": "h", "X-User": "root"}, {"c": "own", "d": "y"})


def test_a_payload_of_wrong_shapes_changes_nothing() -> None:
    request = Request(arguments={"b": [b"2"]})
    for payload in ({}, {"arguments": 1, "headers": []}, {"arguments": {"a": "x"}, "cookies": {"c": 1}}):
        assert with_payload(request, payload) == request

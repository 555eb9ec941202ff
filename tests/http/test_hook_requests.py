"""The request of the hook process_request, as stock's apps read it."""

from __future__ import annotations

import pytest

from hotshoe.http.hook_requests import hook_request, plain
from hotshoe.http.requests import Request


def test_headers_are_found_in_any_case_and_cookies_are_objects() -> None:
    request = hook_request(Request(headers={"X-Real-Ip": "1.2.3.4", "Accept": "a, b"}, cookies={"sid": "s"}))
    headers = request.headers
    assert headers["x-real-ip"] == headers.get("X-REAL-IP") == headers["X-Real-Ip"] == "1.2.3.4"
    assert "x-real-ip" in headers
    assert "other" not in headers
    assert headers.get("other", "none") == "none"
    assert headers.get_list("accept") == ["a", "b"]  # type: ignore[attr-defined]
    assert list(headers.get_all()) == list(headers.items())  # type: ignore[attr-defined]
    cookie = request.cookies["sid"]
    assert cookie == "s"
    assert (cookie.key, cookie.value) == ("sid", "s")  # type: ignore[attr-defined]
    returned = plain({"headers": headers, "cookies": [cookie, ("x", 1)], "none": None})
    assert returned == {"headers": {**headers}, "cookies": ["s", ["x", 1]], "none": None}
    assert type(returned["cookies"][0]) is str


@pytest.mark.parametrize(("host", "name"), [("h.org:80", "h.org"), ("H.org", "h.org"), ("[::1]:80", "[::1]"),
                                            ("[::1]", "[::1]"), ("", "")])
def test_the_names_of_tornados_request(host: str, name: str) -> None:
    request = Request(path="/a b/ü", query="x=1", host=host, protocol="https", version="HTTP/1.0",
                      arguments={"x": [b"1"]})
    assert request.uri == "/a%20b/%C3%BC?x=1"
    assert request.full_url() == f"https://{host}/a%20b/%C3%BC?x=1"
    assert request.host_name == name
    assert (request.body, request.files, request.body_arguments) == (b"", {}, {})
    assert request.query_arguments == request.arguments
    assert 0 <= request.request_time() < 60
    assert request.get_ssl_certificate() is None
    with pytest.raises(AttributeError, match="no attribute 'connection': apps do not get the connection"):
        _ = request.connection
    with pytest.raises(AttributeError, match=r"no attribute 'other'$"):
        _ = request.other

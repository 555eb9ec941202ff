"""What apps see of a request."""

from __future__ import annotations

import pytest
from tests.support.front_site import MakeSite

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.http.requests import Disclosure

HEADERS = {"X-Secret": "1", "X-Plain": "2", "Cookie": "a=1; b=2"}


@pytest.mark.parametrize(("settings", "headers", "cookies"), [
    ({}, {"X-Secret", "X-Plain", "Cookie"}, {"a", "b"}),
    ({"include_headers": ["x-plain"]}, {"X-Plain"}, {"a", "b"}),
    ({"exclude_headers": ["X-SECRET"]}, {"X-Plain", "Cookie"}, {"a", "b"}),
    ({"include_cookies": ["a"]}, {"X-Secret", "X-Plain"}, {"a"}),
    ({"exclude_cookies": ["a"]}, {"X-Secret", "X-Plain"}, {"b"}),
    ({"include_headers": ["cookie"], "exclude_cookies": ["a"]}, {"Cookie"}, {"b"}),
])
async def test_named_headers_and_cookies(make_site: MakeSite, settings: dict[str, list[str]], headers: set[str],
                                         cookies: set[str]) -> None:
    site = make_site("/a", **settings)
    await site.get("/a", headers=HEADERS)
    request = site.host.open_requests[-1].request
    assert set(request.headers) & set(HEADERS) == headers
    assert set(request.cookies) == cookies


@pytest.mark.parametrize("kind", ["headers", "cookies"])
def test_both_of_a_kind(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"--include-{kind} and --exclude-{kind}"):
        Disclosure(Settings(**{f"include_{kind}": ("a",), f"exclude_{kind}": ("b",)}))  # type: ignore[arg-type]

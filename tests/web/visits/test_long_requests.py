"""Requests that are too long for what follows: refused before anything is built."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest
from tests.support.cases import every_case
from tests.support.front_site import MakeSite, Site

MAX_HEAD, HANDSHAKE = 65536, 256
_random = random.Random(1)


def noise(count: int) -> str:
    return "".join(_random.choices(string.ascii_letters, k=count))


def nasty_bytes(count: int) -> str:
    return quote_from_bytes(_random.randbytes(count))


QUERIES: dict[str, Callable[[int], str]] = {
    "text": lambda size: "x=" + noise(size),
    "bytes": lambda size: "x=" + nasty_bytes(size // 3),
    "names": lambda size: "&".join(noise(3) for _ in range(size // 4)),
    "numbered": lambda size: "&".join(f"a{number}=1" for number in range(size // 8)),
    "short values": lambda size: "&".join(f"a={noise(1)}" for _ in range(size // 4)),
    "smileys": lambda size: "&".join(quote_from_bytes(chr(0x1F600 + number).encode()) for number in range(size // 13)),
    "nulls": lambda size: "x=" + "%00" * (size // 3),
    "broken": lambda size: "%zz&" * (size // 4),
}


def head_of(cookies: int = 0) -> dict[str, str]:
    return {"Host": "testserver", "User-Agent": "a" * 120, "Cookie": "c=" + "d" * cookies}


async def ask(site: Site, url: str, headers: dict[str, str]) -> int | None:
    """Ask for a page or a script: the length of the token that was minted, or ``None`` if it was refused."""
    before = len(site.host.open_requests)
    response = await site.get(url, headers=headers)
    built = len(site.host.open_requests) - before
    assert built == (response.status_code == 200)
    if built:
        found = re.search(r"[A-Za-z0-9_-]{200,}\.[A-Za-z0-9_-]{20,}", response.text)
        assert found
        return len(found[0])
    assert response.status_code in (414, 431)
    assert ("address" if response.status_code == 414 else "cookies") in response.text
    return None


async def test_a_page_is_built_only_if_its_websocket_can_be_opened(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="auto")
    outcomes = set()
    with every_case() as case:
        for kind, make in QUERIES.items():
            for size in (100, 1000, 10_000, 20_000, 40_000, 60_000):
                for cookies in (0, 20_000, 40_000):
                    query = make(size)
                    if size + cookies > MAX_HEAD - 1000:
                        continue  # the server has refused the head already
                    with case((kind, size, cookies)):
                        headers = head_of(cookies)
                        token = await ask(site, f"/a?{query}", headers)
                        head = sum(len(name) + len(value) + 4 for name, value in headers.items())
                        if token is not None:
                            assert token + head + HANDSHAKE <= MAX_HEAD
                        outcomes.add((kind, token is None))
    assert ("text", True) in outcomes
    assert {kind for kind, refused in outcomes if not refused} == set(QUERIES)


@pytest.mark.parametrize(("headers", "status"), [
    (head_of(65_000), 431), (head_of(60_000), 200), ({**head_of(), "Bokeh-Embed-Headers": f"X-A={'b' * 20_000}",
                                                      "X-A": "b" * 20_000}, 200),
])
async def test_headers_count_too(make_site: MakeSite, headers: dict[str, str], status: int) -> None:
    site = make_site("/a", session_ids="auto")
    for path in ("/a", "/a/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/a"):
        assert (await site.get(path, headers=headers)).status_code == status
    assert len(site.host.open_requests) == 2 * (status == 200)


async def test_an_embedding_page_s_headers_are_in_the_token(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="auto")
    value = noise(22_000)
    headers = {**head_of(), "Bokeh-Embed-Headers": f"X-A={value}", "X-A": value}
    query = "bokeh-autoload-element=e&bokeh-app-path=/a"
    assert (await site.get(f"/a/autoload.js?{query}", headers=headers)).status_code == 431
    assert (await site.get(f"/a/autoload.js?{query}&x={noise(40_000)}", headers=head_of())).status_code == 414
    assert not site.host.open_requests


async def test_a_long_result_of_process_request_waits_on_the_server(make_site: MakeSite) -> None:
    """Also if the token with it would be too long for any header."""
    site = make_site("/a", session_ids="auto")
    site.host.payload = {"roles": noise(60_000)}
    for query in ("", "?x=" + noise(20_000)):
        assert (await site.get(f"/a{query}")).status_code == 200


WRONG = ["%", "%zz=%", "x=%ff%fe", "%ff=1", "x=%ed%a0%80", "x=%f4%90%80%80", "%00=%00", "=", "&&&",
         "hotshoe-starting=%ff",
         "bokeh-session-id=%ff", "bokeh-session-id=%00", "bokeh-token=%ff", "bokeh-token=" + "%f0%9f%98%80" * 1000,
         "bokeh-session-id=" + "a" * 2000, "bokeh-token=" + "a" * 60_000, "bokeh-session-id=a&bokeh-token=a"]
PATHS = ["/%ff", "/a/%ff", "/a/static/%ff", "/static/%ff", "/a/%00", "/static/%00", "/a%2fws", "/%ed%a0%80",
         "/_hotshoe/%ff", "/a/_hotshoe/%ff%00", "/static/js/%", "/a/ws?x=%ff", "/_hotshoe/refusal?origin=%ff%00"]


async def test_wrong_encodings_fail_nowhere(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site("/a", session_ids="auto")
    with every_case() as case:
        for path in (*PATHS, *(f"{path}?{query}" for query in WRONG for path in ("/a", "/a/autoload.js", "/"))):
            with case(path[:60]):
                assert (await site.get(path)).status_code < 500
    assert not [record for record in caplog.records if record.exc_info]

"""The headers of every answer, and the policy of pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.fake_host import FileApp
from tests.support.front_site import MakeSite

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings

PATHS = ("/a", "/", "/a/autoload.js?bokeh-autoload-element=e", "/a/metadata", "/static/js/bokeh.min.js", "/nothing",
         "/_hotshoe/page.js", "/favicon.ico")


async def test_on_every_answer(make_site: MakeSite) -> None:
    site = make_site("/a", "/b")
    for path in PATHS:
        headers = (await site.get(path)).headers
        assert headers.get_list("x-content-type-options") == ["nosniff"], path
        assert len(headers.get_list("referrer-policy")) == 1, path
        assert "strict-transport-security" not in headers, path


@pytest.mark.parametrize(("base", "settings", "sent"), [
    ("https://site.example", {}, None),  # the name may be that of many servers
    ("https://site.example", {"hsts_max_age": 60}, "max-age=60"),
    ("https://site.example", {"hsts_max_age": 0}, None),
    ("http://site.example", {}, None),
    ("https://localhost:5006", {}, None),
    ("https://127.0.0.1", {}, None),
])
async def test_https_is_remembered(make_site: MakeSite, base: str, settings: dict[str, int], sent: str | None) -> None:
    async with make_site("/a", **settings).client(base_url=base) as client:
        for path in PATHS:
            assert (await client.get(path)).headers.get("strict-transport-security") == sent, path


async def test_frames(make_site: MakeSite) -> None:
    assert "content-security-policy" not in (await make_site("/a").get("/a")).headers
    site = make_site("/a", "/b", frame_ancestors=["self", "https://*.example.org:8443"])
    policy = "frame-ancestors 'self' https://*.example.org:8443"
    assert (await site.get("/a")).headers["content-security-policy"] == policy
    index = (await site.get("/")).headers.get_list("content-security-policy")
    assert len(index) == 2
    assert policy in index


@pytest.mark.parametrize("site", ["x; script-src *", "a b", "a\r\nb", "a,b", "javascript:", "", "https://x/path"])
def test_what_is_no_site(site: str) -> None:
    with pytest.raises(ConfigError, match="frame_ancestors"):
        Settings(frame_ancestors=(site,))


async def test_a_policy_with_a_nonce_of_each_page(make_site: MakeSite) -> None:
    site = make_site("/a", csp=True)
    policies = [(await site.get("/a")).headers["content-security-policy"] for _ in range(2)]
    nonces = [re.findall(r"'nonce-([A-Za-z0-9_-]{22})'", policy) for policy in policies]
    assert [len(found) for found in nonces] == [1, 1]
    assert nonces[0] != nonces[1]
    assert "'unsafe-eval'" in policies[0]
    assert "script-src 'self' 'nonce" in policies[0]


async def test_a_strict_policy(make_site: MakeSite) -> None:
    policy = (await make_site("/a", strict_csp=True).get("/a")).headers["content-security-policy"]
    assert "unsafe-eval" not in policy
    assert "'nonce-" in policy


async def test_a_refused_handshake_has_them_too(make_site: MakeSite) -> None:
    peer = make_site("/a").connect("/nothing/ws", protocols=["bokeh", "t"])
    assert (b"x-content-type-options", b"nosniff") in (await peer.hear())["headers"]


async def test_a_file_of_an_unknown_type_runs_as_a_script(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "widget@7").write_text("made = 1")
    site = make_site(FileApp("/a", static_dir=tmp_path))
    response = await site.get("/a/static/widget@7", headers={"Sec-Fetch-Dest": "script"})
    assert response.headers["content-type"].startswith("text/javascript")
    assert "x-content-type-options" not in response.headers
    assert "referrer-policy" in response.headers

"""Secrets beside what an address repeats (BREACH): we compress no such page, and if a proxy does, the secret is new."""

from __future__ import annotations

import re

import pytest
from tests.support.front_site import MakeSite

from hotshoe.tokens import read


@pytest.mark.parametrize("path", ["/a?x=1", "/a/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/a&x=1"])
async def test_each_page_has_a_session_of_its_own(make_site: MakeSite, path: str) -> None:
    site = make_site("/a", session_ids="auto")
    ids = set()
    for _ in range(3):
        response = await site.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert "content-encoding" not in response.headers
        assert response.headers["cache-control"] == "no-store"
        [token] = re.findall(r"[A-Za-z0-9_-]{200,}\.[A-Za-z0-9_-]{20,}", response.text)
        ids.add(read(token).session_id)
    assert len(ids) == 3


@pytest.mark.parametrize("path", ["/", "/a/metadata", "/no?x=1", "/_hotshoe/refusal?origin=https://x.example"])
async def test_other_pages_are_not_compressed_either(make_site: MakeSite, path: str) -> None:
    response = await make_site("/a", "/b").get(path, headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in response.headers

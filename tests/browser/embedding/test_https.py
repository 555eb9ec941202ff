"""Apps in pages that come by https."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bokeh.embed
import pytest
from tests.support.browser.embeds import assert_works, running, serve_component, wait_for_alert
from tests.support.browser.page_site import site
from tests.support.browser.tab import Tab
from tests.support.nginx import nginx

import hotshoe.embed

pytestmark = pytest.mark.real


@pytest.mark.parametrize("kind", ["bokeh", "hotshoe", "element"])
def test_over_https(kind: str, folder: Path, certificate: Path, secure_tab: Tab) -> None:
    with (
        site(certificate=certificate) as page_site,
        running(folder, page_site.origin) as server,
        nginx(f"http://127.0.0.1:{server.port}/", "/p", certificate=certificate) as address,
    ):
        makers: dict[str, Callable[[str], str]] = {
            "bokeh": bokeh.embed.server_document, "hotshoe": hotshoe.embed.server_document,
            "element": hotshoe.embed.app_tag}
        secure_tab.open(page_site.put(makers[kind](f"{address}sliders")))
        assert_works(secure_tab)


def test_http_in_a_page_of_https_is_explained(certificate: Path, secure_tab: Tab) -> None:
    with site(certificate=certificate) as page_site:
        tag = hotshoe.embed.app_tag("http://apps.invalid/sliders")
        own = page_site.put(re.sub("<script.*", "", tag) + "<script src='/embed.js'></script>")
        serve_component(secure_tab)
        secure_tab.page.goto(own)
        alert = wait_for_alert(secure_tab, "Browsers load nothing by http into a page of https")
        assert alert.get_by_role("button").count() == 0
    secure_tab.strangers.clear()

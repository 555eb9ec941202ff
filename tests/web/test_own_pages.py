"""The pages of our own: escaped, with nothing from elsewhere, and allowed to run exactly their own script."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from starlette.responses import Response

from hotshoe.base.errors import ConfigError
from hotshoe.hosts.host import AppInfo
from hotshoe.web.own_pages import error_page, icon, index_page, index_redirect, source_page

HOSTILE = "</style></script><script>alert(1)</script>\"' {{ 7*7 }}"


def text_of(response: Response) -> str:
    return bytes(response.body).decode()


def digests(element: str, answer: Response) -> list[str]:
    parts = re.findall(f"<{element}>(.*?)</{element}>", text_of(answer), re.DOTALL)
    return [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]


@pytest.mark.parametrize("page", [
    index_page([AppInfo("/a", "A")], "/"), index_page([], "/"), error_page(404), error_page(500, error_id="x"),
    source_page(AppInfo("/a", "A", source="a.py"), "x = 1", "./"),
])
def test_the_policy_allows_what_is_in_the_page(page: Response) -> None:
    policy = page.headers["Content-Security-Policy"]
    for element in ("style", "script"):
        assert all(f"'sha256-{digest}'" in policy for digest in digests(element, page))
    assert len(digests("style", page)) == 1


def test_everything_is_escaped() -> None:
    app = AppInfo(f"/{HOSTILE}", HOSTILE, HOSTILE, True, HOSTILE, HOSTILE)
    index = text_of(index_page([app], "/", with_source=True))
    source = text_of(source_page(app, f"# {HOSTILE}\n{HOSTILE}", "./"))
    error = text_of(error_page(400, HOSTILE, error_id=HOSTILE, home="./"))
    for html in (index, source, error):
        assert "alert(1)</script>" not in html
        assert "{{ 7*7 }}" in html


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 418, 500, 503])
def test_every_status_has_words(status: int) -> None:
    page = error_page(status)
    assert page.status_code == status
    assert "<h1></h1>" not in text_of(page)
    assert page.headers["Cache-Control"] == "no-store"


def test_the_redirect_is_relative_and_quoted() -> None:
    answer = index_redirect(AppInfo("/é b\r\nX: y", "A"), "/p")
    assert answer.headers["Location"] == "./p/%C3%A9%20b%0D%0AX%3A%20y"


def test_favicon_has_three_sizes() -> None:
    favicon = icon("default")
    assert favicon is not None
    assert favicon.body[:6] == b"\0\0\1\0\3\0"


def test_an_icon_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.ico").write_bytes(b"mine")
    own = icon(str(tmp_path / "own.ico"))
    assert own is not None
    assert own.body == b"mine"
    assert icon("None") is None
    with pytest.raises(ConfigError, match=r"--ico-path: .*missing\.ico can't be read: No such file"):
        icon(str(tmp_path / "missing.ico"))

"""The pages of our own come from one set of templates, and their policy lets in what is in them and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import hotshoe
from hotshoe.pages.own import FAVICON, page, policy_of, read_part, render

PACKAGE = Path(hotshoe.__file__).parent
PAGES = sorted(file.name for file in FAVICON.parent.glob("*.html"))


def source_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize(("template", "style"), [("error.html", "style.css"), ("notice.html", "login.css")])
def test_a_style_stands_in_the_page_as_the_policy_has_it(template: str, style: str) -> None:
    html = render(template, {"status": 404, "phrase": "Not Found", "words": "Nothing is here."})
    assert re.findall("<style>(.*?)</style>", html, re.DOTALL) == [read_part(style)]
    assert source_of(read_part(style)) in policy_of(styles=[read_part(style)], images="data:")


def test_a_policy_without_scripts_says_nothing_of_them() -> None:
    assert policy_of(styles=["a {}"], images="data:") == (
        f"default-src 'none'; style-src {source_of('a {}')}; img-src data:; base-uri 'none'; form-action 'none'")


def test_a_policy_in_full() -> None:
    policy = policy_of(styles=["a {}", "b {}"], scripts=["f()"], connect="'self'", images="'self' data:",
                       frame_ancestors="'self'", form_action="'self' https://idp.example")
    assert policy == (
        f"default-src 'none'; style-src {source_of('a {}')} {source_of('b {}')}; script-src {source_of('f()')}; "
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'self'; "
        "form-action 'self' https://idp.example")


def test_a_page_is_kept_by_nobody() -> None:
    headers = page("error.html", {}, policy="default-src 'none'").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'"


def test_what_is_put_into_a_page_is_escaped() -> None:
    html = render("notice.html", {"status": 400, "phrase": "Bad Request", "words": "<script>{{ 7*7 }}"})
    assert "<script>" not in html
    assert "&lt;script&gt;{{ 7*7 }}" in html


@pytest.mark.parametrize("page", PAGES)
def test_there_is_one_frame(page: str) -> None:
    text = (FAVICON.parent / page).read_text()
    assert text.startswith("<!doctype html>" if page == "frame.html" else "{% extends ")


def test_there_is_one_set_of_templates() -> None:
    """A second frame or a second mark elsewhere would have to be changed whenever the first is."""
    ours = {file for file in PACKAGE.rglob("*") if file.suffix in (".html", ".svg", ".css", ".ico")}
    assert {file.parent for file in ours} == {FAVICON.parent}

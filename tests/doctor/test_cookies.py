"""Cookies, as browsers take them."""

from __future__ import annotations

import pytest

from hotshoe.doctor.cookies import Cookie, Loss, cookie_header, covers_path, loss_of, parse_cookie
from hotshoe.doctor.urls import Url

HTTPS = Url.typed("https://www.example.org/apps/sliders")
HTTP = Url.typed("http://www.example.org/apps/sliders")


def cookie(header: str) -> Cookie:
    found = parse_cookie(header)
    assert found is not None
    return found


@pytest.mark.parametrize(("header", "set_by", "loss"), [
    ("a=b", HTTP, None),
    ("a=b; Secure; HttpOnly; Path=/", HTTPS, None),
    ("a=b; Secure", HTTP, Loss.INSECURE),
    ("a=b; SameSite=None", HTTPS, Loss.SAME_SITE),
    ("a=b; SameSite=None; Secure", HTTPS, None),
    ("a=b; Domain=example.org", HTTPS, None),
    ("a=b; Domain=.example.org", HTTPS, None),
    ("a=b; Domain=ample.org", HTTPS, Loss.DOMAIN),
    ("a=b; Domain=internal", HTTPS, Loss.DOMAIN),
    ("a=b; Path=/app", HTTPS, Loss.PATH),
    ("a=b; path=/apps/", HTTPS, None),
    ("__Host-a=b; Secure; Path=/", HTTPS, None),
    ("__Host-a=b; Secure; Path=/apps", HTTPS, Loss.PREFIX),
    ("__Secure-a=b", HTTPS, Loss.PREFIX),
])
def test_losses(header: str, set_by: Url, loss: Loss | None) -> None:
    assert loss_of(cookie(header), set_by, set_by) == loss


def test_this_machine_is_secure() -> None:
    here = Url.typed("http://localhost/app")
    assert loss_of(cookie("a=b; Secure"), here, here) is None


@pytest.mark.parametrize(("header", "page", "is_lost"), [
    ("a=b; SameSite=Lax", "https://www.org/", True), ("a=b", "https://www.org/", True),
    ("a=b; SameSite=Strict", "https://www.org/", True), ("a=b; SameSite=None; Secure", "https://www.org/", False),
    ("a=b", "https://example.org/", False), ("a=b", "https://shop.example.org:8443/", False),
    ("a=b", "http://example.org/", True), ("a=b", "https://192.0.2.1/", True),
])
def test_pages_of_other_sites(header: str, page: str, is_lost: bool) -> None:
    assert loss_of(cookie(header), HTTPS, HTTPS, Url.typed(page)) == (Loss.LAX if is_lost else None)


@pytest.mark.parametrize("header", ["", "=b", "a", ";a=b"])
def test_what_browsers_ignore(header: str) -> None:
    assert parse_cookie(header) is None


def test_what_is_sent() -> None:
    jar = [(cookie("a=1; Path=/"), HTTPS), (cookie("b=2; Path=/other"), HTTPS), (cookie("c=3; Max-Age=0"), HTTPS),
           (cookie("d=4"), Url.typed("https://elsewhere.org/")), (cookie("a=5; Path=/"), HTTPS),
           (cookie("e=6; Secure; Path=/"), HTTPS), (cookie("f=7"), HTTPS)]
    assert cookie_header(jar, HTTPS.below("ws")) == "a=5; e=6; f=7"
    assert cookie_header(jar, HTTP) == "a=5; f=7"


@pytest.mark.parametrize(("path", "of", "covers"), [
    ("/", "/a", True), ("/a", "/a", True), ("/a", "/a/b", True), ("/a/", "/a/b", True), ("/a", "/ab", False),
    ("/a/", "/a", False),
])
def test_paths(path: str, of: str, covers: bool) -> None:
    assert covers_path(path, of) is covers

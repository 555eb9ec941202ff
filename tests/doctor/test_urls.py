"""URLs, as they are typed and as pages have them."""

from __future__ import annotations

import pytest

from hotshoe.doctor.urls import Url


@pytest.mark.parametrize(("text", "url"), [
    ("https://www.example.org", "https://www.example.org/"),
    ("www.example.org/app", "https://www.example.org/app"),
    ("localhost:5006/app", "http://localhost:5006/app"),
    ("127.0.0.1:5006", "http://127.0.0.1:5006/"),
    ("[::1]:5006/a", "http://[::1]:5006/a"),
    ("HTTPS://Example.org:443/A?b=c d#e", "https://example.org/A?b=c%20d"),
    ("http://example.org:443", "http://example.org:443/"),
    ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
])
def test_typed(text: str, url: str) -> None:
    assert str(Url.typed(text)) == url


@pytest.mark.parametrize("text", [
    "", "ftp://example.org", "http://", "http://user@example.org", "http://example.org:0", "http://example.org:x",
    "http://[::1", "http://a b/", "http://a\x1bb/", "https://" + "a" * 5000, "javascript:alert(1)",
])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Url.of(text)


def test_parts() -> None:
    address = Url.typed("https://example.org:8443/apps/sliders/?a=1")
    assert (address.origin, address.netloc) == ("https://example.org:8443", "example.org:8443")
    assert str(address.below("ws", address.query)) == "https://example.org:8443/apps/sliders/ws?a=1"
    assert address.app_path == "/apps/sliders"


@pytest.mark.parametrize(("reference", "url"), [
    ("static/a.js", "https://example.org/apps/static/a.js"),
    ("/static/a.js#x", "https://example.org/static/a.js"),
    ("//cdn.example.org/a.js", "https://cdn.example.org/a.js"),
])
def test_references(reference: str, url: str) -> None:
    assert str(Url.typed("https://example.org/apps/sliders").join(reference)) == url

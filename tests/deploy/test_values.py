from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from tests.support.cases import every_case

from hotshoe.base.errors import ConfigError
from hotshoe.deploy import values
from hotshoe.deploy.values import Endpoint

HOSTILE = ["", " ", "a b", "a\nb", "a\r\nServer: x", "a;b", "a}b", "a{b", 'a"b', "a'b", "a$b", "a`b", "a#b", "a\\b",
           "a%b", "a|b", "a&b", "a<b", "a>b", "a(b", "a\0b", "\u2028", "a\tb", "-rf", "$(id)", "x" * 5000 + ";", "a*"]


CHECKS: dict[str, Callable[[str], object]] = {
    "domain": values.domain,
    "name": lambda text: values.name("--x", text),
    "image": lambda text: values.image("--x", text),
    "upstream": values.upstream,
    "socket of an upstream": lambda text: values.upstream(f"unix:/{text}"),
    "host of an upstream": lambda text: values.upstream(f"{text}:80"),
    "port of an upstream": lambda text: values.upstream(f"a:{text}"),
    "prefix": values.prefix,
    "path": lambda text: values.path("--x", text),
    "absolute path": lambda text: values.absolute("--x", f"/{text}"),
    "module": lambda text: values.module("--x", text),
    "attribute of a module": lambda text: values.module("--x", f"a:{text}"),
    "user": lambda text: values.user("--x", text),
    "network": lambda text: values.network("--x", text),
    "listen": lambda text: values.listen("--x", text),
}


def test_hostile_values_are_one_short_line() -> None:
    with every_case() as case:
        for (name, check), text in product(CHECKS.items(), HOSTILE):
            with case(f"{name} {text[:20]!r}"):
                said = error_of(check, text)
                if said is None:  # what some of these may be: nothing, or a name that begins with a hyphen
                    assert text in ("", " ", "-rf")
                else:
                    assert len(said.splitlines()) == 1
                    assert len(said) < 250
                    assert said.isascii()


def error_of(check: Callable[[str], object], text: str) -> str | None:
    try:
        check(text)
    except ConfigError as error:
        return str(error)
    return None


def test_plain_words_need_no_quotes() -> None:
    with every_case() as case:
        for text in HOSTILE:
            with case(repr(text[:20])):
                if text in ("a*", "-rf"):
                    assert values.plain("--x", text) == text
                else:
                    with pytest.raises(ConfigError, match=r"set it in hotshoe\.toml"):
                        values.plain("--x", text)


@pytest.mark.parametrize(("text", "name"), [
    ("Apps.Example.ORG.", "apps.example.org"), ("localhost", "localhost"), ("192.0.2.1", "192.0.2.1"),
    ("bücher.example", "xn--bcher-kva.example"), ("a-b.c", "a-b.c"),
])
def test_domains(text: str, name: str) -> None:
    assert values.domain(text) == name


@pytest.mark.parametrize("text", [
    "a..b", ".a", "-a.b", "a-.b", "*.example.org", "https://a.b", "a.b:80", "a" * 64, "ü" * 64,
])
def test_no_domains(text: str) -> None:
    with pytest.raises(ConfigError, match="--domain"):
        values.domain(text)


@pytest.mark.parametrize(("text", "place", "authority"), [
    ("127.0.0.1:5006", Endpoint("127.0.0.1", 5006), "127.0.0.1:5006"),
    ("localhost:1", Endpoint("127.0.0.1", 1), "127.0.0.1:1"),
    ("App-1.internal:65535", Endpoint("app-1.internal", 65535), "app-1.internal:65535"),
    ("[::1]:80", Endpoint("::1", 80), "[::1]:80"),
    ("unix:/run/a.sock", Endpoint(socket="/run/a.sock"), ":0"),
])
def test_upstreams(text: str, place: Endpoint, authority: str) -> None:
    assert values.upstream(text) == place
    assert place.authority == authority


@pytest.mark.parametrize("text", [
    "a", "a:0", "a:65536", "a:-1", "a:+1", "::1:80", "[a]:80", "[::1]", "unix:a", "http://a:80", "a:\u0663",
])
def test_no_upstreams(text: str) -> None:
    with pytest.raises(ConfigError, match="--upstream"):
        values.upstream(text)


def test_listen() -> None:
    assert values.listen("--listen", "8080") == Endpoint(port=8080)
    assert values.listen("--listen", "127.0.0.1:8080") == Endpoint("127.0.0.1", 8080)


@pytest.mark.parametrize(("place", "near"), [
    (Endpoint("127.0.0.1", 1), True), (Endpoint("::1", 1), True), (Endpoint(socket="/a"), True),
    (Endpoint("localhost", 1), True), (Endpoint("10.0.0.1", 1), False), (Endpoint("app", 1), False),
])
def test_which_places_are_near(place: Endpoint, near: bool) -> None:
    assert place.is_near is near


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("/", ""), ("apps", "/apps"), ("/a/b/", "/a/b")])
def test_prefixes(text: str, prefix: str) -> None:
    assert values.prefix(text) == prefix


@pytest.mark.parametrize("text", ["/a/./b", "/.", "/a/../b", "..", "/a/."])
def test_prefixes_that_browsers_shorten(text: str) -> None:
    with pytest.raises(ConfigError, match="--prefix"):
        values.prefix(text)


def test_headers() -> None:
    assert values.header("--x", "X-Remote_User") == "X-Remote_User"
    for text in (*HOSTILE, "X$user", "-X", "1X", "X.Y"):
        with pytest.raises(ConfigError, match="name of a header"):
            values.header("--x", text)


def test_spellings() -> None:
    assert values.spellings("User") == ("User",)
    assert values.spellings("A-b-C") == ("A-b-C", "A-b_C", "A_b-C", "A_b_C")
    assert values.spellings("A_b") == ("A_b", "A-b")
    assert values.spellings("A-b-c-d-e-f-g") == ("A-b-c-d-e-f-g", "A_b_c_d_e_f_g")


def test_modules() -> None:
    assert values.module("--wsgi", "shop.web:make_app()") == "shop.web:make_app()"
    for text in ("shop", "shop:", ":app", "shop:app()x", "shop:a.b()()", "1:a"):
        with pytest.raises(ConfigError, match="MODULE:ATTRIBUTE"):
            values.module("--wsgi", text)


@pytest.mark.parametrize("text", [
    "hotshoe", "registry.example.org:5000/a/b:1.2", f"a@sha256:{'0' * 64}", "ghcr.io/o/n",
])
def test_images(text: str) -> None:
    assert values.image("--image", text) == text

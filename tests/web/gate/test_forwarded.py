from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.web.gate.proxies import LONGEST, PREFIX_LONGEST, elements, joined_prefix


@pytest.mark.parametrize(("line", "expected"), [
    ("for=192.0.2.60;proto=http;by=203.0.113.43", [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
    ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
    ('for=192.0.2.43, for="[2001:db8:cafe::17]"', [{"for": "192.0.2.43"}, {"for": "[2001:db8:cafe::17]"}]),
    ("for=192.0.2.43,\tFOR=_gazonk ; Proto=HTTPS", [{"for": "192.0.2.43"}, {"for": "_gazonk", "proto": "HTTPS"}]),
    ("for=unknown", [{"for": "unknown"}]),
    (r'host="a\"b,c;d=\\"', [{"host": r'a"b,c;d=\ '.strip()}]),
    # Out of the grammar, but often seen.
    ("for=192.0.2.43:80", [{"for": "192.0.2.43:80"}]),
    ("for=[2001:db8::1]:80;proto=https", [{"for": "[2001:db8::1]:80", "proto": "https"}]),
    (" ,, for=a ; , ", [{"for": "a"}]),
    ('for=""', [{"for": ""}]),
    ("", []),
])
def test_what_is_said(line: str, expected: list[dict[str, str]]) -> None:
    assert elements([line]) == expected


@pytest.mark.parametrize("line", [
    'for="192.0.2.43', 'for=1, for="a, for=2', "for", "for=", "for =1", "for= 1", "=1", "for=1 proto=http",
    "for=1;for=2",
    "for=1/2", 'for="a\x00b"', 'for="a\nb"', 'for="a"b', "for=\xe4", "{}", "192.0.2.43",
])
def test_what_is_malformed_says_nothing(line: str) -> None:
    assert elements([line]) is None
    assert elements([line, "for=192.0.2.43"]) is None
    assert elements(["for=192.0.2.43", line]) is None


def test_several_lines_are_one_list() -> None:
    assert elements(["for=a, for=b", "for=c"]) == [{"for": "a"}, {"for": "b"}, {"for": "c"}]
    assert elements([]) == []


def test_what_is_huge_is_not_read() -> None:
    assert elements(["for=1," * (LONGEST // 6 + 1)]) is None
    assert elements(['for="' + "\\a" * (LONGEST // 2 - 10)]) is None


NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
SAID = st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), min_size=1, max_size=6)


@given(SAID)
def test_what_is_written_by_the_rules_is_read(said: list[dict[str, str]]) -> None:
    def quoted(value: str) -> str:
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'

    line = ", ".join(";".join(f"{name}={quoted(value)}" for name, value in each.items()) for each in said)
    assert elements([line]) == said


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=4))
def test_any_text_can_be_read(lines: list[str]) -> None:
    found = elements(lines)
    assert found is None or all(element and all(name == name.lower() for name in element) for element in found)


@given(st.text("for=\"\\;,[]: 1a", max_size=80))
def test_text_that_is_nearly_right_can_be_read(line: str) -> None:
    assert elements([line]) is None or elements([f"{line}, by=x"]) is not None


@pytest.mark.parametrize(("parts", "expected"), [
    (["/app"], "/app"), (["/app/"], "/app"), (["/outer", "/inner"], "/outer/inner"), (["/outer/inner"], "/outer/inner"),
    (["/user/jo@example.org", "/proxy/5006/"], "/user/jo@example.org/proxy/5006"), (["/..a/.b", "/~c"], "/..a/.b/~c"),
    ([], ""), ([""], ""), (["/"], ""), (["", "/b"], "/b"),
])
def test_prefixes_that_count(parts: list[str], expected: str) -> None:
    assert joined_prefix(parts) == expected


@pytest.mark.parametrize("part", [
    "app", "//evil.example", "/a//b", "/a//", "//", "/../a", "/a/..", "/a/./b", "/.", "/a b", "/a\n",
    "/a\r\nSet-Cookie: x",
    "/a%2fb", "/a%00", "/<script>", '/"', "/a?b", "/a#b", "/a\\b", "/\xe4", "https://evil.example", "/a;b", "/a,b",
    "/" + "x" * PREFIX_LONGEST,
])
def test_prefixes_that_do_not(part: str) -> None:
    assert joined_prefix([part]) is None
    assert joined_prefix(["/a", part]) is None


@given(st.lists(st.text(max_size=20), max_size=3))
def test_a_prefix_can_stand_anywhere(parts: list[str]) -> None:
    found = joined_prefix(parts)
    if found:
        assert re.fullmatch(r"(/[A-Za-z0-9._~@+=:!$-]+)+", found)
        assert not {"", ".", ".."} & set(found.split("/")[1:])

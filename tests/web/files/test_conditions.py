import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.base.errors import RequestError
from hotshoe.web.files.negotiation import matches, parse_range, unmodified_since


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(100)),
        ("bytes=90-1000", range(90, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-1000", range(100)),
        ("Bytes = 1-2", range(1, 3)),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,2-3", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-", None),
        ("bytes=0-99999999999999999999999", None),
    ],
)
def test_ranges(header: str, wanted: range | None) -> None:
    assert parse_range(header, 100) == wanted


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=-1", 0), ("bytes=0-", 0)]
)
def test_ranges_that_nothing_satisfies(header: str, size: int) -> None:
    with pytest.raises(RequestError) as caught:
        parse_range(header, size)
    assert caught.value.status == 416


@given(st.text(alphabet="bytes=-0123456789, ", max_size=20), st.integers(0, 50))
def test_a_range_lies_in_the_file(header: str, size: int) -> None:
    try:
        wanted = parse_range(header, size)
    except RequestError:
        return
    assert wanted is None or 0 <= wanted.start < wanted.stop <= size


@pytest.mark.parametrize(
    ("header", "hit"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"abc-br"', True),
        ('"x", "abc-gzip"', True),
        ("*", True),
        ('"abcd"', False),
        ("abc", False),
        ("", False),
    ],
)
def test_matches(header: str, hit: bool) -> None:
    assert matches(header, "abc") is hit


def test_unmodified_since_survives_any_date() -> None:
    assert unmodified_since("Thu, 01 Jan 1970 00:00:10 GMT", 10 * 10**9 + 5)
    assert not unmodified_since("Thu, 01 Jan 1970 00:00:09 GMT", 10 * 10**9)
    for odd in ("", "x", "Thu, 99 Jan 1970 00:00:10 GMT", "Thu, 01 Jan 0001 00:00:00 +2300"):
        assert not unmodified_since(odd, 10**18)

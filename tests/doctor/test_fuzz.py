"""Whatever a server says, reading it ends in data or in ``ValueError``."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hotshoe.doctor import DoctorReport, render
from hotshoe.doctor.checks import check
from hotshoe.doctor.cookies import cookie_header, loss_of, parse_cookie
from hotshoe.doctor.markup import page_token_of, read_markup
from hotshoe.doctor.observations import (
    Examination,
    Exchange,
    Mount,
    PageVisit,
    Resource,
    SocketClose,
    Talk,
)
from hotshoe.doctor.products import recognise
from hotshoe.doctor.urls import Url

HERE = Url.typed("https://example.org/apps/sliders")
ELSEWHERE = Url.typed("https://www.org/")
NAMES = st.sampled_from(["Content-Type", "Location", "Set-Cookie", "Age", "Date", "Server", "Via", "Content-Length",
                         "Access-Control-Allow-Origin", "Sec-WebSocket-Protocol", "X-Content-Type-Options"])
REPLIES = st.builds(Exchange, st.just(HERE), st.integers(100, 999), st.text(max_size=20),
                    st.lists(st.tuples(NAMES, st.text(max_size=60)), max_size=6).map(tuple),
                    st.binary(max_size=200), st.floats(0, 100), st.booleans())
PIECES = st.sampled_from(['<a href="', "<bokeh-app src=", '"token":"', '{"depth":1,"js":[', "autoload.js?", '">', "'",
                          "<", "http://", "\\u0026", "]}", '"', "<script src=", "<base href=", "&#x", "//[", "%"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
def test_pages(text: str) -> None:
    markup = read_markup(text)
    for reference in (*markup.scripts, *markup.links, *(embed.source for embed in markup.embeds)):
        with contextlib.suppress(ValueError):
            assert Url.of(str(HERE.join(reference)))
    for embed in markup.embeds:
        assert isinstance(embed.arguments, dict)
    page = PageVisit((Exchange(HERE, 200, "", ()),), markup)
    assert check(Examination(HERE, 1e9, entry=page, app_page=page, mounts=(Mount(HERE, HERE, visit=page),)))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_words(text: str) -> None:
    cookie = parse_cookie(text)
    if cookie is not None:
        loss_of(cookie, HERE, HERE, ELSEWHERE)
        cookie_header([(cookie, HERE)], HERE)
    page_token_of(text)
    with contextlib.suppress(ValueError):
        address = Url.typed(text)
        assert "\n" not in address.target
        assert "\r" not in address.netloc


@settings(max_examples=200, deadline=None)
@given(REPLIES, REPLIES, REPLIES, st.text(max_size=100), st.booleans(), st.none() | st.integers(0, 5000))
def test_what_follows(
    one: Exchange, two: Exchange, three: Exchange, text: str, opens: bool, code: int | None,
) -> None:
    visit = PageVisit((one, two), read_markup(text))
    talk = Talk(three, is_websocket=opens, subprotocol=text[:3],
                close=SocketClose(code, text), error=text, refusal=text)
    mount = Mount(HERE, HERE, visit=visit, resources=(Resource("script", one, True, text),), talk=talk, others=(talk,),
                  mark=text, sizes=((0, one), (4000, two)), autoload=three)
    embedded = replace(mount, visit=None, page=ELSEWHERE, preflight=one)
    seen = Examination(HERE, 1e9, plain_http=two, entry=visit, app_page=visit, mounts=(mount, embedded),
                       replies=(one, two, three))
    report = DoctorReport(str(HERE), recognise(seen.replies), check(seen))
    assert not {letter for letter in render(report) if letter < " " and letter != "\n"}

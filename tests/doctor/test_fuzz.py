"""Whatever a server says, reading it ends in data or in ``ValueError``."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hotshoe.doctor import Report, render
from hotshoe.doctor.addresses import Address
from hotshoe.doctor.checks import check
from hotshoe.doctor.cookies import loss_of, parse_cookie, sent
from hotshoe.doctor.findings import Advice
from hotshoe.doctor.kinds import recognise
from hotshoe.doctor.markup import read_markup
from hotshoe.doctor.observations import Autoload, Close, Examination, Mount, Reply, Resource, Sizes, Talk, Visit
from hotshoe.doctor.tokens import ticket_of

HERE = Address.typed("https://example.org/apps/sliders")
NAMES = st.sampled_from(["Content-Type", "Location", "Set-Cookie", "Age", "Date", "Server", "Via", "Content-Length",
                         "Access-Control-Allow-Origin", "Sec-WebSocket-Protocol", "X-Content-Type-Options"])
REPLIES = st.builds(Reply, st.just(HERE), st.integers(100, 999), st.text(max_size=20),
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
            assert Address.of(str(HERE.join(reference)))
    for embed in markup.embeds:
        assert isinstance(embed.arguments, dict)
    page = Visit(HERE, (Reply(HERE, 200, "", ()),), markup)
    assert check(Examination(HERE, 1e9, front=page, visited=page, mounts=(Mount(HERE, HERE, visit=page),)))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_words(text: str) -> None:
    cookie = parse_cookie(text)
    if cookie is not None:
        loss_of(cookie, HERE, HERE)
        sent([(cookie, HERE)], HERE)
    ticket_of(text)
    with contextlib.suppress(ValueError):
        address = Address.typed(text)
        assert "\n" not in address.target
        assert "\r" not in address.netloc


@settings(max_examples=200, deadline=None)
@given(REPLIES, REPLIES, REPLIES, st.text(max_size=100), st.booleans(), st.none() | st.integers(0, 5000))
def test_what_follows(one: Reply, two: Reply, three: Reply, text: str, opens: bool, code: int | None) -> None:
    visit = Visit(HERE, (one, two), read_markup(text))
    talk = Talk(HERE.below("ws"), HERE.origin, three, is_websocket=opens, subprotocol=text[:3], close=Close(code, text),
                error=text, refusal=text)
    mount = Mount(HERE, HERE, visit=visit, again=two, resources=(Resource("script", one, True, text),), talk=talk,
                  others=(talk,), mark=text, sizes=Sizes(one, ((4000, two),)),
                  autoload=Autoload(HERE.origin, three, one))
    seen = Examination(HERE, 1e9, door=two, front=visit, visited=visit, mounts=(mount,))
    report = Report(str(HERE), recognise(seen.replies()), tuple(Advice(finding) for finding in check(seen)))
    assert not {letter for letter in render(report) if letter < " " and letter != "\n"}

"""The websocket questions about the handshake: subprotocols, paths, tokens, origins."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bokeh.core.types import ID
from bokeh.util.token import generate_jwt_token
from tests.support.differential.conversations import (
    SILENCE_S,
    Conversation,
    Facets,
    anonymous,
    connect,
    model_of,
    new_token,
)
from tests.support.differential.questions import encoded, token
from tests.support.raw_http import get
from tests.support.raw_websocket import ClosedError, WebSocket


def handshakes() -> Iterator[Conversation]:
    """All of them; each has a name of its own."""
    yield from _openings()
    yield from _tokens()
    yield from _origins()


def _opening(path: str, protocols: Sequence[str] | str = (), **more: Any) -> Callable[[int], Facets]:
    def hold(port: int) -> Facets:
        chosen = [new_token() if each == "TOKEN" else each for each in protocols] if protocols else ()
        origin = str(more["origin"]).replace("PORT", str(port)) if more.get("origin") else None
        with WebSocket(port, path, protocols=chosen, origin=origin, headers=more.get("headers", ()),
                       host=more.get("host", "localhost"), timeout_s=SILENCE_S) as socket:
            return _answer(socket)

    return hold


def _answer(socket: WebSocket) -> Facets:
    if socket.status != 101:
        return {"status": socket.status, "body": socket.body.decode() if len(socket.body) < 60 else "a page"}
    found: Facets = {"status": 101, "echoed": socket.headers.get("sec-websocket-protocol") is not None,
                     "extensions": socket.headers.get("sec-websocket-extensions")}
    try:
        found["first"] = socket.next()[0]["msgtype"]
    except ClosedError as error:
        found["closed"] = replace(error.closed, reason=anonymous(error.closed.reason))
    return found


def _openings() -> Iterator[Conversation]:
    for name, protocols in [("none", ()), ("one", ("bokeh",)), ("two", ("bokeh", "TOKEN")),
                            ("three", ("bokeh", "TOKEN", "x")), ("another first", ("other", "TOKEN")),
                            ("turned round", ("TOKEN", "bokeh"))]:
        yield Conversation(f"subprotocols: {name}", _opening("/sliders/ws", protocols))
    for name, path in [("unknown app", "/nothing/ws"), ("no app", "/ws"), ("page", "/sliders"),
                       ("slash", "/sliders/ws/"), ("query", "/sliders/ws?a=1&b=%22"),
                       ("metadata", "/sliders/metadata"), ("file", "/static/js/bokeh.js")]:
        yield Conversation(f"socket at {name}", _opening(path, ("bokeh", "TOKEN")))
    yield Conversation("socket below the prefix", _opening("/p/q/house/ws", ("bokeh", "TOKEN")), "prefix")
    yield Conversation("socket outside the prefix", _opening("/house/ws", ("bokeh", "TOKEN")), "prefix")
    offer = (("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),)
    yield Conversation("compression offered", _opening("/sliders/ws", ("bokeh", "TOKEN"), headers=offer))
    yield Conversation("socket of a broken app", _opening("/broken/ws", ("bokeh", "TOKEN")))


def _tokens() -> Iterator[Conversation]:
    far = {"session_expiry": 99999999999}
    for name, text in [
        ("nonsense", "nonsense"), ("not base64", "!!!"), ("not JSON", encoded("no json")), ("a list", encoded("[1]")),
        ("no id", token(None)), ("empty id", token("")), ("a number for id", token(7)),
        ("no expiry", token("no-expiry-socket", session_expiry=None)), ("expired", token("gone", age_s=1000)),
        ("text for expiry", token("text-expiry", session_expiry="soon")),
        ("far expiry", token("far-expiry", **far)), ("bad payload", token("bad-payload", __bk__zlib_="AAAA")),
        ("huge", token("huge", filling="x" * 30_000)), ("signature", token("with-signature") + ".AAAA"),
    ]:
        yield Conversation(f"token: {name}", _opening("/sliders/ws", ("bokeh", text)))

    def expired_but_alive(port: int) -> Facets:
        get(port, "/sliders?bokeh-session-id=alive")
        with WebSocket(port, "/sliders/ws", protocols=("bokeh", token("alive", age_s=1000))) as socket:
            return _answer(socket)

    yield Conversation("token: expired, of a live session", expired_but_alive)
    for headers in ({}, {"X-Of-Page": "from the token"}):
        yield Conversation(f"session made by a token{' with headers' if headers else ''}", _recreated(headers))


def _recreated(headers: dict[str, str]) -> Callable[[int], Facets]:
    """What a session sees that only its token tells of: the arguments, what ``process_request`` gave, headers."""

    def hold(port: int) -> Facets:
        brought = {"headers": headers, "cookies": {"c": "1"}} if headers else {}
        payload = {"arguments": {"a": [b"1"]}, "headers": {}, "cookies": {}, "from_hook": "by the hook", **brought}
        text = generate_jwt_token(ID(f"recreated-{time.monotonic_ns()}"), signed=False, extra_payload=payload)
        with connect(port, "/house/ws?a=2", token=text, headers=(("X-Of-Socket", "s"), ("Cookie", "d=2"))) as socket:
            seen = json.loads(model_of(socket.pull(), "seen")["attributes"]["text"])
        return {name: seen[name] for name in ("cookies", "headers", "payload", "url", "logout_url")} | {
            "arguments": seen["arguments"]}

    return hold


def _origins() -> Iterator[Conversation]:
    for name, origin in [("its own", "http://localhost:PORT"), ("its own by https", "https://localhost:PORT"),
                         ("its own number", "http://127.0.0.1:PORT"), ("another", "http://other.example"),
                         ("another port", "http://localhost:1"), ("null", "null"), ("own in capitals", "http://LOCALHOST:PORT"),
                         ("nonsense", "nonsense"), ("no port", "http://localhost"), ("a longer one", "http://localhost:PORT.evil.example")]:
        yield Conversation(f"origin: {name}", _opening("/sliders/ws", ("bokeh", "TOKEN"), origin=origin))
    yield Conversation("origin: localhost, asked by number", _opening(
        "/sliders/ws", ("bokeh", "TOKEN"), origin="http://localhost:PORT", host="127.0.0.1"))
    for name, origin in [("named", "http://named.example"), ("named by https", "https://named.example"),
                         ("named with port", "http://named.example:8080"), ("below named", "http://a.named.example"),
                         ("named with port 80", "http://named.example:80"), ("own beside named", "http://localhost:PORT"),
                         ("ends like named", "http://notnamed.example")]:
        yield Conversation(f"origin: {name}", _opening("/p/q/house/ws", ("bokeh", "TOKEN"), origin=origin), "prefix")
    for name, headers in [("proxy that rewrites the host", (("X-Forwarded-Host", "shown.example"),)),
                          ("browser says same", (("Sec-Fetch-Site", "same-origin"),)),
                          ("browser says cross", (("Sec-Fetch-Site", "cross-site"),))]:
        hold = _opening("/sliders/ws", ("bokeh", "TOKEN"), origin="http://shown.example", headers=headers)
        yield Conversation(f"origin: {name}", hold)

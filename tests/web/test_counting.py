"""What a front counts: the bytes of requests and responses, and refusals by their kind."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from tests.support.asgi_websocket import BATCH, Peer
from tests.support.front_site import MakeSite, Site

import hotshoe
from hotshoe.base.counters import Counters
from hotshoe.base.errors import (
    AccessError,
    CapacityError,
    LoginError,
    ProtocolError,
    RemoteError,
    RequestError,
    TokenError,
)
from hotshoe.tokens import mint
from hotshoe.wire import Close


def refusals(site: Site) -> dict[str, int]:
    return dict(site.front.counters.snapshot().refusals)


def connect(site: Site, token: str, **more: Any) -> Peer:
    return site.connect("/a/ws", protocols=["bokeh", token], **more)


def token() -> str:
    return mint("s", now_s=time.time(), lifetime_s=300, payload={})


async def test_bytes_of_responses(site: Site) -> None:
    total = 0
    for path in ("/", "/a", "/nowhere", "/static/js/bokeh.min.js"):
        total += len((await site.get(path, headers={"Accept-Encoding": "identity"})).content)
        assert site.front.counters.snapshot().bytes_out == total
    await site.request("HEAD", "/")
    counts = site.front.counters.snapshot()
    assert (counts.bytes_out, counts.bytes_in) == (total, 0)


async def test_bytes_of_a_request_s_body() -> None:
    flask = pytest.importorskip("flask")
    site = flask.Flask("site")
    site.add_url_rule("/form", "form", lambda: flask.request.get_data(), methods=["POST"])
    both = hotshoe.wrap(site, {"/a": lambda document: None})
    transport = httpx.ASGITransport(app=both)
    async with both.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.post("/form", content=b"12345")).content == b"12345"
    counts = both.front.counters.snapshot()
    assert (counts.bytes_in, counts.bytes_out) == (5, 5)


@pytest.mark.parametrize("batch", [True, False])
async def test_bytes_of_a_websocket(site: Site, batch: bool) -> None:
    peer = connect(site, token(), batch=batch)
    sizes = [size(await peer.hear()) for _ in range(2 if batch else 4)]
    site.host.pipes[0].outgoing.put_nowait([(b"head", "ü".encode(), b"{}", b"id", b"\x00" * 10)])
    sizes += [size(await peer.hear()) for _ in range(1 if batch else 5)]
    counts = site.front.counters.snapshot()
    assert counts.bytes_out == sum(sizes) > 4 + 2 + 2 + 2 + 10
    said = ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', '"ü"', "{}")
    for fragment in said:
        peer.say(type="websocket.receive", text=fragment)
    await peer.hear()
    assert site.front.counters.snapshot().bytes_in == len("".join(said).encode())
    peer.say(type="websocket.receive", text="{}")  # of a message that never becomes whole
    peer.say(type="websocket.disconnect", code=1001)
    await peer.ended()
    assert site.front.counters.snapshot().bytes_in == len("".join(said).encode()) + 2


def size(event: dict[str, Any]) -> int:
    if event["type"] == BATCH:
        return sum(len(data) for data, _ in event["fragments"])
    return len(event.get("bytes") or (event.get("text") or "").encode())


async def test_a_websocket_of_another_site(site: Site) -> None:
    peer = connect(site, token(), headers={"Origin": "http://other.example"})
    await peer.ended()
    assert refusals(site) == {"origin": 1}


async def test_a_script_in_another_site(site: Site) -> None:
    query = "bokeh-autoload-element=x&bokeh-app-path=/a&bokeh-absolute-url=http://testserver/a"
    response = await site.get(f"/a/autoload.js?{query}", headers={"Origin": "http://other.example"})
    assert response.status_code == 403
    assert refusals(site) == {"origin": 1}


@pytest.mark.parametrize("path", ["/a", "/nowhere"])
async def test_another_name(make_site: MakeSite, path: str) -> None:
    site = make_site("/a", only_local=True)
    assert (await site.get(path)).status_code == 403
    peer = connect(site, token())
    await peer.ended()
    assert refusals(site) == {"host_name": 2}


async def test_a_token_that_is_none(make_site: MakeSite) -> None:
    site = make_site("/a", session_ids="signed", secret_key="of-a-test")
    peer = connect(site, "nonsense")
    await peer.ended()
    assert refusals(site) == {"token": 1}


async def test_no_room(site: Site) -> None:
    site.host.failures["open"] = CapacityError("All places are taken.")
    assert (await site.get("/a")).status_code == 503
    peer = connect(site, token())
    await peer.ended()
    assert refusals(site) == {"capacity": 2}


async def test_a_malformed_message(site: Site) -> None:
    peer = connect(site, token())
    for _ in range(4):
        await peer.hear()
    for _ in range(3):
        peer.say(type="websocket.receive", text="no JSON")
    await peer.ended()
    assert refusals(site) == {"message": 1}


@pytest.mark.parametrize(("code", "kind"), [(1013, {"stalled": 1}), (1007, {"message": 1}), (1001, {})])
async def test_a_session_that_closes_a_connection(site: Site, code: int, kind: dict[str, int]) -> None:
    peer = connect(site, token())
    for _ in range(4):
        await peer.hear()
    site.host.pipes[0].outgoing.put_nowait(Close(code, "why"))
    await peer.ended()
    assert refusals(site) == kind


async def test_what_is_not_there_is_not_refused(site: Site) -> None:
    responses: list[httpx.Response] = [await site.get("/nowhere"), await site.request("POST", "/a")]
    assert [response.status_code for response in responses] == [404, 405]
    assert refusals(site) == {}


@pytest.mark.parametrize(("error", "kind"), [
    (LoginError("x"), "login"),
    (AccessError("x"), "access"),
    (TokenError("x", reason="forged"), "token"),
    (CapacityError("x"), "capacity"),
    (ProtocolError("x"), "message"),
    (RequestError("x"), None),
])
def test_each_error_has_its_kind(error: RemoteError, kind: str | None) -> None:
    counters = Counters()
    with pytest.raises(type(error)), counters.count_refusals():
        raise error
    assert counters.snapshot().refusals == (() if kind is None else ((kind, 1),))

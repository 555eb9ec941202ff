"""Whatever comes over a socket: the server answers or closes, says so once in the log, goes on, and keeps nothing."""

from __future__ import annotations

import json
import logging
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.differential.questions import encoded, token
from tests.support.differential.two_servers import APPS
from tests.support.malformed_messages import GOOD, malformed
from tests.support.raw_http import get, request
from tests.support.raw_websocket import ClosedError, WebSocket, frame, handshake
from tests.support.server_thread import MakeServer
from tests.support.waiting import collect, wait_until

from hotshoe import Server
from hotshoe.base import logs

pytestmark = pytest.mark.real

LIMIT = 200_000

SLOW_BUILD = """
import time
from pathlib import Path
from bokeh.io import curdoc
from bokeh.models import Div
flags = Path(curdoc().session_context.request.arguments["flags"][0].decode())
(flags / "begun").touch()
time.sleep(0.5)
curdoc().add_root(Div(text="slow"))
"""

LOUD = """
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div
source = ColumnDataSource(data={"x": list(range(20_000))})
holder = Div(tags=[source])
def shout():
    source.data = {"x": list(range(20_000))}
curdoc().add_root(holder)
curdoc().add_periodic_callback(shout, 20)
"""


class Ledger:
    """What the process holds when the test begins, to be compared with what it holds in the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._process = psutil.Process()
        self._fds, self._threads = self._process.num_fds(), self._process.num_threads()

    def _open(self) -> tuple[int, int]:
        statistics = self.server.statistics()
        return sum(statistics.sessions.values()), statistics.connections

    def settled(self) -> None:
        """All that the test began has ended: sessions expire soon."""
        wait_until(lambda: self._open() == (0, 0), 15)
        wait_until(lambda: self._process.num_fds() <= self._fds + 1, 10)
        # Threads of the pool stay for a while after they were needed, but never more than the setting says.
        assert self._process.num_threads() <= self._threads + self.server.settings.threads


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    return make_server(sliders=APPS / "sliders.py", slow=SLOW_BUILD, loud=LOUD, broken=APPS / "broken.py", threads=8,
                       websocket_max_message_size=LIMIT, check_unused_sessions_milliseconds=50,
                       unused_session_lifetime_milliseconds=200, session_ids="unsigned")


@pytest.fixture(autouse=True)
def settled(server: Server) -> Iterator[None]:
    """After each test the server serves, and holds no more than before."""
    _serves(server)
    wait_until(lambda: server.statistics().connections == 0)
    ledger = Ledger(server)
    yield
    _serves(server)
    collect()
    ledger.settled()


def _serves(server: Server) -> None:
    assert get(server.port, "/sliders").status == 200
    with connect(server.port) as socket:
        assert socket.set(model_of(socket.pull(), "plain")["id"], "value", 2)[-1][0]["msgtype"] == "OK"


# -- malformed messages

QUIET = {"metadata is no JSON", "metadata is empty", "metadata is a list", "metadata is deep"}
"""Metadata is not read."""


def test_malformed_fragments_in_every_position(server: Server, problems: Callable[[], list[str]]) -> None:
    wrong = []
    for name, fragments in malformed():
        problems()
        logs._paces.clear()  # each of them is to have a line here
        how = _sent(server, fragments)
        lines = problems()
        expected = 0 if name in QUIET else 1
        if len(lines) != expected:
            wrong.append((name, how, lines))
    assert not wrong


def _sent(server: Server, fragments: tuple[str | bytes, ...]) -> str:
    with connect(server.port) as socket:
        try:
            for fragment in fragments:
                socket.send(fragment)
            answer = socket.ask("SERVER-INFO-REQ")[0][0]["msgtype"]
        except ClosedError as error:
            closed = error.closed
        except ConnectionError:  # while it was sent; why it closed can still be read
            closed = socket.closed()
        else:
            return str(answer)
        assert closed.how == "close"
        assert closed.code in (1002, 1003, 1007)
        assert closed.reason
        return str(closed)


def test_fragments_after_the_close_change_nothing(server: Server) -> None:
    with connect(server.port) as socket:
        socket.send("{no json")
        for _ in range(50):
            for part in GOOD:
                socket.send(part)
        assert socket.closed().code == 1007


@pytest.mark.parametrize("name", ["one frame", "header only", "many frames", "fragments", "buffers", "buffer count"])
def test_oversized_messages(server: Server, name: str, problems: Callable[[], list[str]]) -> None:
    with connect(server.port) as socket:
        try:
            match name:
                case "one frame":
                    socket.send("x" * (LIMIT + 1))
                case "header only":
                    socket.socket.sendall(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
                case "many frames":
                    for part in (GOOD[0], "x" * (LIMIT // 2), "x" * LIMIT):
                        socket.send(part)
                case "fragments":
                    socket.send("x" * 1000, final=False)
                    for _ in range(LIMIT // 1000 + 1):
                        socket.send("x" * 1000, opcode=0, final=False)
                case "buffers":
                    socket.say("PATCH-DOC", {"events": []}, [(str(n), bytes(LIMIT // 3)) for n in range(4)])
                case "buffer count":
                    socket.send(json.dumps({"msgid": "m", "msgtype": "PATCH-DOC", "num_buffers": 10**9}))
        except ConnectionError:
            pass
        assert (closed := socket.closed()).code == 1009
        assert closed.reason == "message too big"
    assert len(problems()) <= 1


BROKEN_FRAMES = {
    "nonsense": b"\xff\xff\xff\xff", "reserved opcode": b"\x83\x80\0\0\0\0", "no UTF-8": frame(b"\xff\xfe", 1),
    "long ping": b"\x89\xfe\x01\x00" + bytes(260), "unmasked": b"\x81\x05hello", "short close": frame(b"\x03", 8),
    "reserved bit": b"\xc1\x85\0\0\0\0hello", "bad close code": frame((10000).to_bytes(2, "big"), 8),
    "continuation of nothing": frame(b"alone", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_FRAMES)
def test_broken_frames(server: Server, name: str, problems: Callable[[], list[str]]) -> None:
    with connect(server.port) as socket:
        socket.socket.sendall(BROKEN_FRAMES[name])
        assert socket.closed().how in ("close", "cut")
    assert len(problems()) <= 1


# -- connections that are cut

@pytest.mark.parametrize("count", range(6))
def test_cut_half_way_through_a_message(server: Server, count: int, problems: Callable[[], list[str]]) -> None:
    with connect(server.port) as socket:
        for part in GOOD[:count]:
            socket.send(part)
        socket.socket.sendall(frame(b'{"half": ', 1)[:7])
    wait_until(lambda: server.statistics().connections == 0)
    assert problems() == []


def test_cut_in_the_handshake(server: Server, problems: Callable[[], list[str]]) -> None:
    text = handshake(server.port, "/sliders/ws", ("bokeh", token("cut")))
    for end in (1, 10, len(text) // 2, len(text) - 1, len(text)):
        with sockets.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(text[:end])
    wait_until(lambda: server.statistics().connections == 0)
    assert problems() == []


def test_cut_while_the_answer_is_sent(server: Server, problems: Callable[[], list[str]]) -> None:
    for _ in range(20):
        with connect(server.port) as socket:
            for _ in range(5):
                socket.say("PULL-DOC-REQ")
    assert problems() == []


def test_two_hundred_connections_opened_and_cut(server: Server, problems: Callable[[], list[str]]) -> None:
    text = token("of-all")
    opened = [connect(server.port, token=text) for _ in range(200)]
    assert server.statistics().connections == 200
    for socket in opened:
        socket.cut()
    wait_until(lambda: server.statistics().connections == 0)
    assert problems() == []


# -- tokens

WRONG_TOKENS = {
    "nonsense": "nonsense", "not base64": "!!!", "a list": encoded("[1]"), "no id": token(None), "empty id": token(""),
    "a number for id": token(7), "id with a line break": token("a\nb"), "huge id": token("x" * 5000),
    "text for expiry": token("t", session_expiry="soon"), "negative expiry": token("t", session_expiry=-1),
    "expiry beyond all": token("t", session_expiry=10**30), "bomb": token("t", __bk__zlib_="AAAA"),
    "no expiry": token("none", session_expiry=None), "expired": token("gone", age_s=1000),
    "deep": encoded("[" * 20_000),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_TOKENS)
def test_wrong_tokens(server: Server, name: str, problems: Callable[[], list[str]]) -> None:
    with WebSocket(server.port, "/sliders/ws", protocols=("bokeh", WRONG_TOKENS[name])) as socket:
        closed = socket.closed()
    assert closed.code == 1008
    assert closed.reason
    lines = problems()
    assert len(lines) == 1
    assert "\n" not in lines[0]
    status = get(server.port, f"/sliders?bokeh-token={WRONG_TOKENS[name]}").status
    assert status in (403, 410)


def test_an_expired_token_joins_a_live_session(server: Server) -> None:
    with connect(server.port, token=token("alive")), connect(server.port, token=token("alive", age_s=10_000)) as late:
        assert late.pull()["roots"]


@pytest.mark.parametrize("size", [20_000, 40_000])
def test_large_heads(server: Server, size: int) -> None:
    """A login's cookies are large, and so may be a token; stock takes them too."""
    cookie = (("Cookie", f"a={'x' * size}"),)
    assert get(server.port, "/sliders", dict(cookie)).status == 200
    with connect(server.port, headers=cookie) as socket:
        assert socket.pull()["roots"]
    with connect(server.port, token=token("large", filling="x" * (size // 2))) as socket:
        assert socket.pull()["roots"]


def test_heads_that_are_too_large_are_refused_at_once(server: Server, problems: Callable[[], list[str]]) -> None:
    for headers in ((("X-Long", "x" * 200_000),), tuple((f"X-{n}", "x") for n in range(500))):
        began = time.monotonic()
        try:
            with WebSocket(server.port, "/sliders/ws", protocols=("bokeh", token("t")), headers=headers) as socket:
                assert socket.status == 431
        except (ConnectionError, IndexError):
            pass  # it was cut while the rest of the head still came
        assert time.monotonic() - began < 5
    assert len(problems()) <= 2


# -- requests and sessions that nobody waits for

def test_a_request_cancelled_while_the_app_builds(
    server: Server, tmp_path: Path, problems: Callable[[], list[str]]
) -> None:
    raw = sockets.create_connection(("127.0.0.1", server.port))
    raw.sendall(f"GET /slow?flags={tmp_path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_until((tmp_path / "begun").exists)
    raw.close()
    assert get(server.port, "/sliders").status == 200
    wait_until(lambda: server.statistics().sessions["/slow"] == 0)
    assert problems() == []


def test_a_socket_cut_while_the_app_builds(server: Server, tmp_path: Path, problems: Callable[[], list[str]]) -> None:
    text = token("cut-while-building", arguments={"flags": [str(tmp_path)]})
    with WebSocket(server.port, f"/slow/ws?flags={tmp_path}", protocols=("bokeh", text)):
        wait_until((tmp_path / "begun").exists)
    wait_until(lambda: server.statistics().connections == 0)
    assert problems() == []


def test_a_page_that_never_connects_expires(server: Server) -> None:
    def is_there() -> bool:  # on a busy machine it may have expired already
        assert get(server.port, "/sliders?bokeh-session-id=of-nobody").status == 200
        return server.statistics().sessions["/sliders"] >= 1

    wait_until(is_there)
    wait_until(lambda: server.statistics().sessions["/sliders"] == 0)


def test_a_broken_app_leaves_no_session(server: Server, problems: Callable[[], list[str]]) -> None:
    for _ in range(3):
        assert get(server.port, "/broken?bokeh-session-id=broken").status == 500
    assert server.statistics().sessions["/broken"] == 0
    assert len(problems()) == 3


def test_head_and_probes_make_no_session(server: Server) -> None:
    wait_until(lambda: not any(server.statistics().sessions.values()))
    for path in ("/sliders", "/", "/sliders/autoload.js?bokeh-autoload-element=x", "/sliders/metadata"):
        assert request(server.port, path, "HEAD").status == 200
    assert not any(server.statistics().sessions.values())


def test_a_client_that_does_not_read_stops_nobody(server: Server, problems: Callable[[], list[str]]) -> None:
    with connect(server.port, "/loud/ws", token=token("loud")) as deaf, connect(
            server.port, "/loud/ws", token=token("loud")) as other:
        deaf.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        deaf.say("PULL-DOC-REQ")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            other.ask("SERVER-INFO-REQ")
        _serves(server)
    assert problems() == []


def test_many_at_once(server: Server) -> None:
    """Threads of clients that do everything wrong at the same time, while one does everything right."""
    logging.getLogger("hotshoe").setLevel(logging.CRITICAL)
    try:
        wrong = list(malformed())[::3]
        threads = [threading.Thread(target=_sent, args=(server, fragments)) for _, fragments in wrong]
        for thread in threads:
            thread.start()
        for _ in range(5):
            _serves(server)
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
    finally:
        logging.getLogger("hotshoe").setLevel(logging.NOTSET)

"""While one session keeps Python busy, everybody else is served; and nothing that user code raises ends anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.differential.questions import token
from tests.support.differential.two_servers import APPS
from tests.support.raw_http import Reply, get
from tests.support.raw_websocket import changed
from tests.support.server_thread import MakeServer
from tests.support.waiting import wait_until

from hotshoe import Server
from hotshoe.sessions import Connection
from hotshoe.wire import Incoming

pytestmark = [pytest.mark.real, pytest.mark.alone]

GENEROUS_S = 5.0
"""For a machine that others keep busy too; that the slow work is seen to run on is what proves that nobody waits."""


class Slow:
    """Work of a session that takes two seconds, and goes on until it has been watched for long enough."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        self._threads.append(thread)
        wait_until((self.folder / "begun").exists)

    @property
    def runs(self) -> bool:
        return (self.folder / "begun").exists() and not (self.folder / "done").exists()

    def enough(self) -> None:
        (self.folder / "enough").touch()

    def end(self) -> None:
        self.enough()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    server = make_server(slow=APPS / "slow.py", sliders=APPS / "sliders.py", house=APPS / "house")
    get(server.port, "/sliders")  # what is done once is done
    get(server.port, "/static/js/bokeh.min.js")
    return server


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    folder = tmp_path / "flags"
    folder.mkdir()
    slow = Slow(folder)
    yield slow
    slow.end()


def _served_meanwhile(server: Server, slow: Slow) -> None:
    """Everything that others want, each answered in time and before the slow work ends."""
    with connect(server.port) as other:
        plain = model_of(other.pull(), "doubled")["id"]
        for ask in (
            lambda: other.set(plain, "value", 5),
            lambda: _ok(get(server.port, "/static/js/bokeh.min.js")),
            lambda: _ok(get(server.port, "/house/static/own.css")),
            lambda: _ok(get(server.port, "/house")),
            lambda: _ok(get(server.port, "/")),
            lambda: _ok(get(server.port, "/sliders/metadata")),
            lambda: other.set(plain, "value", 6),
        ):
            assert slow.runs, "the slow work has ended too early to prove anything"
            began = time.monotonic()
            ask()
            took_s = time.monotonic() - began
            assert took_s < GENEROUS_S
        assert slow.runs


def _ok(reply: Reply) -> None:
    assert reply.status == 200


@pytest.mark.parametrize("how", ["sleep", "compute"])
def test_a_slow_script_keeps_nobody_waiting(server: Server, slow: Slow, how: str) -> None:
    slow.start(lambda: _ok(get(server.port, f"/slow?build={how}&flags={slow.folder}")))
    _served_meanwhile(server, slow)


@pytest.mark.parametrize("value", [1, 2, 3], ids=["sleeping", "computing", "awaiting"])
def test_a_slow_callback_keeps_nobody_waiting(server: Server, slow: Slow, value: int) -> None:
    page = get(server.port, f"/slow?flags={slow.folder}")
    with connect(server.port, "/slow/ws", token=page.token, timeout_s=20) as socket:
        trigger = model_of(socket.pull(), "trigger")["id"]
        slow.start(lambda: socket.set(trigger, "value", value))
        _served_meanwhile(server, slow)
        slow.end()


def test_another_page_of_the_slow_app_is_served(server: Server, slow: Slow, tmp_path: Path) -> None:
    slow.start(lambda: get(server.port, f"/slow?build=sleep&flags={slow.folder}"))
    _ok(get(server.port, f"/slow?flags={tmp_path}"))
    assert slow.runs


def test_a_slow_session_still_answers_pings(server: Server, slow: Slow) -> None:
    page = get(server.port, f"/slow?flags={slow.folder}")
    with connect(server.port, "/slow/ws", token=page.token, timeout_s=20) as socket:
        trigger = model_of(socket.pull(), "trigger")["id"]
        msgid = socket.say("PATCH-DOC", {"events": [changed(trigger, "value", 1)]})
        wait_until(lambda: slow.runs)
        socket.send(b"alive?", opcode=9)
        assert socket.next_control() == b"alive?"
        assert slow.runs
        slow.enough()
        assert socket.until("OK")[-1][0]["reqid"] == msgid


def test_only_the_last_of_the_changes_that_wait_is_applied(
    server: Server, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[bytes] = []  # no answer can tell that a message has come
    handle = Connection.handle

    def note(connection: Connection, message: Incoming) -> None:
        handle(connection, message)
        handled.append(bytes(message.content))

    monkeypatch.setattr(Connection, "handle", note)
    page = get(server.port, f"/slow?flags={slow.folder}")
    with connect(server.port, "/slow/ws", token=page.token, timeout_s=20) as socket:
        trigger = model_of(socket.pull(), "trigger")["id"]
        asked = [socket.say("PATCH-DOC", {"events": [changed(trigger, "value", 1)]})]
        wait_until(lambda: slow.runs)
        asked += [socket.say("PATCH-DOC", {"events": [changed(trigger, "value", value)]}) for value in (11, 12, 13)]
        wait_until(lambda: b'"new": 13' in handled[-1])
        assert slow.runs
        slow.enough()
        answered = [socket.until("OK")[-1][0]["reqid"] for _ in asked]
        assert answered == asked
        assert model_of(socket.pull(), "heard")["attributes"]["text"] == "heard 1 13"


ENDINGS = ("sys.exit()", "sys.exit(3)", "raise SystemExit", "raise KeyboardInterrupt", "raise GeneratorExit",
           "raise BaseException('odd')", "raise StopIteration", "raise asyncio.CancelledError", "1 / 0")

RAISING = """
import asyncio, sys
from bokeh.io import curdoc
from bokeh.models import Div, Slider
arguments = curdoc().session_context.request.arguments
trigger = Slider(name="trigger", start=0, end=100, value=0)
echo = Div(name="echo", text="0")
curdoc().add_root(trigger)
curdoc().add_root(echo)
def raises():
    ENDING
async def raises_later():
    await asyncio.sleep(0)
    ENDING
def change(attr, old, new):
    if new == 1: raises()
    if new == 2: curdoc().add_next_tick_callback(raises)
    if new == 3: curdoc().add_next_tick_callback(raises_later)
    if new == 4: curdoc().add_timeout_callback(raises, 1)
    if new == 5: raise_unlocked()
    echo.text = str(new)
def raise_unlocked():
    from bokeh.document import without_document_lock
    curdoc().add_next_tick_callback(without_document_lock(raises))
    curdoc().add_next_tick_callback(without_document_lock(raises_later))
trigger.on_change("value", change)
if arguments.get("build"): raises()
"""


@pytest.mark.parametrize("threads", [8, 0], ids=["threads", "loop"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_that_is_raised_ends_anything(make_server: MakeServer, ending: str, threads: int) -> None:
    server = make_server(app=RAISING.replace("ENDING", ending), sliders=APPS / "sliders.py", threads=threads)
    assert get(server.port, "/app?build=1").status in (200, 500)
    with connect(server.port, "/app/ws", token=token("raising")) as socket:
        document = socket.pull()
        trigger = model_of(document, "trigger")["id"]
        for value in range(1, 7):
            answer = socket.set(trigger, "value", value)[-1][0]["msgtype"]
            assert answer == "OK" or value == 1
        wait_until(lambda: model_of(socket.pull(), "echo")["attributes"]["text"] == "6")
    with connect(server.port) as other:
        assert other.pull()["title"] == "Sliders of a test"
    assert get(server.port, "/app").status == 200

"""Hooks run, all of them, always, and see what they should; so does an app that asks for its session's context."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.differential.questions import token
from tests.support.differential.two_servers import APPS
from tests.support.raw_http import get
from tests.support.server_process import serve
from tests.support.server_thread import MakeServer
from tests.support.waiting import wait_until

from hotshoe import Server

pytestmark = pytest.mark.real

MAIN = '''
import json
from bokeh.io import curdoc
from bokeh.models import Div, Slider

document = curdoc()
context = document.session_context
secret = "live global"
slider = Slider(name="slider", start=0, end=10, value=1)
document.add_root(slider)
document.add_root(Div(name="order", text=context.server_context.order[-1]))

def destroyed(session_context):
    with open(LOG, "a") as log:
        log.write(f"document destroyed {session_context.id} {session_context.destroyed} {secret} {slider.value}\\n")

document.on_session_destroyed(destroyed)
'''

HOOKS = '''
import asyncio

def write(line):
    with open(LOG, "a") as log:
        log.write(line + "\\n")

def on_server_loaded(server_context):
    server_context.order = ["loaded"]
    write(f"loaded {server_context.application_context.url} {len(server_context.sessions)}")

ASYNC def on_session_created(session_context):
    PAUSE
    session_context.server_context.order.append("created " + session_context.id)
    write(f"created {session_context.id} {session_context.destroyed}")

ASYNC def on_session_destroyed(session_context):
    PAUSE
    write(f"destroyed {session_context.id} {session_context.destroyed}")

def on_server_unloaded(server_context):
    write(f"unloaded {len(server_context.sessions)}")

def process_request(request):
    write(f"request {request.path} {sorted(request.arguments)} {request.headers.get('X-Of-Page')}")
    return {"brought": request.headers.get("x-of-page", "nothing")}
'''


@pytest.fixture(params=["sync", "async"])
def hooked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[], list[str]]]:
    """A directory app with all hooks, and the lines that they have written."""
    log = tmp_path / "log.txt"
    log.touch()
    folder = tmp_path / "hooked"
    folder.mkdir()
    words = ("", "pass") if request.param == "sync" else ("async", "await asyncio.sleep(0.01)")
    hooks = HOOKS.replace("ASYNC ", words[0] + " " if words[0] else "").replace("PAUSE", words[1])
    (folder / "main.py").write_text(f"LOG = {str(log)!r}\n{MAIN}")
    (folder / "app_hooks.py").write_text(f"LOG = {str(log)!r}\n{hooks}")
    return folder, lambda: log.read_text().splitlines()


def test_all_hooks_in_their_order(make_server: MakeServer, hooked: tuple[Path, Callable[[], list[str]]]) -> None:
    folder, lines = hooked
    server = make_server(
        hooked=folder, check_unused_sessions_milliseconds=50, unused_session_lifetime_milliseconds=1500,
        session_ids="unsigned")
    assert lines() == ["loaded /hooked 0"]
    page = get(server.port, "/hooked?bokeh-session-id=s&a=1", {"X-Of-Page": "head"})
    assert lines()[1:] == ["request /hooked ['a'] head", "created s False"]
    with connect(server.port, "/hooked/ws", token=page.token) as socket:
        document = socket.pull()
        assert model_of(document, "order")["attributes"]["text"] == "created s"  # before the app's own code
        socket.set(model_of(document, "slider")["id"], "value", 7)
        time.sleep(2)  # longer than an unused one lives
        assert len(lines()) == 3, "a session with a connection does not expire"
    wait_until(lambda: server.statistics().sessions["/hooked"] == 0)
    assert lines()[3:] == ["document destroyed s True live global 7", "destroyed s True"]
    server.stop()
    assert lines()[5:] == ["unloaded 0"]


def test_hooks_at_the_end_of_the_server(make_server: MakeServer, hooked: tuple[Path, Callable[[], list[str]]]) -> None:
    folder, lines = hooked
    server = make_server(hooked=folder, session_ids="unsigned")
    for name in ("a", "b"):
        get(server.port, f"/hooked?bokeh-session-id={name}")
    with connect(server.port, "/hooked/ws", token=token("c")) as socket:
        server.stop()
        assert socket.closed().code in (1001, 1012)
    ended = lines()[lines().index("created c False") + 1:]
    assert ended[-1] == "unloaded 0"
    assert sorted(ended[:-1]) == sorted(
        line for name in "abc" for line in (f"destroyed {name} True", f"document destroyed {name} True live global 1"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_sockets_and_runs_the_hooks(
    hooked: tuple[Path, Callable[[], list[str]]], number: signal.Signals
) -> None:
    folder, lines = hooked
    with serve(folder, program="hotshoe serve") as server:
        with connect(server.port, "/hooked/ws", token=token("s")) as socket:
            server.process.send_signal(number)
            closed = socket.closed()
        assert closed.code in (1001, 1012)
        assert server.process.wait(15) == 0
        assert lines()[-3:] == ["document destroyed s True live global 1", "destroyed s True", "unloaded 0"]


FAILING = "".join(f"def {name}(context):\n    raise ENDING\n"
                  for name in ("on_session_created", "on_session_destroyed", "on_server_unloaded"))


@pytest.mark.parametrize(("ending", "reports"), [("SystemExit('no')", 0), ("ValueError('no')", 3)])
def test_a_failing_hook_stops_nothing(
    make_server: MakeServer, tmp_path: Path, problems: Callable[[], list[str]], ending: str, reports: int
) -> None:
    folder = tmp_path / "failing"
    folder.mkdir()
    (folder / "main.py").write_text("from bokeh.io import curdoc\ncurdoc().title = 'Here'\n")
    (folder / "app_hooks.py").write_text(FAILING.replace("ENDING", ending))
    server = make_server(failing=folder)
    assert get(server.port, "/failing").status == 200
    server.stop()
    assert len(problems()) >= reports


CONTEXT = """
import json
from bokeh.io import curdoc
from bokeh.models import Div, Slider
document = curdoc()
context = document.session_context
request = context.request
seen = {
    "id": context.id,
    "destroyed": context.destroyed,
    "arguments": {name: [value.decode() for value in values] for name, values in request.arguments.items()},
    "cookies": dict(request.cookies),
    "headers": {name: value for name, value in request.headers.items() if name.startswith("X-")},
    "payload": sorted(context.token_payload),
    "payload arguments": {name: [value.decode() for value in values]
                          for name, values in context.token_payload["arguments"].items()},
    "logout_url": context.logout_url,
    "url": context.server_context.application_context.url,
    "sessions": len(context.server_context.sessions),
    "path": request.path, "uri": request.uri, "remote_ip": request.remote_ip, "protocol": request.protocol,
    "host": request.host.split(":")[0], "full_url": request.full_url(), "version": request.version,
    "own session": context.session is not None and context.session.document is document,
    "own id": context.session.id == context.id,
}
shown = Div(name="seen", text=json.dumps(seen))
trigger = Slider(name="trigger", start=0, end=10, value=0)
async def change_in_lock(document):
    shown.text = "changed in the lock"
async def later():
    await context.with_locked_document(change_in_lock)
def change(attr, old, new):
    from bokeh.document import without_document_lock
    document.add_next_tick_callback(without_document_lock(later))
trigger.on_change("value", change)
document.add_root(shown)
document.add_root(trigger)
"""


def _seen(server: Server, text: str, path: str = "/context/ws") -> dict[str, Any]:
    with connect(server.port, path, token=text) as socket:
        found: dict[str, Any] = json.loads(model_of(socket.pull(), "seen")["attributes"]["text"])
        return found


def test_the_context_of_a_session(make_server: MakeServer) -> None:
    server = make_server(context=CONTEXT, session_ids="unsigned")
    headers = {"X-One": "1", "Cookie": "k=v; l=w"}
    page = get(server.port, "/context?a=1&a=2&b=%C3%A9&c=&bokeh-session-id=mine", headers)
    seen = _seen(server, page.token)
    arguments = {"a": ["1", "2"], "b": ["é"], "c": [""]}
    assert seen.pop("arguments") == seen.pop("payload arguments") == arguments
    assert {"headers", "cookies", "arguments"} <= set(seen.pop("payload"))
    assert seen.pop("full_url") == f"http://localhost:{server.port}{seen['uri']}"
    assert seen == {
        "id": "mine", "destroyed": False, "cookies": {"k": "v", "l": "w"}, "headers": {"X-One": "1"},
        "logout_url": None, "url": "/context", "sessions": 0, "path": "/context", "remote_ip": "127.0.0.1",
        "protocol": "http", "version": "HTTP/1.1",
        "uri": "/context?a=1&a=2&b=%C3%A9&c=&bokeh-session-id=mine", "host": "localhost",
        "own session": True, "own id": True,
    }


def test_the_sessions_of_a_server_context(make_server: MakeServer) -> None:
    server = make_server(context=CONTEXT)
    for _ in range(2):
        get(server.port, "/context")
    assert _seen(server, token("third"))["sessions"] == 2


def test_with_locked_document(make_server: MakeServer) -> None:
    server = make_server(context=CONTEXT)
    with connect(server.port, "/context/ws", token=token("locked")) as socket:
        document = socket.pull()
        socket.set(model_of(document, "trigger")["id"], "value", 1)
        wait_until(lambda: model_of(socket.pull(), "seen")["attributes"]["text"] == "changed in the lock")


def test_what_process_request_gave_reaches_a_session_that_is_made_again(make_server: MakeServer) -> None:
    """The page's token makes the session anew on a server that has never seen it, as the page's request asked."""
    secret = "shared by the two servers of this test"
    first, second = (make_server(house=APPS / "house", secret_key=secret) for _ in range(2))
    page = get(first.port, "/house?a=1&b=2&b=3", {"X-Of-Page": "by the page"})
    first.stop()
    seen = _seen(second, page.token, "/house/ws?other=1")
    assert seen["payload"] == {"from_hook": "by the page"}
    assert seen["arguments"] == {"a": ["1"], "b": ["2", "3"]}


def test_process_request_is_not_asked_for_a_token(
    make_server: MakeServer, hooked: tuple[Path, Callable[[], list[str]]]
) -> None:
    folder, lines = hooked
    server = make_server(hooked=folder)
    page = get(server.port, "/hooked")
    get(server.port, f"/hooked?bokeh-token={page.token}")
    with connect(server.port, "/hooked/ws", token=page.token):
        pass
    get(server.port, "/hooked/autoload.js?bokeh-autoload-element=x")
    assert sum(line.startswith("request") for line in lines()) == 2

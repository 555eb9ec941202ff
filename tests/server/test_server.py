import asyncio
import gc
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.support.waiting import until
from tornado.ioloop import IOLoop

from hotshoe.base import tasks
from hotshoe.base.errors import AppError, BindError, ConfigError
from hotshoe.server.server import Server


def app(doc: Any) -> None:
    doc.title = "A title"


def get(server: Server, path: str = "/") -> httpx.Response:
    with httpx.Client(timeout=10) as client:
        return client.get(server.url(path))


def sockets_of(process: psutil.Process) -> set[int]:
    return {connection.fd for connection in process.net_connections() if connection.status == psutil.CONN_LISTEN}


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    process = psutil.Process()
    threads, listening = set(threading.enumerate()), sockets_of(process)
    yield
    gc.collect()
    end = time.monotonic() + 5
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left
    assert sockets_of(process) <= listening


def test_on_a_thread_of_its_own() -> None:
    with Server(app, port=0, address="127.0.0.1", prefix="/base") as server:
        assert server.port > 0
        assert server.prefix == "/base"
        assert server.urls == [f"http://127.0.0.1:{server.port}/base/"]
        reply = get(server)
        assert reply.status_code == 200
        assert "A title" in reply.text
        assert server.statistics().sessions == {"/": 1}
        assert [info.url for info in server.apps.values()] == ["/"]
    with pytest.raises(httpx.ConnectError):
        get(server)


def test_stop_can_be_repeated_and_start_again() -> None:
    server = Server({"/one": app, "/two": app}, port=0)
    server.stop()
    for _ in range(3):
        server.start()
        server.start()
        assert get(server, "/two").status_code == 200
        server.stop()
        server.stop()


def test_several_at_once() -> None:
    servers = [Server(app, port=0) for _ in range(3)]
    try:
        for server in servers:
            server.start()
        assert len({server.port for server in servers}) == 3
        servers[0].stop()
        assert [get(server).status_code for server in servers[1:]] == [200, 200]
    finally:
        for server in servers:
            server.stop()


def test_urls_are_quoted() -> None:
    with Server({"/a b?c#d%20ü": app}, port=0, address="127.0.0.1") as server:
        [url] = server.urls
        assert url.endswith("/a%20b%3Fc%23d%2520%C3%BC")
        assert "A title" in httpx.get(url).text


def test_all_interfaces() -> None:
    with Server(app, port=0) as server:
        assert server.address is None
        assert server.urls == [f"http://localhost:{server.port}/"]
        assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 200


def test_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError):
        Server(app, port="many")
    with pytest.raises(ConfigError):
        Server(app, no_such_setting=1)
    with pytest.raises(AppError):
        Server("/no/such/app.py")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(app, port=taken.getsockname()[1], address="127.0.0.1")
        with pytest.raises(BindError, match="is already in use"):
            server.start()
    with pytest.raises(RuntimeError, match="not running"):
        server.statistics()
    server.start()  # the port is free now
    server.stop()


async def test_on_the_running_loop() -> None:
    async with Server(app, port=0) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url())).status_code == 200
    before = asyncio.all_tasks()
    assert before == {asyncio.current_task()}


async def test_serve_until_stopped() -> None:
    server = Server(app, port=0)
    serving = asyncio.create_task(server.serve())
    while server.port == 0:
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient() as client:
        assert (await client.get(server.url())).status_code == 200
    await asyncio.to_thread(server.stop)
    async with asyncio.timeout(60):
        await serving


async def test_serve_ends_with_its_task() -> None:
    server = Server(app, port=0)
    serving = asyncio.create_task(server.serve())
    while server.port == 0:
        await asyncio.sleep(0.01)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(RuntimeError, match="not running"):
        server.statistics()


def test_on_a_loop_that_runs_later() -> None:
    loop = IOLoop(make_current=False)
    server = Server(app, port=0, io_loop=loop)
    server.start()

    async def visit() -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(server.url())).status_code

    try:
        assert loop.run_sync(visit) == 200
        server.stop()
    finally:
        loop.close(all_fds=False)


def test_on_a_loop_in_another_thread() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with Server(app, port=0, io_loop=loop) as server:
            assert get(server).status_code == 200
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_stopped_before_its_loop_ran() -> None:
    loop = asyncio.new_event_loop()
    server = Server(app, port=0, io_loop=loop)
    server.start()
    server.stop()
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()


def test_sessions_are_updated_from_anywhere() -> None:
    titles: list[str] = []
    with Server(app, port=0) as server:
        get(server)
        server.update_sessions("/", lambda doc: titles.append(doc.title)).result(5)

        async def change() -> None:
            await server.update_sessions("/", lambda doc: titles.append("awaited"))

        asyncio.run(change())
    assert titles == ["A title", "awaited"]


def test_a_stuck_app_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "STOP_GRACE_S", 0.3)
    release = threading.Event()
    entered = threading.Event()

    def stuck(doc: Any) -> None:
        entered.set()
        release.wait(20)

    def visit(server: Server) -> None:
        with suppress(httpx.HTTPError):
            assert get(server).status_code >= 500

    try:
        with Server(stuck, port=0) as server:
            visitor = threading.Thread(target=visit, args=(server,))
            visitor.start()
            assert entered.wait(5)
            started = time.monotonic()
            server.stop()
            assert time.monotonic() - started < 10
            visitor.join()
    finally:
        release.set()


def test_a_callback_and_then_a_hook_that_take_long_both_come_to_their_end() -> None:
    ended: list[str] = []
    entered, never = threading.Event(), threading.Event()

    def call() -> None:
        entered.set()
        never.wait(3.0)
        ended.append("callback")

    def destroy(context: Any) -> None:
        never.wait(2.5)
        ended.append("hook")

    def fill(doc: Any) -> None:
        doc.on_session_destroyed(destroy)

    def schedule(doc: Any) -> None:
        doc.add_next_tick_callback(call)

    with Server(fill, port=0) as server:
        get(server)
        server.update_sessions("/", schedule)
        assert entered.wait(5)
        started_s = time.monotonic()
        server.stop()
        assert time.monotonic() - started_s < tasks.STOP_GRACE_S + 1
    assert ended == ["callback", "hook"]


def test_the_switch_interval_is_left_alone() -> None:
    before = sys.getswitchinterval()
    with Server(app, port=0):
        assert sys.getswitchinterval() == before


SCRIPT = """
import sys, threading, time
from hotshoe.server.server import Server

def app(doc):
    pass

def watch():
    while server.port == 0 or server._running is None:
        time.sleep(0.01)
    print("running", server.port, round(sys.getswitchinterval(), 5), flush=True)

server = Server(app, port=0, address="127.0.0.1")
threading.Thread(target=watch).start()
server.run(lambda number: print(number.name, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_process_in_order(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n{SCRIPT}")
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    word, port, interval = process.stdout.readline().split()
    assert (word, interval) == ("running", "0.0005")
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert out.split() == [number.name, "stopped"]
    assert err == ""
    assert process.returncode == 0


@pytest.mark.real
def test_under_nohup_it_goes_on_when_the_terminal_is_closed(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{SCRIPT}")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().split()[1]
    process.send_signal(signal.SIGHUP)
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0].split() == ["SIGTERM", "stopped"]


@pytest.mark.real
def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(SCRIPT.replace("    pass\n", "    doc.on_session_destroyed(lambda _: time.sleep(30))\n", 1))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().split()[1]
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "SIGINT\n"
    time.sleep(0.6)  # sooner, it would count as the same order
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=25)
    assert time.monotonic() - started < 15
    assert process.returncode != 0


async def test_the_port_is_free_once_stop_returns() -> None:
    server = Server(lambda doc: None, port=0, address="127.0.0.1")
    await server.start_async()
    port = server.port
    server.stop()
    again = Server(lambda doc: None, port=port, address="127.0.0.1")
    await again.start_async()
    await again.stop_async()
    await server.stop_async()


HOOKS = """
import time
from pathlib import Path

def wait_for(name):
    while not Path({folder!r}, name).exists():
        time.sleep(0.005)

def on_server_loaded(context):
    wait_for("load")

def on_server_unloaded(context):
    wait_for("unload")
"""


def slow_app(folder: Path) -> Path:
    """An app whose hooks wait for files in ``folder``."""
    app = folder / "slow"
    app.mkdir()
    (app / "main.py").write_text("from bokeh.io import curdoc\ncurdoc().title = 'A title'\n")
    (app / "server_lifecycle.py").write_text(HOOKS.format(folder=str(folder)))
    return app


def requests_under_way() -> int:
    return sum("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def health(client: httpx.AsyncClient, server: Server, question: str = "") -> tuple[int, Any]:
    response = await client.get(server.url(f"/_hotshoe/health{question}"))
    return response.status_code, response.json()


async def test_health_is_told_while_hooks_run_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    server = Server(slow_app(tmp_path), port=0, address="127.0.0.1")
    starting = asyncio.create_task(server.start_async())
    await until(lambda: server.port)
    async with httpx.AsyncClient(timeout=20) as client:
        assert await health(client, server) == (503, {"alive": True, "ready": False})
        assert await health(client, server, "/alive") == (200, {"alive": True, "ready": False})
        async with httpx.AsyncClient(timeout=20) as visitor:
            page = asyncio.create_task(visitor.get(server.url("/slow")))
            await until(requests_under_way)
            assert await health(client, server) == (503, {"alive": True, "ready": False})
            assert not page.done()
            (tmp_path / "load").touch()
            await starting
            assert "A title" in (await page).text
        assert await health(client, server) == (200, {"alive": True, "ready": True})
        stopping = asyncio.create_task(server.stop_async())
        await asyncio.sleep(0)
        assert await health(client, server) == (503, {"alive": True, "ready": False}), "on a connection that is kept"
        async with httpx.AsyncClient(timeout=20) as late:
            with pytest.raises(httpx.ConnectError):
                await health(late, server)
        (tmp_path / "unload").touch()
        await stopping


async def test_who_waits_for_a_start_that_fails_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(slow_app(tmp_path), port=0, address="127.0.0.1", auth=FailingLate(tmp_path))
    starting = asyncio.create_task(server.start_async())
    await until(lambda: server.port)
    async with httpx.AsyncClient(timeout=20) as client:
        assert await health(client, server) == (503, {"alive": True, "ready": False})
        page = asyncio.create_task(client.get(server.url("/slow")))
        await until(requests_under_way)
        (tmp_path / "load").touch()
        with pytest.raises(ConfigError, match="no provider there"):
            await starting
        assert (await page).status_code == 503
    assert not caplog.records


class FailingLate:
    """A provider that can't start, and needs its time to see that."""

    endpoints: dict[str, Any] = {}
    logout_path = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None:
        await until(lambda: (self._folder / "load").exists())
        raise ConfigError("no provider there")

    async def stop(self) -> None: ...

    async def user_of(self, connection: Any) -> None: ...

    async def login_path(self, connection: Any) -> None: ...

"""Processes that apps start: they work as in any program, are no second server, and end with the server."""

from __future__ import annotations

import json
import os
import re
import signal
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from tests.support.differential.conversations import connect, model_of
from tests.support.raw_http import get
from tests.support.raw_websocket import WebSocket
from tests.support.server_process import ServerProcess, serve
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

MODULE = '''
import asyncio, os, signal, socket, sys, time

def square(n):
    return n * n

def sleep(seconds):
    time.sleep(seconds)
    return seconds

def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(300)

def ports():
    """The local ports of all sockets of this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as sock:
                found.append(sock.getsockname()[1])
        except (OSError, IndexError):
            pass
    return found

def surroundings(queue, server_port):
    async def loop():
        return type(asyncio.get_running_loop()).__name__
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    wakeup = signal.set_wakeup_fd(-1)
    queue.put([handlers == [signal.SIG_DFL] * 2, wakeup, server_port in ports(), bool(asyncio.run(loop()))])
'''

PLACES = '''
import multiprocessing as mp, os, signal, subprocess, sys, threading, time
import jobs
fork = mp.get_context("fork")

def pool():
    with fork.Pool(1) as children:
        result = children.map_async(jobs.sleep, [60])
        result.wait(0.05)
        children.terminate()
        children.join()
    return "terminated"

def surroundings():
    """Nothing of the server; a module is imported for the first time in the child."""
    queue = fork.Queue()
    process = fork.Process(target=look, args=(queue,))
    process.start()
    found = queue.get(timeout=20)
    process.join(20)
    return found

def look(queue):
    import colorsys
    inet = [port for port in jobs.ports() if isinstance(port, int)]
    queue.put([signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.set_wakeup_fd(-1), inet])

def bare_fork():
    """Only its parent goes on."""
    pid = os.fork()
    if not pid:
        sys.exit(7)
    for _ in range(200):
        if (ended := os.waitpid(pid, os.WNOHANG)) != (0, 0):
            return os.waitstatus_to_exitcode(ended[1])
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return "it lives on"

def look_around(place):
    program = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout.strip()
    print(f"{place}: {[pool(), surroundings(), program, bare_fork()]}", flush=True)

def leave():
    commands = [subprocess.Popen(["sleep", "300"]), fork.Process(target=jobs.sleep, args=(300,))]
    commands[1].start()
    left.extend(commands)
    print("left:", *(command.pid for command in commands), flush=True)

left = []
'''

HOOKS = '''
import places

places.look_around("hooks")
places.leave()

async def on_server_loaded(server_context):
    places.look_around("on_server_loaded")
    places.leave()

def on_server_unloaded(server_context):
    places.look_around("on_server_unloaded")

def on_session_created(session_context):
    places.look_around("on_session_created")

async def on_session_destroyed(session_context):
    places.look_around("on_session_destroyed")

def process_request(request):
    places.look_around("process_request")
    return {}
'''

ELSEWHERE = '''
import asyncio, threading
import places
from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div())
places.look_around("notebook")

async def look_around_in_task():
    places.look_around("task")

asyncio.create_task(look_around_in_task())
'''

APP = '''
import concurrent.futures, multiprocessing as mp, os, signal, subprocess, sys, time
import joblib
import jobs
from bokeh.io import curdoc
from bokeh.models import Div, TextInput

trigger, echo = TextInput(name="trigger"), Div(name="echo", text="start")
document = curdoc()
document.add_root(trigger)
document.add_root(echo)
fork = mp.get_context("fork")
port = int(document.session_context.request.headers["Host"].partition(":")[2])

def own_square(n):
    return n * n

def pool_terminate():
    pool = fork.Pool(2)
    result = pool.map_async(jobs.sleep, [60, 60])
    try:
        result.get(timeout=0.1)
    except mp.TimeoutError:
        pool.terminate()
        pool.join()
        return "terminated"

def process_terminate():
    process = fork.Process(target=jobs.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(20)
    return process.exitcode

def executor():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        return list(pool.map(own_square, [1, 2, 3]))

def spawned():
    with mp.get_context("spawn").Pool(1) as pool:
        return pool.map(jobs.square, [1, 2, 3])

def with_joblib():
    return joblib.Parallel(n_jobs=2)(joblib.delayed(own_square)(n) for n in (1, 2, 3))

def program():
    return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout

def surroundings():
    queue = fork.Queue()
    process = fork.Process(target=jobs.surroundings, args=(queue, port))
    process.start()
    found = queue.get(timeout=20)
    process.join(20)
    return found

def bare_fork():
    pid = os.fork()
    if not pid:
        sys.exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def leave():
    process, pool = fork.Process(target=jobs.stay), fork.Pool(1)
    process.start()
    commands = [subprocess.Popen(["sleep", "300"], start_new_session=own) for own in (False, True)]
    globals().update(process=process, pool=pool, commands=commands)
    return [process.pid, pool._pool[0].pid, *(command.pid for command in commands)]

def idle_pool():
    pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=fork)
    globals().update(executor_of_session=pool)
    return pool.submit(os.getpid).result()

def change(attr, old, new):
    echo.text = f"{new}: {globals()[new]()!r}"

if "script" in document.session_context.request.arguments:
    echo.text = pool_terminate()
trigger.on_change("value", change)
'''

RESULTS = {
    "pool_terminate": "'terminated'",
    "process_terminate": repr(-signal.SIGTERM),
    "executor": "[1, 4, 9]",
    "spawned": "[1, 4, 9]",
    "with_joblib": "[1, 4, 9]",
    "program": r"'42\n'",
    "surroundings": "[True, -1, False, True]",
    "bare_fork": "7",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("children")
    (folder / "jobs.py").write_text(textwrap.dedent(MODULE))
    (folder / "app.py").write_text(textwrap.dedent(APP))
    return folder / "app.py"


def opened(server: ServerProcess) -> WebSocket:
    return connect(server.port, "/app/ws", token=get(server.port, "/app").token, timeout_s=60)


def asked(socket: WebSocket, name: str) -> str:
    """What the app answers to ``name``."""
    socket.set(model_of(socket.pull(), "trigger")["id"], "value", name)
    said = [""]

    def answered() -> bool:
        said[0] = model_of(socket.pull(), "echo")["attributes"]["text"]
        return said[0].startswith(f"{name}: ")

    wait_until(answered, 60, lambda: said[0])
    return said[0].removeprefix(f"{name}: ")


def lives(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


def has_shown(server: ServerProcess, place: str) -> bool:
    """Whether ``places.look_around`` has printed something of this place."""
    return re.search(rf"^{place}: ", server.log, re.MULTILINE) is not None


def left_in(server: ServerProcess) -> list[int]:
    """The processes that ``places.leave`` has printed."""
    return [int(pid) for line in re.findall(r"^left: (.*)", server.log, re.MULTILINE) for pid in line.split()]


@contextmanager
def all_killed(pids: list[int]) -> Iterator[None]:
    try:
        yield
    finally:
        for pid in filter(lives, pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_children_work_in_apps_and_end_with_their_session_or_the_server(app: Path) -> None:
    flags = ("--unused-session-lifetime", "100", "--check-unused-sessions", "100")
    with serve(app, flags=flags) as server:
        with opened(server) as socket:
            assert {name: asked(socket, name) for name in RESULTS} == RESULTS
        token = get(server.port, "/app?script=1").token  # and a script may end a pool, too
        with connect(server.port, "/app/ws", token=token, timeout_s=60) as socket:
            assert model_of(socket.pull(), "echo")["attributes"]["text"] == "terminated"
        assert "shutting down" not in server.log

        with opened(server) as socket:
            of_session = int(asked(socket, "idle_pool"))
            assert lives(of_session)
        wait_until(lambda: not lives(of_session), 20)

        with opened(server) as socket:
            pids = [int(pid) for pid in re.findall(r"\d+", asked(socket, "leave"))]
            assert [lives(pid) for pid in pids] == [True] * 4
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(30)
    with all_killed(pids):  # only the program in a session of its own lives on
        assert [lives(pid) for pid in pids] == [False, False, False, True]


def test_forked_children_end_when_the_server_is_killed(app: Path, everywhere: tuple[Path, Path]) -> None:
    with serve(app, everywhere[0]) as server, opened(server) as socket:
        programs_and_forked = left_in(server)
        assert len(programs_and_forked) == 4
        pids = [int(asked(socket, "idle_pool")), *programs_and_forked[1::2]]
        assert all(map(lives, pids))
        server.process.kill()
        server.process.wait()
        with all_killed([*pids, *programs_and_forked]):
            wait_until(lambda: not any(map(lives, pids)), 20)
        server.stop = lambda: None  # type: ignore[method-assign]  # it was killed


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An app in a directory with all hooks, and a notebook with a task."""
    folder = tmp_path_factory.mktemp("everywhere")
    app = folder / "everywhere"
    app.mkdir()
    main = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div())\n"
    files = {"jobs.py": MODULE, "places.py": PLACES, "everywhere/app_hooks.py": HOOKS, "everywhere/main.py": main}
    for name, text in files.items():
        (folder / name).write_text(text)
    (app / "__init__.py").write_text(f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
                                     "import places\nplaces.look_around('package')\n")
    cells = [{"cell_type": "code", "source": ELSEWHERE, "metadata": {}, "outputs": []}]
    (notebook := folder / "notebook.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return app, notebook


@pytest.mark.parametrize("thread", ["pool", "loop"])
def test_children_work_in_hooks_notebooks_and_tasks(everywhere: tuple[Path, Path], thread: str) -> None:
    flags = ("--unused-session-lifetime", "100", "--check-unused-sessions", "100", "--app-thread", thread)
    with serve(*everywhere, flags=flags) as server:
        port = int(re.findall(r":(\d+)/", server.urls["everywhere"])[0])
        for path in ("/everywhere", "/notebook"):
            assert get(port, path).status == 200
        for place in ("on_session_destroyed", "task"):
            wait_until(partial(has_shown, server, place), 30, lambda: server.log)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        with all_killed(pids := left_in(server)):
            assert [lives(pid) for pid in pids] == [False] * 4
        found = dict(re.findall(r"^(\w+): (\[.*)", server.log, re.MULTILINE))
    right = str(["terminated", [True, -1, []], "42", 7])
    places = ("package", "hooks", "on_server_loaded", "process_request", "on_session_created", "notebook", "task",
              "on_session_destroyed", "on_server_unloaded")
    assert found == dict.fromkeys(places, right)

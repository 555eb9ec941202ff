"""hotshoe.client against real servers, hotshoe and `bokeh serve`: nothing is lost, nothing dies silently."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from bokeh.document import Document
from bokeh.events import ButtonClick
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from bokeh.util.token import generate_session_id
from tests.support import server_thread
from tests.support.differential.two_servers import APPS
from tests.support.running_server import Server
from tests.support.server_process import serve, start, wait_until_started
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import wait_until

from hotshoe.client import (
    ClientError,
    ClientTimeout,
    LostError,
    NoServerError,
    RefusedError,
    Session,
    pull_session,
    pull_session_async,
    push_session,
    push_session_async,
    show_session,
)

pytestmark = pytest.mark.real

WAIT_S = 60.0
PROGRAMS = ("hotshoe serve", "bokeh serve")
FOLLOWED = APPS / "followed.py"


@contextmanager
def running(program: str, *apps: Path, flags: tuple[str, ...] = ()) -> Iterator[Server]:
    """hotshoe on a thread of this process, or bokeh in a process of its own."""
    with ExitStack() as stack:
        server: Server
        if program == "hotshoe serve":
            server = stack.enter_context(server_thread.serve(*(apps or (FOLLOWED,)), flags=flags))
        else:
            server = stack.enter_context(serve(*(apps or (FOLLOWED,)), flags=flags, program=program))
        server.errors_expected = True
        yield server


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apps")
    (folder / "empty.py").write_text("from bokeh.io import curdoc\ncurdoc()\n")
    return folder


@pytest.fixture(scope="module", params=PROGRAMS)
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    with running(request.param, FOLLOWED, folder / "empty.py") as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return server.urls["followed"]


@pytest.fixture
def empty(server: Server) -> str:
    return server.urls["empty"]


def model(session: Any, name: str) -> Any:
    found = session.document.get_model_by_name(name)
    assert found is not None
    return found


def until(condition: Callable[..., object]) -> None:
    wait_until(condition, WAIT_S)


def pushed() -> Document:
    document = Document()
    document.title = "Pushed"
    document.add_root(Slider(name="pushed", start=0, end=10_000, value=3))
    return document


# -- both ways


def test_a_change_comes_back_as_what_the_callbacks_of_the_server_made_of_it(url: str) -> None:
    with pull_session(url=url) as session:
        assert session.document.title == "Followed"
        model(session, "value").value = 21
        session.force_roundtrip()
        assert model(session, "echo").text == "42"


def test_a_change_just_before_the_end_is_delivered(url: str) -> None:
    with pull_session(url=url) as session:
        model(session, "value").value = 77
    with pull_session(session.id, url) as again:
        assert model(again, "value").value == 77
        assert model(again, "echo").text == "154"


def test_so_is_a_large_one(url: str) -> None:
    large = np.arange(1_500_000, dtype=np.float64)
    with pull_session(url=url) as session:
        model(session, "source").data = {"x": large}
    with pull_session(session.id, url) as again:
        assert _is(again, large)


def test_so_is_one_before_an_exception(url: str) -> None:
    session = pull_session(url=url)

    def change_and_fail() -> None:
        with session:
            model(session, "value").value = 78
            raise KeyError

    with pytest.raises(KeyError):
        change_and_fail()
    with pull_session(session.id, url) as again:
        assert model(again, "value").value == 78


def test_thousands_of_quick_changes_arrive_in_order(url: str) -> None:
    count = 3000
    with pull_session(url=url) as session:
        for index in range(count):
            model(session, "source").stream({"x": [index], "y": [-index]})
    with pull_session(session.id, url) as again:
        data = model(again, "source").data
        assert list(data["x"]) == list(range(count))
        assert list(data["y"]) == [-index for index in range(count)]


def test_changes_of_several_threads_all_arrive(url: str) -> None:
    with pull_session(url=url) as session:
        def change(start: int) -> None:
            for index in range(start, start + 100):
                with session.locked():
                    model(session, "source").stream({"x": [index], "y": [0]})

        threads = [threading.Thread(target=change, args=(1000 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with pull_session(session.id, url) as again:
        found = list(model(again, "source").data["x"])
    assert sorted(found) == sorted(1000 * number + index for number in range(4) for index in range(100))
    assert [value for value in found if value < 1000] == list(range(100))


def test_two_clients_of_one_session_see_each_other(url: str) -> None:
    with pull_session(url=url) as one, pull_session(one.id, url) as two:
        model(one, "other").value = 33
        until(lambda: model(two, "other").value == 33)
        model(two, "value").value = 4
        until(lambda: model(one, "echo").text == "8" and model(two, "echo").text == "8")
        assert model(one, "value").value == 4


def test_nothing_is_echoed(url: str) -> None:
    heard: list[Any] = []
    with pull_session(url=url) as one, pull_session(one.id, url) as two:
        model(one, "other").on_change("value", lambda attr, old, new: heard.append((old, new)))
        model(two, "other").value = 5
        until(lambda: heard)
        model(two, "other").value = 6
        two.force_roundtrip()
        one.force_roundtrip()
    assert heard == [(1, 5), (5, 6)]


def test_callbacks_run_on_the_thread_of_the_session_with_the_document_locked(url: str) -> None:
    where: list[Any] = []
    with pull_session(url=url) as session:
        def note(attr: str, old: Any, new: Any) -> None:
            where.append((threading.current_thread().name, session.locked().held))
            model(session, "other").value = 99

        model(session, "echo").on_change("text", note)
        model(session, "value").value = 2
        session.force_roundtrip()
        session.force_roundtrip()
    assert len(where) == 1
    assert where[0][0].startswith("hotshoe-client-callbacks")
    assert where[0][1]
    with pull_session(session.id, url) as again:
        assert model(again, "other").value == 99


def test_waiting_in_a_callback_is_refused_rather_than_stuck(url: str) -> None:
    errors: list[Exception] = []
    with pull_session(url=url) as session:
        def wait(attr: str, old: Any, new: Any) -> None:
            try:
                session.force_roundtrip()
            except RuntimeError as error:
                errors.append(error)

        model(session, "echo").on_change("text", wait)
        model(session, "value").value = 2
        session.force_roundtrip()
        with session.locked(), pytest.raises(RuntimeError, match="locked"):
            session.pull()
    assert len(errors) == 1


ARRAYS = {
    "small": np.arange(10, dtype=np.float64),
    "several MB": np.random.default_rng(0).normal(size=700_000),
    "integers": np.arange(-5, 5, dtype=np.int32),
    "two dimensions": np.arange(12, dtype=np.float32).reshape(3, 4),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays_travel_both_ways(url: str, array: np.ndarray[Any, Any]) -> None:
    with pull_session(url=url) as one, pull_session(one.id, url) as two:
        model(one, "source").data = {"x": array, "y": array}
        one.force_roundtrip()
        until(lambda: _is(two, array))
        with pull_session(one.id, url) as three:
            assert _is(three, array)


def _is(session: Session, array: np.ndarray[Any, Any]) -> bool:
    found = model(session, "source").data["x"]
    if not isinstance(found, np.ndarray):
        return False
    return found.dtype == array.dtype and found.shape == array.shape and bool((found == array).all())


def test_new_models_travel_both_ways(url: str) -> None:
    with pull_session(url=url) as one, pull_session(one.id, url) as two:
        one.document.add_root(Div(name="new", text="a"))
        until(lambda: two.document.get_model_by_name("new") is not None)
        model(two, "new").tags = [ColumnDataSource(name="deep", data={"z": [1]})]
        until(lambda: one.document.get_model_by_name("deep") is not None)
        model(one, "deep").data = {"z": [1, 2]}
        until(lambda: len(model(two, "deep").data["z"]) == 2)
        one.document.remove_root(model(one, "new"))
        until(lambda: two.document.get_model_by_name("new") is None)
        one.document.title = "Another"
        until(lambda: two.document.title == "Another")


def test_models_made_here_are_not_taken_for_those_made_there(url: str) -> None:
    """Stock numbers both from p1001."""
    code = (
        "import sys; from hotshoe.client import pull_session; from bokeh.models import Div\n"
        "with pull_session('counted', sys.argv[1]) as session:\n"
        "    for number in range(100): session.document.add_root(Div(name=f'new{number}'))\n"
    )
    with pull_session("counted", url) as session:
        subprocess.run([sys.executable, "-W", "error", "-c", code, url], check=True)
        session.force_roundtrip()
        names = [root.name for root in session.document.roots]
    assert names[:3] == ["value", "other", "slow"]
    assert names[-100:] == [f"new{number}" for number in range(100)]


def test_an_event_reaches_the_server(url: str) -> None:
    with pull_session(url=url) as session:
        session.document.callbacks.send_event(ButtonClick(model(session, "button")))
        session.force_roundtrip()
        assert model(session, "echo").text == "clicked"


def test_push(empty: str) -> None:
    with push_session(pushed(), url=empty) as session, pull_session(session.id, empty) as other:
        assert other.document.title == "Pushed"
        model(session, "pushed").value = 7
        until(lambda: model(other, "pushed").value == 7)
        model(other, "pushed").value = 8
        until(lambda: model(session, "pushed").value == 8)


def test_pull_again_keeps_models_and_callbacks(url: str) -> None:
    with pull_session(url=url) as session:
        echo = model(session, "echo")
        model(session, "value").value = 5
        session.pull()
        assert model(session, "echo") is echo
        assert echo.text == "10"
        assert model(session, "value").value == 5


def test_arguments(url: str) -> None:
    with pull_session(url=url, arguments={"city": "Kraków", "n": "3"}) as session:
        assert model(session, "holder").text == "{'city': ['Kraków'], 'n': ['3']}"


def test_periodic_callbacks_of_the_client(url: str) -> None:
    with pull_session(url=url) as session:
        def tick() -> None:
            model(session, "value").value += 1

        callback = session.document.add_periodic_callback(tick, 20)
        session.document.add_next_tick_callback(lambda: setattr(model(session, "other"), "value", 50))
        until(lambda: int(model(session, "echo").text.replace("none", "0")) >= 10)
        session.document.remove_periodic_callback(callback)
        until(lambda: model(session, "other").value == 50)


def test_a_failing_callback_of_the_server_leaves_the_session_alive(url: str) -> None:
    with pull_session(url=url) as session:
        model(session, "failing").value = 3
        model(session, "value").value = 6
        session.force_roundtrip()
        assert model(session, "echo").text == "12"


def test_the_session_is_shown(url: str) -> None:
    class Browser:
        opened: list[Any] = []

        def open(self, address: str, new: int) -> None:
            self.opened.append((address, new))

    with pull_session("shown", url) as session:
        show_session(session=session, controller=Browser())
        show_session(url=url, new="window", controller=Browser())
    assert Browser.opened == [(f"{url}?bokeh-session-id=shown", 2), (url, 1)]


# -- waiting


def test_server_info_of_a_server_that_computes(url: str) -> None:
    with pull_session(url=url) as session:
        model(session, "slow").value = 2
        assert session.request_server_info()["version_info"]["bokeh"]
        assert model(session, "echo").text == "slept 2"


def test_an_answer_that_takes_too_long(url: str) -> None:
    session = pull_session(url=url, timeout=3)
    model(session, "slow").value = 8
    with pytest.raises(ClientTimeout, match="within 3 s"):
        session.force_roundtrip()
    with pytest.raises(ClientTimeout, match="1 change may not have arrived"):
        session.close()


def test_wait_until_closed(url: str) -> None:
    session = pull_session(url=url)
    with pytest.raises(ClientTimeout):
        session.wait_until_closed(timeout=0.05)
    waiting = threading.Thread(target=session.wait_until_closed)
    waiting.start()
    session.close()
    waiting.join(WAIT_S)
    assert not waiting.is_alive()
    with pytest.raises(ClientError, match="closed"):
        session.pull()


async def test_async(url: str, empty: str) -> None:
    async with await pull_session_async(url=url) as one, await pull_session_async(one.id, url) as two:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        model(two, "echo").on_change("text", lambda attr, old, new: heard.set_result(new))
        model(one, "value").value = 50
        assert await asyncio.wait_for(heard, WAIT_S) == "100"
    async with await pull_session_async(one.id, url) as again:
        assert model(again, "value").value == 50
        model(again, "value").value = 51
    async with await pull_session_async(one.id, url) as again, await push_session_async(pushed(), url=empty) as other:
        assert model(again, "value").value == 51
        assert (await other.request_server_info())["version_info"]["bokeh"]


# -- the network is cut


@pytest.fixture
def proxy(server: Server) -> Iterator[TcpProxy]:
    with TcpProxy(server.port) as proxy:
        yield proxy


def through(proxy: TcpProxy, url: str) -> str:
    return f"http://localhost:{proxy.port}/{url.rpartition('/')[2]}"


def test_a_cut_network_loses_nothing(url: str, proxy: TcpProxy) -> None:
    back = threading.Event()
    with pull_session(url=through(proxy, url), on_reconnect=back.set) as one, pull_session(one.id, url) as two:
        echo, heard = model(one, "echo"), []
        echo.on_change("text", lambda attr, old, new: heard.append(new))
        model(one, "source").stream({"x": [1], "y": [1]})
        one.force_roundtrip()
        proxy.cut()
        until(lambda: not one.connected)
        model(one, "other").value = 11
        model(one, "source").stream({"x": [2], "y": [2]})
        one.document.add_root(Div(name="added", text="x", tags=[ColumnDataSource(name="inner", data={"z": [1]})]))
        model(one, "inner").data = {"z": [1, 2]}
        model(two, "value").value = 5
        two.force_roundtrip()
        proxy.heal()
        assert back.wait(WAIT_S)
        one.force_roundtrip()
        assert model(one, "echo") is echo
        assert echo.text == "10"
        assert heard == ["10"]
        two.force_roundtrip()
        until(lambda: model(two, "other").value == 11)
        until(lambda: list(model(two, "source").data["x"]) == [1, 2])
        until(lambda: list(model(two, "inner").data["z"]) == [1, 2])
        assert model(one, "other").value == 11
        assert [root.name for root in one.document.roots] == [root.name for root in two.document.roots]
        model(two, "value").value = 6
        until(lambda: echo.text == "12")


def test_closing_while_the_network_is_cut_waits_for_it(url: str, proxy: TcpProxy) -> None:
    with pull_session(url=through(proxy, url)) as session:
        proxy.cut()
        until(lambda: not session.connected)
        model(session, "other").value = 12
        healer = threading.Timer(0.5, proxy.heal)
        healer.start()
    healer.join()
    with pull_session(session.id, url) as again:
        assert model(again, "other").value == 12


def test_many_cuts_in_the_middle_of_a_stream_of_changes(url: str, proxy: TcpProxy) -> None:
    count = 600
    with pull_session(url=through(proxy, url)) as session:
        for index in range(count):
            model(session, "source").stream({"x": [index], "y": [0]})
            if index % 150 == 100:
                session.force_roundtrip()  # else a server may apply what it has read after what comes later
                proxy.reset()
                until(lambda taken=index // 150 + 2: proxy.taken >= taken)
    assert proxy.taken >= 4
    with pull_session(session.id, url) as again:
        assert list(model(again, "source").data["x"]) == list(range(count))


def test_a_pushed_session_meets_itself_again(empty: str, proxy: TcpProxy) -> None:
    back = threading.Event()
    session = push_session(pushed(), url=through(proxy, empty), on_reconnect=back.set)
    with session, pull_session(session.id, empty) as other:
        proxy.cut()
        until(lambda: not session.connected)
        model(other, "pushed").value = 44
        other.force_roundtrip()
        slider = model(other, "pushed")
        proxy.heal()
        assert back.wait(WAIT_S)
        assert model(session, "pushed").value == 44
        assert model(other, "pushed") is slider


def test_a_network_that_stays_cut_ends_the_session_with_an_error(url: str, proxy: TcpProxy) -> None:
    lost: list[LostError] = []
    session = pull_session(url=through(proxy, url), reconnect=1.0, on_lost=lost.append)
    proxy.cut()
    with pytest.raises(LostError, match="no server answers"):
        session.wait_until_closed(WAIT_S)
    assert len(lost) == 1
    with pytest.raises(LostError):
        model(session, "value").value = 9
    with pytest.raises(LostError):
        session.pull()
    session.close()


def test_no_reconnect_when_none_is_wanted(url: str, proxy: TcpProxy) -> None:
    with pull_session(url=through(proxy, url), reconnect=0) as session:
        proxy.reset()
        with pytest.raises(LostError):
            session.wait_until_closed(WAIT_S)


# -- the server is started again


@contextmanager
def restartable(program: str, *apps: Path) -> Iterator[Callable[..., Server]]:
    """Starts the server, at one port each time; one that still runs is killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    stack: list[Any] = []

    def kill() -> None:
        if stack:
            stack[-1].process.kill()
            stack[-1].process.wait()

    def restart(*others: Path) -> Server:
        kill()
        log = apps[0].parent / f"log{len(stack)}"
        server = start([str(app) for app in others or apps], ("--port", str(port)), log, program)
        stack.append(server)
        wait_until_started(server, len(others or apps))
        return server

    try:
        yield restart
    finally:
        kill()


@pytest.fixture
def restart(program: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    (tmp_path / "followed.py").write_text(FOLLOWED.read_text())
    (tmp_path / "empty.py").write_text("from bokeh.io import curdoc\ncurdoc()\n")
    with restartable(program, tmp_path / "followed.py", tmp_path / "empty.py") as restart:
        yield restart


def test_a_server_that_is_started_again_is_followed_again(restart: Callable[..., Server]) -> None:
    url, back = restart().urls["followed"], threading.Event()
    with pull_session(url=url, on_reconnect=back.set) as session:
        model(session, "value").value = 4
        session.force_roundtrip()
        restart()
        assert back.wait(WAIT_S)
        model(session, "value").value = 30
        session.force_roundtrip()
        assert model(session, "echo").text == "60"


def test_a_pushed_document_is_pushed_again(restart: Callable[..., Server]) -> None:
    url, back = restart().urls["empty"], threading.Event()
    with push_session(pushed(), url=url, on_reconnect=back.set) as session:
        slider = model(session, "pushed")
        restart()
        assert back.wait(WAIT_S)
        slider.value = 9
        session.force_roundtrip()
        with pull_session(session.id, url) as other:
            assert model(other, "pushed").value == 9
            model(other, "pushed").value = 10
            until(lambda: slider.value == 10)


def test_an_app_that_is_gone_ends_the_session_with_an_error(restart: Callable[..., Server], tmp_path: Path) -> None:
    url, lost = restart().urls["followed"], threading.Event()
    with pull_session(url=url, on_lost=lambda error: lost.set()) as session:
        restart(tmp_path / "empty.py")
        assert lost.wait(WAIT_S)
        with pytest.raises(LostError, match="no app"):
            session.force_roundtrip()


# -- not let in


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoServerError, match="is it running"):
        pull_session(url=f"http://localhost:{port}/app")


def test_no_such_app(server: Server) -> None:
    with pytest.raises(RefusedError, match="no app at") as caught:
        pull_session(url=server.root + "nothing")
    assert caught.value.status == 404


def test_a_message_that_is_too_large_for_the_server(program: str) -> None:
    with running(program, flags=("--websocket-max-message-size", "100000")) as server:
        session = pull_session(url=server.urls["followed"])
        model(session, "source").data = {"x": np.zeros(100_000), "y": np.zeros(100_000)}
        with pytest.raises(LostError, match="--websocket-max-message-size"):
            session.wait_until_closed(WAIT_S)
        with pytest.raises(LostError, match="may not have arrived"):
            session.close()


def test_a_message_that_is_too_large_for_the_client(url: str) -> None:
    with pytest.raises(LostError, match="max_message_size="):
        pull_session(url=url, max_message_size=100)


def test_a_server_that_signs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "k" * 40
    monkeypatch.setenv("BOKEH_SECRET_KEY", key)
    monkeypatch.setenv("BOKEH_SIGN_SESSIONS", "yes")
    with running(program) as server:
        url = server.urls["followed"]
        signed = generate_session_id(secret_key=key.encode(), signed=True)
        with pull_session(signed, url) as session:
            assert session.id == signed
            model(session, "value").value = 3
        with pull_session(url=url) as session:
            model(session, "value").value = 4
        monkeypatch.delenv("BOKEH_SECRET_KEY")
        monkeypatch.delenv("BOKEH_SIGN_SESSIONS")
        with pytest.raises(RefusedError):
            pull_session("of-my-own", url)
        with TcpProxy(server.port) as proxy:  # without the key, the server is asked for a session
            back = threading.Event()
            with pull_session(url=through(proxy, url), on_reconnect=back.set) as session:
                model(session, "value").value = 5
                session.force_roundtrip()
                proxy.reset()
                assert back.wait(WAIT_S)
                assert model(session, "echo").text == "10"


def test_from_elsewhere_hotshoe_takes_only_what_it_has_signed() -> None:
    elsewhere = {"X-Forwarded-For": "203.0.113.5"}
    with running("hotshoe serve") as server:
        url = server.urls["followed"]
        with pytest.raises(RefusedError, match="BOKEH_SECRET_KEY"):
            pull_session("of-my-own", url, headers=elsewhere)
        with pull_session(url=url, headers=elsewhere, arguments={"city": "Oslo"}) as session:
            assert "." in session.id
            assert model(session, "holder").text == "{'city': ['Oslo']}"
            model(session, "value").value = 9
        with pull_session(session.id, url) as again:
            assert model(again, "value").value == 9


def test_tls_with_a_ca_of_ones_own(program: str, tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca"))
    flags = ("--ssl-certfile", str(tmp_path / "pem"))
    with _with_tls(program, flags, tmp_path) as url:
        with pytest.raises(ClientError, match="cafile="):
            pull_session(url=url)
        with pull_session(url=url, ssl=ssl.create_default_context(cafile=tmp_path / "ca")) as session:
            model(session, "value").value = 3
            session.force_roundtrip()
            assert model(session, "echo").text == "6"


@contextmanager
def _with_tls(program: str, flags: tuple[str, ...], folder: Path) -> Iterator[str]:
    server = start([str(FOLLOWED)], flags, folder / "log", program)
    try:
        until(lambda: "running at: http" in server.log)
        port = server.log.split("running at: http", 1)[1].split("localhost:", 1)[1].split("/", 1)[0]
        yield f"https://localhost:{port}/followed"
    finally:
        server.process.kill()
        server.process.wait()

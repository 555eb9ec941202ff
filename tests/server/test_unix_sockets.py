import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hotshoe.base.errors import BindError
from hotshoe.base.locks import locked
from hotshoe.server.listening import Listeners, listen_unix


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_it_has_its_mode_and_goes_with_its_server(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.sock"
    listeners = listen_unix(str(path), mode)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert connects(path)
        assert (listeners.port, listeners.are_local) == (0, True)
    finally:
        listeners.close()
    assert not path.exists()
    listeners.close()


def test_what_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()
    assert not connects(path)
    listeners = listen_unix(str(path), 0o600)
    assert connects(path)
    listeners.close()


def test_a_live_server_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    listeners = listen_unix(str(path), 0o600)
    try:
        with pytest.raises(BindError, match=r"a\.sock: another server listens on it$"):
            listen_unix(str(path), 0o600)
        assert connects(path)
    finally:
        listeners.close()


def test_one_whose_queue_is_full_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotshoe.server.listening._PROBE_TIMEOUT_S", 0.1)
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(BindError):
            listen_unix(str(path), 0o600)
        for client in waiting:
            client.close()
    assert path.exists()


def test_the_file_of_a_successor_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = listen_unix("a.sock", 0o600)
    Path("a.sock").unlink()
    new = listen_unix("a.sock", 0o600)
    monkeypatch.chdir("/")
    old.close()
    assert connects(tmp_path / "a.sock")
    new.close()
    assert not (tmp_path / "a.sock").exists()


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    other = tmp_path / "file"
    other.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(other)
    for path in (other, link, tmp_path):
        with pytest.raises(BindError, match="there is another file"):
            listen_unix(str(path), 0o600)
    assert other.read_text() == "precious"


@pytest.mark.parametrize(("name", "problem"), [
    ("no/such/folder", "its folder does not exist"), ("x" * 200, "too long"), ("a\0b", "null"),
])
def test_paths_that_can_not_be(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(BindError, match=problem) as caught:
        listen_unix(str(tmp_path / name), 0o600)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def at_once(*functions: Callable[[], object]) -> None:
    """Call the functions on threads, at the same moment."""
    ready = threading.Barrier(len(functions))

    def run(function: Callable[[], object]) -> None:
        ready.wait(60)
        function()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


class Start:
    """A server's start; ``listeners`` is what it got."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.listeners: Listeners | None = None

    def __call__(self) -> None:
        with suppress(BindError):
            self.listeners = listen_unix(str(self._path), 0o600)


def test_of_servers_that_start_at_once_one_gets_what_a_dead_one_left(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        starts = [Start(path) for _ in range(4)]
        at_once(*starts)
        [listeners] = [start.listeners for start in starts if start.listeners is not None]
        assert connects(path)
        listeners.close()
        assert list(tmp_path.iterdir()) == [], "no lock file stays"


def test_a_server_that_ends_leaves_the_socket_of_one_that_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    old = listen_unix(str(path), 0o600)
    for _ in range(20):
        start = Start(path)
        at_once(old.close, start)
        old = start.listeners or listen_unix(str(path), 0o600)
        assert connects(path)
    old.close()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.sock.lock").symlink_to(tmp_path / "made by the server")
    with pytest.raises(BindError):
        listen_unix(str(tmp_path / "a.sock"), 0o600)
    assert [file.name for file in tmp_path.iterdir()] == ["a.sock.lock"]


def test_a_lock_that_another_process_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.sock"
    monkeypatch.setattr("hotshoe.server.listening.locked", lambda path, **more: locked(path, patience_s=0.05, **more))
    with locked(Path(f"{path}.lock")), pytest.raises(BindError, match=r"another process has locked .*a\.sock\.lock$"):
        listen_unix(str(path), 0o600)

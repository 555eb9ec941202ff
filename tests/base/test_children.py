"""Children of a program that has run a server, and of one whose server still runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from hotshoe.base import children

FORK = """
import os, sys
from hotshoe.base import children

class Owner:
    def after_fork(self):
        children.end_with_server()

owner = Owner()
children.register(owner)
if sys.argv[1] == "ended":
    children.unregister(owner)
if os.fork():
    os._exit(0)
print(sys.stdin.readline(), end="", flush=True)
"""
POOL = """
import multiprocessing, subprocess, sys, time
from hotshoe.base.ending_children import end_descendants

if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True).start()
    end_descendants(frozenset(), grace_s=0.02)
    print(subprocess.run([sys.executable, "-c", "import time; time.sleep(0.2)"]).returncode)
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of the end of its parent")
@pytest.mark.parametrize(("server", "answer"), [("runs", ""), ("ended", "lives\n")])
def test_a_child_ends_with_the_program_only_while_a_server_runs(server: str, answer: str) -> None:
    with started(FORK, server) as program:
        assert program.stdin is not None
        assert program.wait(20) == 0
        assert program.communicate("lives\n", timeout=20)[0] == answer


@needs_fork
def test_a_program_goes_on_after_its_server_and_starts_children() -> None:
    with started(POOL) as program:
        assert program.communicate(timeout=20)[0] == "0\n"


@needs_fork
def test_without_a_server_a_fork_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_owners", type(children._owners)())
    monkeypatch.setattr(children, "_lifeline", None)
    children._before_fork()
    assert children._fork.mask is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_child_finds_connections_that_no_object_has_yet() -> None:
    with (socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other,
          socket.create_connection(listener.getsockname()) as client):
        accepted = listener.accept()[0].detach()
        try:
            found = children.sockets_like([listener])
            assert set(found) == {listener.fileno(), accepted}
            assert not {other.fileno(), client.fileno()}.intersection(found)
        finally:
            os.close(accepted)
    assert children.sockets_like([listener]) == []

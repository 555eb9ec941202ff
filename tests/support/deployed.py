"""What `hotshoe deploy` generates, as it is, run by the programs that it is for."""

from __future__ import annotations

import os
import shlex
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from tests.support import proxy_programs
from tests.support.ports import free_port
from tests.support.proxy_programs import apache_file, check_command, nginx_file

from hotshoe.cli import deploy

BIN = Path(sys.executable).parent
HOTSHOE = str(BIN / "hotshoe")
KEY = "a-key-of-the-tests-that-all-processes-share-0123"
_START_S = 60
_STOP_S = 15


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key in one file, and a context that trusts it and nothing else."""

    file: Path
    trusting: ssl.SSLContext


def generate(target: str, folder: Path, *words: str) -> Mapping[str, str]:
    """The files that the command line writes, by name."""
    before = set(folder.iterdir()) if folder.exists() else set()
    assert deploy.run([target, *words, "--output", str(folder)], {}) == 0
    return {path.name: path.read_text() for path in sorted(set(folder.iterdir()) - before)}


def serve_lines(text: str) -> list[str]:
    """The commands that stand in a generated file's comments."""
    return [line[4:] for line in text.splitlines() if line.startswith("#   ") and " serve " in line]


def wrapped(text: str) -> tuple[str, str]:
    """The Python and the command for gunicorn that stand in a generated file's comments."""
    lines = [line[4:] for line in text.splitlines() if line.startswith("#   ")]
    first = lines.index("import hotshoe")
    return "".join(f"{line}\n" for line in lines[first:first + 3]), lines[first + 3]


# -- proxies

_MODULES = ("mpm_event", "unixd", "authz_core", "alias", "mime", "headers", "rewrite", "proxy", "proxy_http",
            "proxy_wstunnel", "proxy_balancer", "slotmem_shm", "lbmethod_bybusyness", "proxy_hcheck", "ssl",
            "socache_shmcb", "http2", "filter", "deflate")


def main_file(target: str, file: Path) -> Path:
    """The configuration that a program is started with: it includes the generated file, or is that itself."""
    match target:
        case "nginx":
            return nginx_file(file.parent, f"include /etc/nginx/mime.types;\n  include {file};")
        case "apache":
            user = "User www-data\nGroup www-data\n" if os.getuid() == 0 else ""
            return apache_file(file.parent, _MODULES, f"{user}Include {file}")
    return file


def checked(target: str, file: Path) -> list[str]:
    """The command with which the program itself checks the generated file."""
    return check_command(target, main_file(target, file))


@contextmanager
def running(target: str, file: Path, port: int) -> Iterator[None]:
    """The program with the generated file as it is, until the end."""
    with proxy_programs.running(target, main_file(target, file), [port]):
        yield



# -- what is behind them

@dataclass
class Process:
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop:\n{self.log.read_text(errors='replace')}") from None


@contextmanager
def processes(commands: Sequence[str | list[str]], folder: Path, ready: Callable[[int], bool],
              **variables: str) -> Iterator[list[Process]]:
    """The commands, run in the folder by a shell's rules, until each is ready."""
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "BOKEH_SECRET_KEY": KEY, **variables}
    with ExitStack() as stack:
        started = []
        for number, command in enumerate(commands):
            log = folder / f"log-{number}-{time.monotonic_ns()}"
            words = shlex.split(command) if isinstance(command, str) else command
            with log.open("wb") as output:
                process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                           env=environ, cwd=folder)
            started.append(Process(process, log))
            stack.callback(started[-1].stop)
        deadline = time.monotonic() + _START_S
        for number, each in enumerate(started):
            while not ready(number):
                said = each.log.read_text(errors="replace")
                assert each.process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.1)
        yield started


def listens(port: int) -> bool:
    """Whether something answers http at the port, and does not say that it starts."""
    try:
        urllib.request.urlopen(f"http://localhost:{port}/_hotshoe/health", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code != 503
    except OSError:
        return False
    return True


# -- asking

class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message,
                         newurl: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(url: str, context: ssl.SSLContext | None = None, method: str = "GET", timeout_s: float = 60,
        **headers: str) -> Answer:
    """The answer, whatever its status, read to its end; redirects are not followed."""
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        answer = opener.open(urllib.request.Request(url, method=method, headers=named), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return Answer(answer.status, answer.headers, answer.read())


def ports(number: int) -> list[int]:
    """Free ports, all different."""
    return [free_port() for _ in range(number)]

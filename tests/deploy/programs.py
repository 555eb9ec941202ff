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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from tests.browser.proxy import free_port, wait_for_port
from tests.needs import need_program

from hotshoe.cli import deploy

BIN = Path(sys.executable).parent
HOTSHOE = str(BIN / "hotshoe")
KEY = "a-key-of-the-tests-that-all-processes-share-0123"
_START_S = 60
_STOP_S = 15

_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
  access_log {folder}/access;
  include /etc/nginx/mime.types;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  include {file};
}}
"""
_MODULES = ("mpm_event", "unixd", "authz_core", "alias", "mime", "headers", "rewrite", "proxy", "proxy_http",
            "proxy_wstunnel", "proxy_balancer", "slotmem_shm", "lbmethod_bybusyness", "proxy_hcheck", "ssl",
            "socache_shmcb", "http2", "filter", "deflate")
_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
{modules}
TypesConfig /etc/mime.types
{user}
Include {file}
"""


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

def checked(target: str, file: Path, folder: Path) -> list[str]:
    """The command with which the program itself checks the file."""
    match target:
        case "nginx":
            return [need_program("nginx"), "-t", "-p", str(folder), "-e", "stderr", "-c", str(_nginx(file, folder))]
        case "apache":
            return [need_program("apache2", "httpd"), "-t", "-f", str(_apache(file, folder))]
        case "caddy":
            return [need_program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(file)]
        case "haproxy":
            return [need_program("haproxy"), "-c", "-f", str(file)]
    raise AssertionError(target)


def _started(target: str, file: Path, folder: Path) -> list[str]:
    match target:
        case "nginx":
            return [need_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(_nginx(file, folder))]
        case "apache":
            return [need_program("apache2", "httpd"), "-DFOREGROUND", "-f", str(_apache(file, folder))]
        case "caddy":
            return [need_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
        case "haproxy":
            return [need_program("haproxy"), "-db", "-f", str(file)]
    raise AssertionError(target)


def _nginx(file: Path, folder: Path) -> Path:
    main = folder / "nginx-main"
    main.write_text(_NGINX.format(folder=folder, file=file))
    return main


def _apache(file: Path, folder: Path) -> Path:
    main = folder / "apache-main"
    where = Path("/usr/lib/apache2/modules")
    # What is not there is built in.
    modules = "\n".join(f"LoadModule {name}_module {where}/mod_{name}.so" for name in _MODULES
                        if (where / f"mod_{name}.so").exists())
    user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    main.write_text(_APACHE.format(folder=folder, modules=modules, user=user, file=file))
    return main


def environment(folder: Path) -> dict[str, str]:
    """Caddy keeps files at home, and takes orders at a port that another one may have."""
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
            "CADDY_ADMIN": f"unix/{folder}/admin"}


@contextmanager
def running(target: str, file: Path, port: int) -> Iterator[None]:
    """The program with the generated file as it is, until the end."""
    folder = file.parent
    folder.chmod(0o755)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(_started(target, file, folder), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, env=environment(folder), cwd=folder, start_new_session=True)
    try:
        try:
            wait_for_port(port)
            yield
        except BaseException:
            sys.stderr.write((folder / "output").read_text(errors="replace"))
            raise
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):  # Apache waits for whoever is connected, and so do its children
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + _START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether something answers http at the port."""
    try:
        urllib.request.urlopen(f"http://localhost:{port}/_hotshoe/page.js", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
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


def ask(url: str, context: ssl.SSLContext | None = None, method: str = "GET", **headers: str) -> Answer:
    """The answer, whatever its status, read to its end; redirects are not followed."""
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        answer = opener.open(urllib.request.Request(url, method=method, headers=named), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return Answer(answer.status, answer.headers, answer.read())


def ports(number: int) -> list[int]:
    """Free ports, all different."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return sorted(found)

"""nginx, Apache, Caddy and HAProxy as programs: how they check a configuration, and how one of them runs with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.needs import need_program
from tests.support.ports import is_open
from tests.support.waiting import wait_until

_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  {http}
}}
"""
_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/errors
{modules}
TypesConfig /etc/mime.types
{text}
"""
_APACHE_MODULES = Path("/usr/lib/apache2/modules")


def nginx_file(folder: Path, http: str) -> Path:
    """A configuration of nginx that keeps all its files in the folder, with this in its ``http`` block."""
    return _written(folder / "nginx-main", _NGINX.format(folder=folder, http=http))


def apache_file(folder: Path, modules: Iterable[str], text: str) -> Path:
    """A configuration of Apache that keeps all its files in the folder; modules that have no file are built in."""
    files = {name: _APACHE_MODULES / f"mod_{name}.so" for name in modules}
    lines = "\n".join(f"LoadModule {name}_module {file}" for name, file in files.items() if file.exists())
    return _written(folder / "apache-main", _APACHE.format(folder=folder, modules=lines, text=text))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def check_command(program: str, file: Path) -> list[str]:
    """The command with which the program itself checks a configuration."""
    match program:
        case "nginx":
            return [need_program("nginx"), "-t", "-p", str(file.parent), "-e", "stderr", "-c", str(file)]
        case "apache":
            return [need_program("apache2", "httpd"), "-t", "-f", str(file)]
        case "caddy":
            return [need_program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(file)]
        case "haproxy":
            return [need_program("haproxy"), "-c", "-f", str(file)]
    raise AssertionError(program)


def run_command(program: str, file: Path) -> list[str]:
    """The command that runs the program with a configuration, until it is ended."""
    match program:
        case "nginx":
            return [need_program("nginx"), "-p", str(file.parent), "-e", "stderr", "-c", str(file)]
        case "apache":
            return [need_program("apache2", "httpd"), "-DFOREGROUND", "-f", str(file)]
        case "caddy":
            return [need_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
        case "haproxy":
            return [need_program("haproxy"), "-db", "-f", str(file)]
    raise AssertionError(program)


def environment(folder: Path) -> dict[str, str]:
    """Caddy keeps files at home, and takes orders at a port that another one may have."""
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
            "CADDY_ADMIN": f"unix/{folder}/admin"}


@contextmanager
def running(program: str, file: Path, ports: Iterable[int]) -> Iterator[None]:
    """The program with this configuration, from when it listens at all the ports until the end of the block."""
    folder = file.parent
    folder.chmod(0o755)  # Apache's workers are another user
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(run_command(program, file), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=environment(folder), cwd=folder, start_new_session=True)
    try:
        for port in ports:
            _wait_until_open(process, port)
        yield
    except BaseException:
        sys.stderr.write(log.read_text(errors="replace"))
        raise
    finally:
        _end(process)


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    wait_until(lambda: process.poll() is not None or is_open(port))
    assert process.poll() is None, f"it ended with {process.returncode}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with suppress(ProcessLookupError):  # Apache waits for all that are connected, and so do its children
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

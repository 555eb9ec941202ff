"""nginx before a server, below a path that it cuts off."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.needs import need_program

_CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  server {{
    listen 127.0.0.1:{port}{tls};
    location = /favicon.ico {{ return 204; }}
    location /own/ {{ alias {folder}/own/; types {{ text/html html; }} }}
    location {path}/ {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header {host_header} $http_host;
      {says}
    }}
  }}
}}
"""


@contextmanager
def nginx(upstream: str, path: str, *, host_header: str = "Host", says: str = "", certificate: Path | None = None,
          pages: Mapping[str, Callable[[str], str]] | None = None) -> Iterator[str]:
    """nginx in front of ``upstream``, an address with a slash at its end; yields the address of ``path`` in it.

    ``host_header`` is where it puts the host that the browser asked for. ``says`` is more of its configuration. With a
    certificate, and its key in the same file, it is reached by https. ``pages`` are pages of its own, by their names
    below ``/own/``, made of its address.
    """
    program = need_program("nginx")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        tls = "" if certificate is None else f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
        text = _CONFIG.format(folder=folder, port=port, path=path, upstream=upstream, host_header=host_header, tls=tls,
                              says=says)
        config.write_text(text)
        process = subprocess.Popen([program, "-p", folder, "-c", str(config), "-e", f"{folder}/errors"])
        try:
            wait_for_port(port)
            address = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}/"
            for name, make in (pages or {}).items():
                (Path(folder) / "own").mkdir(exist_ok=True)
                (Path(folder) / "own" / name).write_text(make(address), encoding="utf-8")
            yield address
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Wait until something listens on it."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx did not start"
            time.sleep(0.05)
        else:
            return

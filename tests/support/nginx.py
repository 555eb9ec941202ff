"""nginx before a server, below a path that it cuts off."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.proxy_programs import nginx_file, running

_SERVER = """server {{
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
"""


@contextmanager
def nginx(upstream: str, path: str, *, host_header: str = "Host", says: str = "", certificate: Path | None = None,
          pages: Mapping[str, Callable[[str], str]] | None = None) -> Iterator[str]:
    """nginx in front of ``upstream``, an address with a slash at its end; yields the address of ``path`` in it.

    ``host_header`` is where it puts the host that the browser asked for. ``says`` is more of its configuration. With a
    certificate, and its key in the same file, it is reached by https. ``pages`` are pages of its own, by their names
    below ``/own/``, made of its address.
    """
    port = free_port()
    tls = "" if certificate is None else f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}/"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "own").mkdir()
        for page, make in (pages or {}).items():
            (folder / "own" / page).write_text(make(address), encoding="utf-8")
        file = nginx_file(folder, _SERVER.format(folder=folder, port=port, path=path, upstream=upstream,
                                                 host_header=host_header, tls=tls, says=says))
        with running("nginx", file, [port]):
            yield address

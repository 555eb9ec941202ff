"""A site of somebody else: pages as texts, on a port of its own, with what headers they need."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Site:
    """Its pages may be set at any time, by path."""

    origin: str
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def put(self, body: str, path: str = "/page", *, head: str = "", style: str = "") -> str:
        """Make a page; its address."""
        self.pages[path] = (f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>A site</title>"
                            f"<link rel='icon' href='data:,'>{head}<style>{style}</style></head>"
                            f"<body>{body}</body></html>")
        return self.origin + path


@contextmanager
def site(*, host: str = "127.0.0.1", certificate: Path | None = None,
         headers: Mapping[str, str] | None = None) -> Iterator[Site]:
    """A site that lives as long as the block; with a certificate (and its key in one file) by https."""
    served = Site("", headers=dict(headers or {}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = served.pages.get(self.path.partition("?")[0])
            self.send_response(404 if page is None else 200)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **served.headers}.items():
                self.send_header(name, value)
            body = (page or "").encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.origin = f"{'http' if certificate is None else 'https'}://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The options of an examination, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .products import Product

MAX_BODY = 2_000_000
"""Bytes of a page, or of ``autoload.js``."""
MAX_HEAD = 300_000
"""Bytes of headers."""
MAX_REDIRECTS = 10
MAX_RESOURCES = 24
MAX_EMBEDS = 4
"""Embedded apps of one page."""
MAX_MESSAGES = 64_000_000
"""Bytes received through one websocket."""
OTHER_SOCKETS = 4
"""How many more websockets are opened for one page, to reach other backends."""
SIZES = (4_000, 7_500, 15_000)
"""Bytes of one header: some proxies refuse the first, nearly all accept the second, few accept the third."""
GUESSED = "127.0.0.1:5006"
"""The server's address in lines for configurations, unless ``--upstream`` gives it."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The options of the command line."""

    timeout_s: float = 10.0
    """For each response."""
    page_s: float = 15.0
    """For a page or ``autoload.js``, if longer than ``timeout_s``: hotshoe waits 10 s before it says "starting"."""
    start_s: float = 60.0
    """How long to wait for an app that is starting, if longer than ``timeout_s``."""
    idle_s: float = 0.0
    """How long to watch an idle websocket; 0: not at all."""
    headers: tuple[tuple[str, str], ...] = ()
    """More request headers, sent to the host of the given address only."""
    cookies: str = ""
    """A ``Cookie`` header, sent to that host only."""
    cafile: Path | None = None
    """Certificates to trust besides those of the system."""
    insecure: bool = False
    """Whether a certificate that fails verification is only a note."""
    http_port: int | None = None
    """The port where plain http should redirect to https; ``None``: 80 if https is at 443."""
    embedded_from: str = ""
    """The origin of a page that will embed the app."""
    proxy: Product | None = None
    """The proxy to print lines for; ``None``: those that are recognised."""
    upstream: str = GUESSED
    """The server's address as the proxy reaches it; used in lines only."""

    @property
    def page_timeout_s(self) -> float:
        """For a response that may take as long as an app takes to start."""
        return max(self.timeout_s, self.page_s)

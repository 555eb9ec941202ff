"""What an examination may do, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .kinds import Kind

MAX_BODY = 2_000_000
"""Bytes of a page, or of ``autoload.js``."""
MAX_HEAD = 300_000
"""Bytes of headers."""
MAX_REDIRECTS = 10
MAX_RESOURCES = 24
MAX_EMBEDS = 4
"""Apps of one page."""
MAX_MESSAGES = 64_000_000
"""Bytes of a websocket."""
OTHER_SOCKETS = 4
"""More sockets of one page, to meet other backends."""
SIZES = (4_000, 7_500, 15_000)
"""Bytes of one header: what some proxies refuse, nearly all take, and few take."""
GUESSED = "127.0.0.1:5006"
"""Where the server is said to be in lines, for want of better knowledge."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    timeout_s: float = 10.0
    """For each answer."""
    page_s: float = 15.0
    """For a page, or the script that embeds an app, if that is more: after 10 s hotshoe says that the app starts."""
    start_s: float = 60.0
    """How long such an app is waited for; ``timeout_s``, if that is more."""
    idle_s: float = 0.0
    """How long an idle websocket is watched; 0: not at all."""
    headers: tuple[tuple[str, str], ...] = ()
    """More request headers, for the host that was given and for no other."""
    cookies: str = ""
    """A ``Cookie`` header for that host."""
    cafile: Path | None = None
    """An authority that is trusted beside those of the system."""
    insecure: bool = False
    """Whether a certificate that can't be verified is no problem."""
    http_port: int | None = None
    """Where plain http is expected to redirect to https; ``None``: at 80 if https is at 443."""
    embedded_from: str = ""
    """The origin of a page that will embed the app."""
    proxy: Kind | None = None
    """Whose lines are printed; ``None``: of those that are recognised."""
    upstream: str = GUESSED
    """Where the proxy reaches the server; only for the lines."""

    @property
    def patience_s(self) -> float:
        """For an answer that may take as long as an app takes to start."""
        return max(self.timeout_s, self.page_s)

"""The observations of probes: frozen data, without sockets or judgements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .markup import NOTHING, Markup, PageToken, read_markup
from .urls import Url


class Trouble(Enum):
    """Why there is no response, in words for a report."""

    NAME = "the name has no address"
    REFUSED = "the connection is refused"
    UNREACHABLE = "the address can't be reached"
    UNANSWERED = "the connection times out"
    TIMEOUT = "the response times out"
    RESET = "the connection is closed without a response"
    TLS = "the TLS handshake fails"
    MALFORMED = "the response is not HTTP"
    TOO_LARGE = "the headers of the response are too large"


@dataclass(frozen=True, slots=True)
class Exchange:
    """An HTTP request and the response, as far as it was read. Without a response there is a ``trouble``."""

    address: Url
    status: int = 0
    """0: there is no response."""
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    elapsed_s: float = 0.0
    """From the request to the end of what was read."""
    starting_s: float = 0.0
    """How long hotshoe said that the app was starting; 0: never."""
    is_cut: bool = False
    """Whether the connection broke before the end of the body."""
    trouble: Trouble | None = None
    """Why there is no response."""
    detail: str = ""
    """The error behind the trouble."""

    @property
    def outcome(self) -> str:
        """Status and reason, or why there is no response."""
        return f"{self.status} {self.reason}" if self.trouble is None else self.trouble.value

    def header(self, name: str) -> str:
        """The first header of this name, or an empty string."""
        return next(self.all(name), "")

    def all(self, name: str) -> Iterator[str]:
        """All headers of this name."""
        wanted = name.lower()
        return (value for key, value in self.headers if key.lower() == wanted)

    @property
    def media_type(self) -> str:
        """``Content-Type`` without parameters, in lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def is_redirect(self) -> bool:
        """Whether the browser follows it to another address."""
        return self.status in (301, 302, 303, 307, 308) and bool(self.header("location"))


class Fault(Enum):
    """A fault of a certificate."""

    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    SELF_SIGNED = "self-signed"
    OWN_ROOT = "unknown-root"
    WRONG_NAME = "wrong-name"
    INCOMPLETE = "incomplete-chain"
    UNKNOWN = "unknown-authority"
    OTHER = "not-verified"


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """A TLS handshake."""

    address: Url
    version: str = ""
    names: tuple[str, ...] = ()
    """The names in the certificate (SAN)."""
    issuer: str = ""
    expires_at_s: float | None = None
    fault: Fault | None = None
    detail: str = ""
    """OpenSSL's words for the fault."""
    failure: Exchange | None = None
    """Why the handshake failed even without verification."""
    speaks_http: bool = False
    """Whether the port speaks plain http."""


@dataclass(frozen=True, slots=True)
class PageVisit:
    """A page that was requested, with all redirects that were followed."""

    exchanges: tuple[Exchange, ...]
    markup: Markup = NOTHING
    """Of the last response."""
    loops: bool = False
    """Whether there were too many redirects."""
    stray: str = ""
    """A redirect's target that browsers do not follow."""

    @property
    def last(self) -> Exchange:
        """The last exchange, after all redirects."""
        return self.exchanges[-1]

    @property
    def token(self) -> PageToken | None:
        return next(iter(self.markup.tokens), None)


@dataclass(frozen=True, slots=True)
class Resource:
    """A script or style sheet of the page; only its first bytes were read."""

    kind: str
    """``script`` or ``style``."""
    exchange: Exchange
    is_own: bool
    """Whether it is on the page's own host."""
    works_at: str = ""
    """Another address where it was found."""


@dataclass(frozen=True, slots=True)
class SocketClose:
    """How a websocket was closed."""

    code: int | None
    """``None``: without a close frame; 1005: by a close frame without a code."""
    reason: str = ""
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Talk:
    """A websocket: its handshake, and the messages after it."""

    exchange: Exchange
    """The handshake."""
    is_websocket: bool = False
    """Whether the response is a valid 101."""
    subprotocol: str = ""
    """The one in the response."""
    acknowledged: bool = False
    """Whether ``ACK`` came."""
    was_held: bool = False
    """Whether ``ACK`` came only after we had sent a message."""
    pulled: bool = False
    """Whether a document came."""
    title: str | None = None
    pull_s: float = 0.0
    """How long the document took."""
    close: SocketClose | None = None
    error: str = ""
    """The text of an ``ERROR`` message."""
    pings_s: tuple[float, ...] = ()
    """When the server pinged, in seconds after the handshake."""
    watched_s: float = 0.0
    """How long we watched it without sending anything."""
    refusal: str = ""
    """The reason from hotshoe's ``_hotshoe/refusal``."""


@dataclass(frozen=True, slots=True)
class Mount:
    """An app in one page, with all observations of it."""

    app: Url
    page: Url
    """The page that shows it: its own, or one that embeds it."""
    visit: PageVisit | None = None
    """Of its own page; ``None`` if another page embeds it."""
    second_token: PageToken | None = None
    """The token of the page when it is requested a second time."""
    resources: tuple[Resource, ...] = ()
    autoload: Exchange | None = None
    """The request of the page for ``autoload.js``."""
    preflight: Exchange | None = None
    """The request that asks first, from a page of another origin."""
    sizes: tuple[tuple[int, Exchange], ...] = ()
    """Bytes of one header, and the exchange; the first one is without that header (0)."""
    talk: Talk | None = None
    others: tuple[Talk, ...] = ()
    """More websockets of the same page, opened after the first had set the document's title to ``mark``."""
    mark: str = ""
    token: PageToken | None = None
    """The token of the first websocket."""

    @property
    def is_embedded(self) -> bool:
        """Whether another page shows it."""
        return self.visit is None

    @property
    def origin(self) -> str:
        """The origin of the page, if it is not the app's; else an empty string."""
        return "" if self.page.origin == self.app.origin else self.page.origin

    @property
    def markup(self) -> Markup:
        """The markup of its own page; for an embedded app that of its ``autoload.js``."""
        if self.visit is not None:
            return self.visit.markup
        return NOTHING if self.autoload is None else read_markup(self.autoload.text)


@dataclass(frozen=True, slots=True)
class Examination:
    """All observations."""

    asked: Url
    now_s: float
    """Unix time of this machine."""
    addresses: tuple[str, ...] = ()
    """Of the host's name."""
    connection: Exchange | None = None
    """Why no connection could be made."""
    tls: TlsHandshake | None = None
    plain_http: Exchange | None = None
    """The response to plain http, if the page is https."""
    entry: PageVisit | None = None
    """The visit to the given address."""
    app_page: PageVisit | None = None
    """The page of the app: the given address, or the first app of its index."""
    mounts: tuple[Mount, ...] = ()
    choices: tuple[str, ...] = ()
    """The apps of an index."""
    wrong_prefix: Url | None = None
    """Where an app was found, although the redirect led elsewhere."""
    replies: tuple[Exchange, ...] = ()
    """All responses of the hosts that serve pages and apps."""

    @property
    def page(self) -> Exchange | None:
        """The last exchange at the given address."""
        return None if self.entry is None else self.entry.last

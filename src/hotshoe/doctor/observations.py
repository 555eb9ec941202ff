"""What probes saw: plain frozen data, without sockets or opinions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .addresses import Address
from .markup import NOTHING, Markup, read_markup
from .tokens import Ticket


class Trouble(Enum):
    """Why there is no answer."""

    NAME = "the name is not known"
    REFUSED = "the connection is refused"
    UNREACHABLE = "there is no way to it"
    UNANSWERED = "the connection is not accepted in time"
    TIMEOUT = "there is no answer in time"
    RESET = "the connection is closed without an answer"
    TLS = "TLS can't be spoken"
    MALFORMED = "the answer is not HTTP"
    TOO_LARGE = "the answer's headers are too large"


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer."""

    address: Address
    trouble: Trouble
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, as far as it was read."""

    address: Address
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    elapsed_s: float = 0.0
    """From the request to the end of what was read."""
    starting_s: float = 0.0
    """For how long it was said before that the app is starting; 0: it was not."""
    is_cut: bool = False
    """Whether the body ended before it was whole: the connection broke."""

    def header(self, name: str) -> str:
        """The first header of this name; empty if there is none."""
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
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the browser elsewhere."""
        return self.status in (301, 302, 303, 307, 308) and bool(self.header("location"))


Exchange = Reply | Failure


@dataclass(frozen=True, slots=True)
class Name:
    """A host name looked up."""

    host: str
    addresses: tuple[str, ...] = ()
    error: str = ""


class Fault(Enum):
    """What is wrong with a certificate."""

    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    SELF_SIGNED = "self-signed"
    OWN_ROOT = "unknown-root"
    WRONG_NAME = "wrong-name"
    INCOMPLETE = "incomplete-chain"
    UNKNOWN = "unknown-authority"
    OTHER = "not-verified"


@dataclass(frozen=True, slots=True)
class Tls:
    """A TLS handshake."""

    address: Address
    version: str = ""
    names: tuple[str, ...] = ()
    """The names in the certificate (SAN)."""
    subject: str = ""
    issuer: str = ""
    expires_at_s: float | None = None
    begins_at_s: float | None = None
    fault: Fault | None = None
    detail: str = ""
    """What OpenSSL says of the fault."""
    failure: Failure | None = None
    """Why there was no handshake at all, not even without verification."""
    speaks_http: bool = False
    """Whether the port speaks plain http."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page asked for, with all redirects that were followed."""

    asked: Address
    exchanges: tuple[Exchange, ...]
    markup: Markup = NOTHING
    """Of the last answer."""
    loops: bool = False
    """Whether it was given up: too many redirects."""
    stray: str = ""
    """A redirect's target that no browser follows."""

    @property
    def last(self) -> Exchange:
        """What came in the end."""
        return self.exchanges[-1]

    @property
    def ticket(self) -> Ticket | None:
        """The first token of the page."""
        return next(iter(self.markup.tickets), None)


@dataclass(frozen=True, slots=True)
class Resource:
    """A script or style sheet of the page, its first bytes asked for."""

    kind: str
    """``script`` or ``style``."""
    exchange: Exchange
    is_own: bool
    """Whether it is of the page's own host."""
    works_at: str = ""
    """Where it is found instead."""


@dataclass(frozen=True, slots=True)
class Close:
    """How a websocket ended."""

    code: int | None
    """``None``: without a close frame; 1005: one without a code."""
    reason: str = ""
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Talk:
    """A websocket's handshake and what was said after it."""

    address: Address
    origin: str
    exchange: Exchange
    """The answer to the handshake."""
    is_websocket: bool = False
    """Whether that is a right 101."""
    subprotocol: str = ""
    """The one that was echoed."""
    acknowledged: bool = False
    """Whether ``ACK`` came."""
    was_held: bool = False
    """Whether it came only after we had sent something."""
    pulled: bool = False
    """Whether a document came."""
    title: str | None = None
    pull_s: float = 0.0
    """How long the document took."""
    close: Close | None = None
    error: str = ""
    """What an ``ERROR`` message said."""
    pings_s: tuple[float, ...] = ()
    """When the server pinged, since the handshake."""
    watched_s: float = 0.0
    """How long nothing was sent to it on purpose."""
    refusal: str = ""
    """The reason as ``_hotshoe/refusal`` gives it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests with large headers."""

    plain: Exchange
    """The same request without."""
    padded: tuple[tuple[int, Exchange], ...] = ()
    """The size of one header, and what came."""


@dataclass(frozen=True, slots=True)
class Autoload:
    """``autoload.js``, as the page of ``origin`` asks for it."""

    origin: str
    """Empty: a page of the app's own origin."""
    answer: Exchange
    preflight: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """An app in the walk, and all that was seen of it."""

    app: Address
    page: Address
    """The page that shows it: itself, or one that embeds it."""
    visit: Visit | None = None
    again: Exchange | None = None
    """The page asked for a second time."""
    second: Ticket | None = None
    """The token that this brought."""
    resources: tuple[Resource, ...] = ()
    autoload: Autoload | None = None
    sizes: Sizes | None = None
    talk: Talk | None = None
    others: tuple[Talk, ...] = ()
    """More sockets of the same page, after the first gave the document ``mark`` as its title."""
    mark: str = ""
    ticket: Ticket | None = None
    """The token of the first socket."""

    @property
    def is_embedded(self) -> bool:
        """Whether another page shows it."""
        return self.visit is None

    @property
    def markup(self) -> Markup:
        """What stands on its page, or in its ``autoload.js`` where another page shows it."""
        if self.visit is not None:
            return self.visit.markup
        answer = None if self.autoload is None else self.autoload.answer
        return read_markup(answer.text) if isinstance(answer, Reply) else NOTHING

    def exchanges(self) -> Iterator[Exchange | None]:
        """All that the app's host has answered."""
        yield from () if self.visit is None else self.visit.exchanges
        yield self.again
        yield from (resource.exchange for resource in self.resources if resource.is_own)
        yield from () if self.autoload is None else (self.autoload.answer, self.autoload.preflight)
        if self.sizes is not None:
            yield self.sizes.plain
            yield from (exchange for _, exchange in self.sizes.padded)
        for talk in filter(None, (self.talk, *self.others)):
            yield talk.exchange


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was seen."""

    asked: Address
    now_s: float
    """Unix time here."""
    name: Name | None = None
    connection: Failure | None = None
    """Why no connection could be made."""
    tls: Tls | None = None
    door: Exchange | None = None
    """What plain http says when the page is https."""
    front: Visit | None = None
    """The address that was given."""
    malformed: Exchange | None = None
    """What came for a request that is none."""
    mounts: tuple[Mount, ...] = ()
    visited: Visit | None = None
    """The page of the app: the address that was given, or the first app of its index."""
    choices: tuple[str, ...] = ()
    """The apps of an index."""
    wrong_prefix: Address | None = None
    """Where an app is found although the redirect did not lead there."""

    @property
    def page(self) -> Exchange | None:
        """What came in the end for the address that was given."""
        return None if self.front is None else self.front.last

    def replies(self) -> Iterator[Reply]:
        """All answers of the hosts that serve pages and apps."""
        for exchange in self._exchanges():
            if isinstance(exchange, Reply):
                yield exchange

    def _exchanges(self) -> Iterator[Exchange | None]:
        yield from () if self.front is None else self.front.exchanges
        yield self.door
        yield self.malformed
        for mount in self.mounts:
            yield from mount.exchanges()

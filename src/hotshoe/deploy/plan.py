"""The plan: all that the configurations are made of, checked. Building one reads no file and asks no machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath

from ..config import Settings
from ..errors import ConfigError
from . import values
from .values import Place

HEALTH = "/_hotshoe/page.js"
"""Answers 200 without a session and without a login, as long as the server takes requests."""
IDLE_S = 300
"""How long proxies wait for a silent app or websocket."""
UPLOAD_BYTES = 100 << 20
"""What is let through to a site, which has limits of its own."""
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Where the proxies of containers are."""
_AUTO = "auto"


class Tls(Enum):
    """Who ends TLS, and with what."""

    NONE = "none"
    """Nobody here: plain http, say behind another proxy."""
    FILES = "files"
    """The proxy, with the files that are named."""
    AUTO = "auto"
    """The proxy, with a certificate that it, or certbot, or the cluster gets."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of ``hotshoe deploy``, as they were given; ``None`` where they were not."""

    apps: Sequence[str] = ()
    domains: Sequence[str] = ()
    tls: str | None = None
    tls_key: str | None = None
    no_tls: bool = False
    site: str | None = None
    upstreams: Sequence[str] = ()
    strip_prefix: bool = False
    behind: Sequence[str] = ()
    listen: str | None = None
    listen_tls: str | None = None
    idle_s: int = IDLE_S
    health: str | None = None
    static: bool = False
    static_folder: str | None = None
    wstunnel: bool = False
    name: str = "hotshoe"
    user: str | None = None
    group: str | None = None
    workdir: str | None = None
    program: str = "hotshoe"
    image: str | None = None
    replicas: int | None = None
    given: Sequence[tuple[str, ...]] = ()
    """Other options of ``hotshoe serve``, alone or with a value, which its command line gets as they are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which apps, under which name and path, with which processes behind which proxy. All values are checked."""

    apps: tuple[str, ...]
    domains: tuple[str, ...]
    prefix: str
    """What visitors see before the apps' paths: empty, or ``/apps``."""
    strip_prefix: bool
    """The proxy cuts the prefix off; else hotshoe knows it."""
    tls: Tls
    certificate: str
    key: str
    site: str | None
    """The WSGI site around the apps, as ``module:attribute``."""
    upstreams: tuple[Place, ...]
    behind: tuple[str, ...]
    """Proxies in front of this one, whose ``X-Forwarded-`` headers it passes on."""
    trusted: tuple[str, ...]
    """Whose ``X-Forwarded-`` headers hotshoe believes beside those of its own machine."""
    user_headers: tuple[str, ...]
    """Headers that hotshoe believes of a trusted proxy, without a signature: who the user is."""
    listen: Place
    listen_tls: Place
    idle_s: int
    health: str
    """The path of the health check, as the processes know it."""
    static_folder: str | None
    """BokehJS's folder, if the proxy serves it."""
    wstunnel: bool
    name: str
    user: str | None
    group: str | None
    workdir: str
    program: str
    image: str | None
    replicas: int
    settings: Settings = field(repr=False)
    given: tuple[str, ...] = ()

    @property
    def has_tls(self) -> bool:
        """Whether TLS ends here."""
        return self.tls is not Tls.NONE

    @property
    def gets_certificate(self) -> bool:
        """Whether the certificate has yet to be got."""
        return self.tls is Tls.AUTO

    @property
    def has_several(self) -> bool:
        """Whether there are several processes, so that a page's websocket has to find its own."""
        return len(self.upstreams) > 1

    @property
    def inner_prefix(self) -> str:
        """The prefix that hotshoe itself has."""
        return "" if self.strip_prefix else self.prefix

    @property
    def keep_alive_s(self) -> str:
        """The time between pings, in seconds."""
        return f"{self.settings.keep_alive_milliseconds / 1000:g}"

    @property
    def body_bytes(self) -> int:
        """Largest body that is passed on; 0 is no limit."""
        is_given = self.settings.max_body_size != Settings().max_body_size
        return self.settings.max_body_size if is_given or self.site is None else UPLOAD_BYTES

    @property
    def static_path(self) -> str:
        """Where visitors find the files of BokehJS; inside a site, ``/static/`` is the site's."""
        return f"{self.prefix}/_hotshoe/static" if self.site else f"{self.prefix}/static"

    @property
    def variable(self) -> str:
        """The name, where hyphens mean something."""
        return self.name.replace("-", "_")

    @property
    def cookie(self) -> str:
        """The cookie that keeps a page and its websocket at one process."""
        return f"{self.variable}_node"

    @property
    def https_port(self) -> str:
        """What stands behind a name in an address of https."""
        return "" if self.listen_tls.port == 443 else f":{self.listen_tls.port}"

    @property
    def address(self) -> str:
        """Where visitors go, without the prefix."""
        host = self.domains[0] if self.domains else "SERVER"
        if not self.has_tls:
            return f"http://{host}" + ("" if self.listen.port == 80 else f":{self.listen.port}")
        return f"https://{host}{self.https_port}"

    @property
    def names(self) -> tuple[str, ...]:
        """The apps' own paths, without the slash before them."""
        names = [PurePosixPath(app).name for app in self.apps]
        return tuple(name.removesuffix(".py").removesuffix(".ipynb") for name in names)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the apps."""
        return tuple(f"{self.address}{self.prefix}/{name}" for name in self.names or ("",))


def make_plan(wishes: Wishes, settings: Settings, bokehjs: str | None = None) -> Plan:
    """The plan that the options and hotshoe's own settings ask for. Raises ``ConfigError``.

    ``bokehjs`` is the folder of BokehJS, which ``static`` serves unless another is named.
    """
    tls, certificate, key = _tls(wishes)
    prefix = _prefix(wishes, settings)
    behind = tuple(values.network("--behind", each) for each in wishes.behind)
    return Plan(
        apps=tuple(values.path("apps", each) for each in wishes.apps),
        domains=tuple(dict.fromkeys(values.domain(each) for each in wishes.domains)),
        prefix=prefix,
        strip_prefix=wishes.strip_prefix,
        tls=tls, certificate=certificate, key=key,
        site=None if wishes.site is None else values.module("--wsgi", wishes.site),
        upstreams=_upstreams(wishes, settings),
        behind=behind,
        trusted=tuple(dict.fromkeys((*settings.trusted_proxies, *behind))),
        user_headers=_user_headers(settings),
        listen=values.listen("--listen", wishes.listen or "80"),
        listen_tls=values.listen("--listen-tls", wishes.listen_tls or "443"),
        idle_s=_idle(wishes, settings),
        health=_health(wishes, prefix),
        static_folder=_static(wishes, bokehjs),
        wstunnel=wishes.wstunnel,
        name=values.name(wishes.name),
        user=None if wishes.user is None else values.user("--user", wishes.user),
        group=None if wishes.group is None else values.user("--group", wishes.group),
        workdir=values.absolute("--workdir", wishes.workdir or f"/srv/{values.name(wishes.name)}"),
        program=values.path("--program", wishes.program),
        image=None if wishes.image is None else values.image(wishes.image),
        replicas=_replicas(wishes),
        settings=settings,
        given=tuple(values.plain(option[0], word) for option in wishes.given for word in option),
    )


def _tls(wishes: Wishes) -> tuple[Tls, str, str]:
    if wishes.no_tls:
        if wishes.tls or wishes.tls_key:
            raise ConfigError("--tls and --no-tls say opposite things: leave one of them out")
        return Tls.NONE, "", ""
    if wishes.tls in (None, _AUTO):
        if wishes.tls_key:
            raise ConfigError("--tls-key needs --tls FILE, the certificate that it belongs to")
        domains = [values.domain(each) for each in wishes.domains]
        addresses = [each for each in domains if values.is_address(each)]
        if wishes.tls is None and addresses == domains:
            return Tls.NONE, "", ""
        if not domains:
            raise ConfigError("--tls auto needs a --domain to get a certificate for")
        if addresses:
            raise ConfigError(f"--domain {addresses[0]}: certificates are got for names, not for addresses; leave it "
                              "out, or give a certificate with --tls FILE")
        return _letsencrypt(domains[0])
    certificate = values.absolute("--tls", wishes.tls or "")
    return Tls.FILES, certificate, values.absolute("--tls-key", wishes.tls_key or certificate)


def _letsencrypt(domain: str) -> tuple[Tls, str, str]:
    """Where certbot keeps what it got."""
    folder = f"/etc/letsencrypt/live/{domain}"
    return Tls.AUTO, f"{folder}/fullchain.pem", f"{folder}/privkey.pem"


def _prefix(wishes: Wishes, settings: Settings) -> str:
    prefix = values.prefix(settings.prefix)
    if wishes.strip_prefix and not prefix:
        raise ConfigError("--strip-prefix needs the --prefix that the proxy is to cut off")
    return prefix


def _upstreams(wishes: Wishes, settings: Settings) -> tuple[Place, ...]:
    if settings.ssl_certfile:
        raise ConfigError("--ssl-certfile has hotshoe end TLS, and here the proxy does: leave it out, and give the "
                          "certificate to the proxy with --tls")
    named = tuple(values.upstream(each) for each in wishes.upstreams)
    if len(set(named)) < len(named):
        raise ConfigError("--upstream: two of them are the same process")
    if not named and settings.unix_socket:
        named = (Place(socket=values.absolute("--unix-socket", settings.unix_socket)),)
    if not named and not settings.port:
        raise ConfigError("--port 0 takes any free port, which no proxy can know; name one")
    named = named or (_place_of(settings),)
    if not settings.trusted_proxies and any(not place.is_near for place in named):
        raise ConfigError("an --upstream on another machine believes a proxy only if it knows its address: add "
                          "--trusted-proxies ADDRESS, where ADDRESS is the proxy's")
    return named


def _place_of(settings: Settings) -> Place:
    address = settings.address or "127.0.0.1"
    everywhere = address in ("0.0.0.0", "::")  # noqa: S104 - the proxy reaches it here
    host = "127.0.0.1" if everywhere else address
    return values.upstream(f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}")


def _user_headers(settings: Settings) -> tuple[str, ...]:
    if settings.auth != "header" or settings.auth_header_jwt:
        return ()
    named = {name: value for name in ("auth_header_user", "auth_header_email", "auth_header_groups")
             if (value := getattr(settings, name))}
    headers = [values.header(f"--{name.replace('_', '-')}", value) for name, value in named.items()]
    return tuple({header.lower(): header for header in headers}.values())


def _idle(wishes: Wishes, settings: Settings) -> int:
    keep_alive_s = settings.keep_alive_milliseconds / 1000
    if keep_alive_s == 0:
        raise ConfigError("--keep-alive 0 sends no pings, so that every proxy cuts idle websockets; leave it out")
    if wishes.idle_s < 2 * keep_alive_s:
        raise ConfigError(f"--idle {wishes.idle_s} is less than twice --keep-alive ({keep_alive_s:g} s), so that the "
                          "proxy would cut idle websockets; raise one or lower the other")
    if wishes.idle_s > 86400:
        raise ConfigError(f"--idle {wishes.idle_s} is more than a day (86400 s)")
    return wishes.idle_s


def _health(wishes: Wishes, prefix: str) -> str:
    if wishes.health is not None:
        return values.absolute("--health", wishes.health)
    return HEALTH if wishes.strip_prefix else prefix + HEALTH


def _static(wishes: Wishes, bokehjs: str | None) -> str | None:
    folder = wishes.static_folder or (bokehjs if wishes.static else None)
    return None if folder is None else values.absolute("--static-folder", folder.rstrip("/"))


def _replicas(wishes: Wishes) -> int:
    if wishes.replicas is None:
        return max(1, len(wishes.upstreams))
    if not 1 <= wishes.replicas <= 100:
        raise ConfigError(f"--replicas {wishes.replicas} is not a number from 1 to 100")
    return wishes.replicas

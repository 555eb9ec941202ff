"""The plan: all values of the configurations, checked. Making one reads no file and asks no other machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath

from ..base.errors import ConfigError
from ..config import Settings
from . import values
from .values import Endpoint

HEALTH = "/_hotshoe/health"
"""Answers 200 once the server takes visitors, else 503, with and without the prefix. It needs no login."""
ALIVE = f"{HEALTH}/alive"
"""Answers 200 also while the server starts and stops."""
IDLE_S = 300
"""How long proxies wait for data from an app or through a websocket."""
UPLOAD_BYTES = 100 << 20
"""The limit for uploads to a site, which has limits of its own."""
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Networks that contain the proxies of containers."""
_AUTO = "auto"


class TlsSource(Enum):
    """Where the proxy gets its certificate."""

    NONE = "none"
    """No certificate: plain http, for example behind another proxy."""
    FILES = "files"
    """From the given files."""
    AUTO = "auto"
    """The proxy, certbot or the cluster requests one."""


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """The options of ``hotshoe deploy`` as given; ``None`` if not given."""

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
    static_folder: str | None = None
    """The folder of BokehJS, if the proxy serves it."""
    wstunnel: bool = False
    name: str = "hotshoe"
    user: str | None = None
    group: str | None = None
    workdir: str | None = None
    program: str = "hotshoe"
    image: str | None = None
    replicas: int | None = None
    serve_options: Sequence[tuple[str, ...]] = ()
    """Other options of ``hotshoe serve``, with their values, which are copied into its command line."""


_ONE_YEAR_S = 31536000


@dataclass(frozen=True, slots=True)
class Plan:
    """The apps, their names and paths, the processes, and the proxy before them. All values are checked."""

    apps: tuple[str, ...]
    domains: tuple[str, ...]
    prefix: str
    """The part before the apps' paths, as visitors see it: empty, or ``/apps``."""
    strip_prefix: bool
    """Whether the proxy removes the prefix; else hotshoe gets it as ``--prefix``."""
    tls: TlsSource
    certificate: str
    key: str
    site: str | None
    """The WSGI site around the apps, as ``module:attribute``."""
    upstreams: tuple[Endpoint, ...]
    behind: tuple[str, ...]
    """Proxies in front of this one, whose ``X-Forwarded-`` headers it passes on."""
    trusted: tuple[str, ...]
    """Proxies whose ``X-Forwarded-`` headers hotshoe trusts, besides those on its own machine."""
    user_headers: tuple[str, ...]
    """Headers in which a trusted proxy names the user, without a signature."""
    listen: Endpoint
    listen_tls: Endpoint
    idle_s: int
    health: str
    """The path at which proxies ask a process whether it is ready."""
    alive: str
    """The path at which Kubernetes asks whether a process must be restarted."""
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
    serve_options: tuple[str, ...] = ()

    @property
    def has_tls(self) -> bool:
        """Whether the proxy terminates TLS."""
        return self.tls is not TlsSource.NONE

    @property
    def hsts_s(self) -> int:
        """The max-age of Strict-Transport-Security; 0: none. It applies to a whole name with all its ports, so it is
        sent only if the name has nothing but the apps, and no other value is given."""
        is_own = bool(self.domains) and not self.prefix and not self.https_port
        is_given = self.settings.hsts_max_age or "--hsts-max-age" in self.serve_options
        return _ONE_YEAR_S if self.has_tls and is_own and not is_given else 0

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The names that hotshoe answers to; empty if the user gives them, and for all names: a proxy in front of this
        one may pass on others than its own.
        """
        is_given = self.settings.allowed_hosts or "--allowed-hosts" in self.serve_options
        return () if is_given or self.behind else self.domains

    @property
    def gets_certificate(self) -> bool:
        """Whether a certificate must be requested."""
        return self.tls is TlsSource.AUTO

    @property
    def has_several(self) -> bool:
        """Whether there are several processes: then a page's websocket must reach the process of the page."""
        return len(self.upstreams) > 1

    @property
    def inner_prefix(self) -> str:
        """The prefix that hotshoe gets."""
        return "" if self.strip_prefix else self.prefix

    @property
    def keep_alive_s(self) -> str:
        """Seconds between pings of websockets."""
        return f"{self.settings.keep_alive_milliseconds / 1000:g}"

    @property
    def body_bytes(self) -> int:
        """The largest request body that the proxy passes; 0: no limit."""
        is_given = self.settings.max_body_size != Settings().max_body_size
        return self.settings.max_body_size if is_given or self.site is None else UPLOAD_BYTES

    @property
    def static_path(self) -> str:
        """The path of BokehJS, as visitors see it; in a site, ``/static/`` belongs to the site."""
        return f"{self.prefix}/_hotshoe/static" if self.site else f"{self.prefix}/static"

    @property
    def variable(self) -> str:
        """The name with underscores, for languages where a hyphen has a meaning."""
        return self.name.replace("-", "_")

    @property
    def cookie(self) -> str:
        """The cookie that keeps a page and its websocket at one process."""
        return f"{self.variable}_node"

    @property
    def https_port(self) -> str:
        """The port after a name in an https address, with its colon; empty for 443."""
        return "" if self.listen_tls.port == 443 else f":{self.listen_tls.port}"

    @property
    def address(self) -> str:
        """The address that visitors use, without the prefix."""
        host = self.domains[0] if self.domains else "SERVER"
        if not self.has_tls:
            return f"http://{host}" + ("" if self.listen.port == 80 else f":{self.listen.port}")
        return f"https://{host}{self.https_port}"

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of the apps, without prefix and slash."""
        names = [PurePosixPath(app).name for app in self.apps]
        return tuple(name.removesuffix(".py").removesuffix(".ipynb") for name in names)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the apps."""
        return tuple(f"{self.address}{self.prefix}/{name}" for name in self.names or ("",))


def make_plan(options: DeployOptions, settings: Settings) -> Plan:
    """Make a plan from the options and hotshoe's settings. Raises ``ConfigError``."""
    tls, certificate, key = _tls(options)
    prefix = _prefix(options, settings)
    behind = tuple(values.network("--behind", each) for each in options.behind)
    return Plan(
        apps=tuple(values.path("apps", each) for each in options.apps),
        domains=tuple(dict.fromkeys(values.domain(each) for each in options.domains)),
        prefix=prefix,
        strip_prefix=options.strip_prefix,
        tls=tls, certificate=certificate, key=key,
        site=None if options.site is None else values.module("--wsgi", options.site),
        upstreams=_upstreams(options, settings),
        behind=behind,
        trusted=tuple(dict.fromkeys((*settings.trusted_proxies, *behind))),
        user_headers=_user_headers(settings),
        listen=values.listen("--listen", options.listen or "80"),
        listen_tls=values.listen("--listen-tls", options.listen_tls or "443"),
        idle_s=_idle(options, settings),
        health=_health(options, HEALTH),
        alive=_health(options, ALIVE),
        static_folder=_static(options),
        wstunnel=options.wstunnel,
        name=values.name("--name", options.name),
        user=None if options.user is None else values.user("--user", options.user),
        group=None if options.group is None else values.user("--group", options.group),
        workdir=values.absolute("--workdir", options.workdir or f"/srv/{options.name}"),
        program=values.path("--program", options.program),
        image=None if options.image is None else values.image("--image", options.image),
        replicas=_replicas(options),
        settings=settings,
        serve_options=tuple(values.plain(option[0], word) for option in options.serve_options for word in option),
    )


def _tls(options: DeployOptions) -> tuple[TlsSource, str, str]:
    if options.no_tls:
        if options.tls or options.tls_key:
            raise ConfigError("--tls and --no-tls exclude each other: leave one of them out")
        return TlsSource.NONE, "", ""
    if options.tls in (None, _AUTO):
        if options.tls_key:
            raise ConfigError("--tls-key needs --tls FILE, the certificate that it belongs to")
        domains = [values.domain(each) for each in options.domains]
        addresses = [each for each in domains if values.is_address(each)]
        if options.tls is None and addresses == domains:
            return TlsSource.NONE, "", ""
        if not domains:
            raise ConfigError("--tls auto needs --domain NAME, to request a certificate for that name")
        if addresses:
            raise ConfigError(f"--domain {addresses[0]}: certificates are issued for names, not for addresses; leave "
                              "it out, or give a certificate with --tls FILE")
        folder = f"/etc/letsencrypt/live/{domains[0]}"  # where certbot stores certificates
        return TlsSource.AUTO, f"{folder}/fullchain.pem", f"{folder}/privkey.pem"
    certificate = values.absolute("--tls", options.tls or "")
    return TlsSource.FILES, certificate, values.absolute("--tls-key", options.tls_key or certificate)


def _prefix(options: DeployOptions, settings: Settings) -> str:
    prefix = values.prefix(settings.prefix)
    if options.strip_prefix and not prefix:
        raise ConfigError("--strip-prefix needs --prefix, the part of paths that the proxy removes")
    return prefix


def _upstreams(options: DeployOptions, settings: Settings) -> tuple[Endpoint, ...]:
    if settings.ssl_certfile:
        raise ConfigError("--ssl-certfile lets hotshoe terminate TLS, but here the proxy does: leave it out, and give "
                          "the certificate to the proxy with --tls")
    named = tuple(values.upstream(each) for each in options.upstreams)
    if len(set(named)) < len(named):
        raise ConfigError("--upstream: the same process is given twice")
    if not named and settings.unix_socket:
        named = (Endpoint(socket=values.absolute("--unix-socket", settings.unix_socket)),)
    if not named and not settings.port:
        raise ConfigError("--port 0 takes any free port, which the proxy can't know: give a port")
    named = named or (_listen_address(settings),)
    if not settings.trusted_proxies and any(not place.is_near for place in named):
        raise ConfigError("an --upstream on another machine trusts a proxy only by its address: add --trusted-proxies "
                          "ADDRESS, where ADDRESS is the proxy's")
    return named


def _listen_address(settings: Settings) -> Endpoint:
    address = settings.address or "127.0.0.1"
    everywhere = address in ("0.0.0.0", "::")  # noqa: S104 - the proxy is on the same machine
    host = "127.0.0.1" if everywhere else address
    return values.upstream(f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}")


def _user_headers(settings: Settings) -> tuple[str, ...]:
    if settings.auth != "header" or settings.auth_header_jwt:
        return ()
    named = {name: value for name in ("auth_header_user", "auth_header_email", "auth_header_groups")
             if (value := getattr(settings, name))}
    headers = [values.header(f"--{name.replace('_', '-')}", value) for name, value in named.items()]
    return tuple({header.lower(): header for header in headers}.values())


def _idle(options: DeployOptions, settings: Settings) -> int:
    keep_alive_s = settings.keep_alive_milliseconds / 1000
    if keep_alive_s == 0:
        raise ConfigError("--keep-alive 0 sends no pings, so that every proxy closes idle websockets; leave it out")
    if options.idle_s < 2 * keep_alive_s:
        raise ConfigError(f"--idle {options.idle_s} is less than twice --keep-alive ({keep_alive_s:g} s), so that the "
                          "proxy would close idle websockets; raise one or lower the other")
    if options.idle_s > 86400:
        raise ConfigError(f"--idle {options.idle_s} is more than a day (86400 s)")
    return options.idle_s


def _health(options: DeployOptions, path: str) -> str:
    return path if options.health is None else values.absolute("--health", options.health)


def _static(options: DeployOptions) -> str | None:
    folder = options.static_folder
    return None if folder is None else values.absolute("--static-folder", folder.rstrip("/"))


def _replicas(options: DeployOptions) -> int:
    if options.replicas is None:
        return max(1, len(options.upstreams))
    if not 1 <= options.replicas <= 100:
        raise ConfigError(f"--replicas {options.replicas} is not a number from 1 to 100")
    return options.replicas

"""The table of settings, the only place where a setting is declared.

Flags, environment variables, keys of ``hotshoe.toml``, ``--help`` and ``docs/settings.md`` are made from it. Building
``Settings`` reads nothing and changes nothing.
"""
# No "from __future__ import annotations": the table is made from the annotations themselves.

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from msgspec import Meta

from ..base.errors import ConfigError
from .checks import (
    AccessRule,
    AllowedHost,
    AppSwitch,
    AppThread,
    FileMode,
    FileName,
    FrameAncestor,
    HeaderName,
    Icon,
    Issuer,
    LogFormat,
    Network,
    Origin,
    PathPrefix,
    RedirectUrl,
    Separator,
    SiteName,
    Tenant,
    UrlOrPath,
)
from .conflicts import conflict
from .setting import SWITCHES, Doc, Given, Group, Setting, did_you_mean

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Loop: TypeAlias = Literal["auto", "asyncio", "uvloop"]
Login: TypeAlias = Literal["none", "basic", "oidc", "header"]
LogLevel: TypeAlias = Literal["trace", "debug", "info", "warning", "error", "critical", "None"]
SessionIds: TypeAlias = Literal["auto", "unsigned", "signed", "external-signed"]
LOGINS: tuple[str, ...] = get_args(Login)


def _session_ids(sign: str) -> str:
    """The value of ``--session-ids`` for a value of ``BOKEH_SIGN_SESSIONS``, which is yes or no."""
    means_yes = SWITCHES.get(sign.strip().lower())
    return sign if means_yes is None else "signed" if means_yes else "unsigned"


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """The value of every setting. Raises ``ConfigError`` for a value that is not allowed."""

    port: Annotated[int, Meta(ge=0, le=65535), Doc(
        Group.LISTEN, "Port to listen on; 0 takes any free one. PORT, which Heroku, Cloud Run and others set, counts "
        "if nothing else sets the port.", metavar="PORT", bokeh="BOKEH_DEFAULT_SERVER_PORT", platform="PORT")] = 5006
    address: Annotated[str | None, Doc(
        Group.LISTEN, "Address to listen on; without it, all addresses of this machine, IPv4 and IPv6.",
        metavar="ADDRESS")] = None
    unix_socket: Annotated[str | None, Doc(
        Group.LISTEN, "Unix socket to listen on instead of a port, for a proxy.", metavar="PATH")] = None
    unix_socket_mode: Annotated[FileMode, Doc(
        Group.LISTEN, "Permissions of the Unix socket, as for chmod.")] = "600"
    ssl_certfile: Annotated[FileName | None, Doc(
        Group.LISTEN, "PEM file with the certificate and its chain, without the root; the server then uses https. The "
        "server reads it again when it changes.", bokeh="BOKEH_SSL_CERTFILE")] = None
    ssl_keyfile: Annotated[FileName | None, Doc(
        Group.LISTEN, "PEM file with the certificate's private key, if the certificate's file does not have it.",
        bokeh="BOKEH_SSL_KEYFILE")] = None
    ssl_password: Annotated[str | None, Doc(
        Group.LISTEN, "Password of the private key.", bokeh="BOKEH_SSL_PASSWORD", secret=True)] = None
    use_xheaders: Annotated[bool, Doc(
        Group.LISTEN, "Trust the headers in which a proxy on this machine, or on the Unix socket, describes clients. "
        "They are X-Forwarded-For or X-Real-Ip, X-Forwarded-Proto or X-Scheme, X-Forwarded-Host, or Forwarded; and "
        "X-Forwarded-Prefix.")] = False
    trusted_proxies: Annotated[tuple[Network, ...], Doc(
        Group.LISTEN, "With --use-xheaders, another proxy to trust: an address, or a network like 10.0.0.0/8.")] = ()
    prefix: Annotated[PathPrefix, Doc(
        Group.LISTEN, "Path in front of every URL of the server.")] = ""
    dev: Annotated[bool, Doc(
        Group.APPS, "Reload an app and its pages when its files change, and show tracebacks in the pages. Files and "
        "folders that follow this option are watched too.", metavar="[FILE ...]")] = False
    watch: Annotated[tuple[str, ...], Doc(
        Group.APPS, "With --dev, another file or folder to watch.", metavar="PATH")] = ()
    show: Annotated[bool, Doc(
        Group.APPS, "Open each app in the browser when the server has started.")] = False
    args: Annotated[tuple[str, ...], Doc(
        Group.APPS, "All arguments after this option become sys.argv[1:] of every app.", metavar="...", many=True,
        separator=None)] = ()
    wsgi: Annotated[SiteName | None, Doc(
        Group.APPS, "WSGI or ASGI site that serves every URL that is not an app's: module:app, or module:make_app()."
    )] = None
    glob: Annotated[bool, Doc(
        Group.APPS, "Expand patterns in the names of files, for shells that do not.")] = False
    index: Annotated[FileName | None, Doc(
        Group.APPS, "Tornado template for the page at / that lists the apps, instead of hotshoe's own.")] = None
    disable_index: Annotated[bool, Doc(
        Group.APPS, "Do not list the apps at /.")] = False
    disable_index_redirect: Annotated[bool, Doc(
        Group.APPS, "Do not redirect / to the app if there is only one.")] = False
    ico_path: Annotated[Icon, Doc(
        Group.APPS, "Favicon of the apps' pages: an .ico file; default is hotshoe's icon, none is no icon.",
        bokeh="BOKEH_ICO_PATH")] = "default"
    serve_dotfiles: Annotated[bool, Doc(
        Group.APPS, "Serve files and folders below an app's static folder whose names begin with a dot. Without it "
        "they are not found, as they often hold secrets, such as .env and .git.")] = False
    all_bundles: Annotated[tuple[AppSwitch, ...], Doc(
        Group.APPS, "Load all of BokehJS with each page, as bokeh serve does. Without it, a page loads the bundles "
        "with the models that its document has and its JavaScript names; callbacks bring more later. "
        "--all-bundles=sales=yes is for one app only; --all-bundles=sales=no excepts one.", of_app="all-bundles",
        alone="yes")] = ()
    show_source: Annotated[bool, Doc(
        Group.APPS, "Show the source of each app's main file to everyone who may open the app, from the page at /."
    )] = False
    num_procs: Annotated[Count, Doc(
        Group.SESSIONS, "Number of processes that run app code; not implemented yet, one process serves. 0 means one "
        "for each processor. With more than one, the log says that only one serves.")] = 1
    threads: Annotated[int, Meta(ge=0, le=4096), Doc(
        Group.SESSIONS, "Maximum number of threads that run app code; 0 runs it on the event loop, as bokeh serve "
        "does. Threads whose callbacks only wait, for instance for a database, do not count, up to seven times this "
        "number; but with 1, no two callbacks ever run at once.")] = 64
    app_thread: Annotated[tuple[AppThread, ...], Doc(
        Group.SESSIONS, "Thread that runs the code of all apps, or of one. pool, the default: any of --threads. own: "
        "always the same one, for objects that only the thread may use that made them. loop: the event loop's, as with "
        "bokeh serve; a slow callback then delays everybody.", of_app="thread")] = ()
    running_loop: Annotated[tuple[AppSwitch, ...], Doc(
        Group.SESSIONS, "Whether the event loop counts as running in the code of an app on threads, as with bokeh "
        "serve, so that scripts and callbacks can make tasks: yes (the default), or no, for libraries that refuse to "
        "work inside of a running loop.", of_app="running-loop")] = ()
    loop: Annotated[Loop, Doc(
        Group.SESSIONS, "Event loop of the server: asyncio, Python's own, which nest_asyncio can patch; uvloop, a "
        "faster one, not on Windows; auto, uvloop if it is installed.", metavar="LOOP")] = "auto"
    keep_alive_milliseconds: Annotated[Count, Doc(
        Group.SESSIONS, "Time between pings, which keep a websocket open through proxies; 0 sends none.",
        unit="ms")] = 25000
    check_unused_sessions_milliseconds: Annotated[Positive, Doc(
        Group.SESSIONS, "Time between checks for unused sessions.", unit="ms")] = 17000
    unused_session_lifetime_milliseconds: Annotated[Positive, Doc(
        Group.SESSIONS, "Time for which a session without a connection is kept.", unit="ms")] = 15000
    no_collapse: Annotated[bool, Doc(
        Group.SESSIONS, "Run the callbacks of every change from a browser, even if a newer change of the same control "
        "is waiting.")] = False
    busy_sign: Annotated[bool, Doc(
        Group.SESSIONS, "Show a thin line at the top of a page while its app is busy.")] = True
    allow_websocket_origin: Annotated[tuple[Origin, ...], Doc(
        Group.SECURITY, "Another host whose pages may connect; the server's own pages always may. * stands for any "
        "part of a name, or for every host; without a port, the port is 80. BOKEH_ALLOW_WS_ORIGIN replaces the whole "
        "list, even one from flags.", bokeh="BOKEH_ALLOW_WS_ORIGIN", bokeh_wins=True)] = ()
    allowed_hosts: Annotated[tuple[AllowedHost, ...], Doc(
        Group.SECURITY, "A name of this server, such as example.org or 192.0.2.7: requests with any other Host are "
        "refused, except for /_hotshoe/health. .example.org also stands for all names below it, *.example.org for "
        "these only; without a port, every port. Without this option, the server answers to every name; if only this "
        "machine can reach it, to names of this machine.")] = ()
    session_ids: Annotated[SessionIds, Doc(
        Group.SECURITY, "Which session ids the server accepts. auto: ids that it has signed, and unsigned ids from "
        "scripts on this machine; signed: only signed ids; external-signed: only signed ids, which another program "
        "makes; unsigned: any id, as bokeh serve does.", metavar="MODE", bokeh="BOKEH_SIGN_SESSIONS",
        from_bokeh=_session_ids)] = "auto"
    secret_key: Annotated[str | None, Doc(
        Group.SECURITY, "Key that signs session ids and tokens and seals logins; hotshoe secret makes one. Servers "
        "that share users need the same key.", bokeh="BOKEH_SECRET_KEY", secret=True)] = None
    old_secret_keys: Annotated[tuple[str, ...], Doc(
        Group.SECURITY, "Earlier keys: the server still accepts what they have signed.", secret=True)] = ()
    secret_file: Annotated[FileName | None, Doc(
        Group.SECURITY, "File for the key that the server makes on its first start, if none is given; without it, a "
        "file in the user's state folder.")] = None
    server_name: Annotated[str, Doc(
        Group.SECURITY, "Name of this server. A page's token makes sessions only at the server that it is from, and "
        "servers with one key and one name count as one. Without it, all servers count as one to which a key was "
        "given; others by their address and their apps.", metavar="NAME")] = ""
    include_headers: Annotated[tuple[str, ...], Doc(
        Group.SECURITY, "The only request headers that apps see.", metavar="NAME", many=True)] = ()
    exclude_headers: Annotated[tuple[str, ...], Doc(
        Group.SECURITY, "Request headers that apps do not see.", metavar="NAME", many=True)] = ()
    include_cookies: Annotated[tuple[str, ...], Doc(
        Group.SECURITY, "The only cookies that apps see.", metavar="NAME", many=True)] = ()
    exclude_cookies: Annotated[tuple[str, ...], Doc(
        Group.SECURITY, "Cookies that apps do not see.", metavar="NAME", many=True)] = ()
    csp: Annotated[bool, Doc(
        Group.SECURITY, "Send apps' pages with a content security policy: only the page's own scripts run, and scripts "
        "that these load.")] = False
    strict_csp: Annotated[bool, Doc(
        Group.SECURITY, "Like --csp, and browsers never run text as code: CustomJS and similar models do not work."
    )] = False
    frame_ancestors: Annotated[tuple[FrameAncestor, ...], Doc(
        Group.SECURITY, "Site that may show the pages in a frame, such as self or https://example.org; without it, any "
        "site.")] = ()
    hsts_max_age: Annotated[Count, Doc(
        Group.SECURITY, "Time for which browsers use only https for this host name, such as 31536000 (a year); 0 "
        "leaves it to the browsers. It is the max-age of the Strict-Transport-Security header of https responses, and "
        "applies to every server and port of the host name. Responses for localhost never have the header.",
        unit="s")] = 0
    session_token_expiration: Annotated[Positive, Doc(
        Group.SECURITY, "Time for which the token of a page can create a session; it can join a live session at any "
        "time.", unit="s")] = 300
    auth: Annotated[Login, Doc(
        Group.LOGIN, "How users log in. basic: with a password of the users file; oidc: at an OpenID Connect provider; "
        "header: at a proxy that names the user in a header.", metavar="HOW")] = "none"
    auth_module: Annotated[FileName | None, Doc(
        Group.LOGIN, "Python file with functions that name the user, and pages to log in and out, as for bokeh serve.",
        bokeh="BOKEH_AUTH_MODULE")] = None
    cookie_secret: Annotated[str | None, Doc(
        Group.LOGIN, "With --auth-module, the key that signs its cookies; without it, the server derives one from its "
        "own key.", metavar="SECRET", bokeh="BOKEH_COOKIE_SECRET", secret=True, secret_option=True)] = None
    enable_xsrf_cookies: Annotated[bool, Doc(
        Group.LOGIN, "With --auth-module, have its Tornado handlers require the XSRF cookie, which protects forms "
        "against other sites.", bokeh="BOKEH_XSRF_COOKIES")] = False
    allow: Annotated[tuple[AccessRule, ...], Doc(
        Group.LOGIN, "Who may open an app: groups, @users, or * for every user who has logged in. As APP, * means each "
        "app that no rule names. Without rules, every user who has logged in may open every app.", separator=";")] = ()
    public: Annotated[tuple[str, ...], Doc(
        Group.LOGIN, "App that needs no login; * means all apps.", metavar="APP")] = ()
    login_lifetime: Annotated[int, Meta(ge=60, le=31536000), Doc(
        Group.LOGIN, "Time until a user has to log in again; with --auth header, the proxy decides.", unit="s")] = 43200
    users_file: Annotated[FileName, Doc(
        Group.LOGIN, "With --auth basic, the file with the users, their groups and password hashes. hotshoe user "
        "writes it, and the server reads it again when it changes.")] = "hotshoe.users"
    oidc_issuer: Annotated[Issuer | None, Doc(
        Group.LOGIN, "With --auth oidc, the provider: its issuer URL, or github, google or microsoft.")] = None
    oidc_tenant: Annotated[Tenant | None, Doc(
        Group.LOGIN, "With --oidc-issuer microsoft, the id or domain of the tenant whose users may log in.")] = None
    oidc_client_id: Annotated[str | None, Doc(
        Group.LOGIN, "Client id that the provider has given to this server.", metavar="ID")] = None
    oidc_client_secret: Annotated[str | None, Doc(
        Group.LOGIN, "Client secret that the provider has given to this server, if any.", secret=True)] = None
    oidc_client_secret_file: Annotated[FileName | None, Doc(
        Group.LOGIN, "File with the client secret.")] = None
    oidc_scope: Annotated[tuple[str, ...], Doc(
        Group.LOGIN, "Scopes to ask the provider for; without it openid, profile and email, or at GitHub read:user, "
        "user:email and read:org.", metavar="SCOPE", many=True)] = ()
    oidc_allowed_domain: Annotated[tuple[str, ...], Doc(
        Group.LOGIN, "Let only users with a verified e-mail address in this domain log in.", metavar="DOMAIN")] = ()
    oidc_redirect_url: Annotated[RedirectUrl | None, Doc(
        Group.LOGIN, "URL to which the provider sends users back, ending in /login-callback. The server needs it "
        "behind a proxy that cuts off a prefix without X-Forwarded-Prefix.")] = None
    user_claim: Annotated[str | None, Doc(
        Group.LOGIN, "Claim of the provider or the JWT with the user's name; no two users may share a value. The "
        "default is login at GitHub, email at Google and in a proxy's JWT, and sub elsewhere.", metavar="CLAIM")] = None
    groups_claim: Annotated[str, Doc(
        Group.LOGIN, "Claim of the provider or the JWT that lists the user's groups.", metavar="CLAIM")] = "groups"
    auth_header_user: Annotated[HeaderName | None, Doc(
        Group.LOGIN, "With --auth header, the header in which a trusted proxy names the user. The proxy must replace "
        "it in every request.")] = None
    auth_header_email: Annotated[HeaderName | None, Doc(
        Group.LOGIN, "Header with the user's e-mail address.")] = None
    auth_header_groups: Annotated[HeaderName | None, Doc(
        Group.LOGIN, "Header with the user's groups, separated by commas.")] = None
    auth_header_separator: Annotated[Separator | None, Doc(
        Group.LOGIN, "Text that separates the groups in that header, in place of a comma.")] = None
    auth_header_jwt: Annotated[HeaderName | None, Doc(
        Group.LOGIN, "With --auth header, the header with a JWT that names the user; then no other header counts."
    )] = None
    auth_header_keys: Annotated[str | None, Doc(
        Group.LOGIN, "Keys that verify the JWT: the URL of a JWKS, or a file with a JWKS or a public key in PEM.",
        metavar="URL|FILE")] = None
    auth_header_audience: Annotated[str | None, Doc(
        Group.LOGIN, "Required audience (aud) of the JWT.", metavar="TEXT")] = None
    auth_header_issuer: Annotated[str | None, Doc(
        Group.LOGIN, "Required issuer (iss) of the JWT.", metavar="TEXT")] = None
    auth_header_logout_url: Annotated[UrlOrPath | None, Doc(
        Group.LOGIN, "Where the proxy logs users out: a URL, or a path on its host.")] = None
    max_sessions: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of sessions; 0 sets no limit. At the limit, further visitors get a page that "
        "explains it.")] = 10_000
    max_sessions_per_user: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of sessions of one user who has logged in; 0 sets no limit.")] = 200
    max_sessions_per_address: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of sessions from one address, which a whole office may share; 0 sets no limit. "
        "It does not count where the visitor's address is unknown, as behind a proxy without --use-xheaders.")] = 2000
    max_computing_per_user: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of callbacks that compute at the same time for one user, or for one session of "
        "a visitor who has not logged in; 0 sets no limit. Four times as many may compute for all such visitors at one "
        "address. Callbacks that only wait do not count. Further ones wait until one has ended.")] = 2
    max_connections: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of connections; 0 means three quarters of the files that the process may open. "
        "At the limit, the connections that have waited longest for a request are closed.")] = 0
    max_connections_per_address: Annotated[Count, Doc(
        Group.LIMITS, "Maximum number of connections from one address; 0 sets no limit. Like "
        "--max-sessions-per-address, it needs a known address. A browser opens up to seven connections.")] = 4000
    max_header_size: Annotated[int, Meta(ge=1024), Doc(
        Group.LIMITS, "Maximum size of a request's head: its address, headers and cookies.", unit="bytes")] = 65536
    max_body_size: Annotated[Count, Doc(
        Group.LIMITS, "Maximum size of a request's body; 0 sets no limit. Only forms have a body. The site of --wsgi "
        "has limits of its own.", unit="bytes")] = 1024 * 1024
    request_timeout: Annotated[Count, Doc(
        Group.LIMITS, "Time for the head of a request to arrive, and again for its body; 0 waits forever.",
        unit="s")] = 30
    websocket_max_message_size: Annotated[Positive, Doc(
        Group.LIMITS, "Maximum size of a message from a browser or client. A file that a user uploads is one message, "
        "a third larger than the file.", unit="bytes")] = 20 * 1024 * 1024
    websocket_compression_level: Annotated[Annotated[int, Meta(ge=0, le=9)] | None, Doc(
        Group.LIMITS, "zlib level at which websocket messages are compressed, if the browser can. Without it, and "
        "without --websocket-compression-mem-level, nothing is compressed.", metavar="LEVEL")] = None
    websocket_compression_mem_level: Annotated[Annotated[int, Meta(ge=1, le=9)] | None, Doc(
        Group.LIMITS, "zlib memLevel at which websocket messages are compressed: the memory that each connection uses "
        "for it.", metavar="LEVEL")] = None
    stats_log_frequency_milliseconds: Annotated[Positive, Doc(
        Group.LOG, "Time between log lines that count connections and sessions; --log-level debug shows them.",
        unit="ms")] = 15000
    mem_log_frequency_milliseconds: Annotated[Count, Doc(
        Group.LOG, "Time between log lines with the memory of the process; 0 logs none. It needs psutil.",
        unit="ms")] = 0
    log_level: Annotated[LogLevel, Doc(
        Group.LOG, "Lowest level to log; None is info.", metavar="LEVEL", bokeh="BOKEH_PY_LOG_LEVEL")] = "info"
    log_format: Annotated[LogFormat, Doc(
        Group.LOG, "Format of a log line, as for Python's logging. It may also name session, app, user, request_id and "
        "error_id.")] = "%(asctime)s %(message)s"
    log_json: Annotated[bool, Doc(
        Group.LOG, "Write the log as JSON, one object per line; --log-format is then ignored.")] = False
    log_file: Annotated[FileName | None, Doc(
        Group.LOG, "File for the log, instead of stderr.")] = None
    use_config: Annotated[FileName | None, Doc(
        Group.FILES, "YAML file with bokeh's settings, as for bokeh serve. It overrides environment variables, and "
        "options override it.")] = None

    def __post_init__(self) -> None:
        values = {row.name: row.read(getattr(self, row.name), row.name).value for row in TABLE}
        if problem := conflict(values):
            raise ConfigError(problem)
        for name, value in values.items():  # a list has become a tuple, and INFO has become info
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = (f"{row.name}={getattr(self, row.name)!r}" for row in TABLE if not row.doc.secret)
        return f"Settings({', '.join(shown)})"

    def replace(self, **values: Any) -> Self:
        """A copy with these values, by name. Raises ``ConfigError``, also for an unknown name."""
        found = read_all(values, BY_NAME, lambda row: row.name)
        return dataclasses.replace(self, **{name: given.value for name, given in found.items()})


TABLE: tuple[Setting, ...] = tuple(Setting.of(field) for field in dataclasses.fields(Settings))
"""All settings, in the order of ``--help`` and of the docs."""
BY_NAME: Mapping[str, Setting] = {row.name: row for row in TABLE}


def read_all(values: Mapping[str, Any], rows: Mapping[str, Setting], label: Callable[[Setting], str],
             where: str = "") -> dict[str, Given]:
    """The checked values, by the names of their settings. ``rows`` maps the keys of ``values`` to settings.

    Raises ``ConfigError``, also for an unknown key. Its message begins with ``where`` or with the setting's ``label``.
    """
    found = {}
    for name, value in values.items():
        if name not in rows:
            shown = name if name.isprintable() else repr(name)
            raise ConfigError(f"{where}there is no setting {shown}{did_you_mean(name, rows)}")
        found[rows[name].name] = rows[name].read(value, label(rows[name]))
    return found

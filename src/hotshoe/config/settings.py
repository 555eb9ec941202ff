"""The table of settings: the only place where a setting is declared.

Flags, environment variables, keys of ``hotshoe.toml``, ``--help`` and ``docs/settings.md`` come from it. Building
``Settings`` reads nothing and changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .checks import (
    check_frame_ancestor,
    check_ico_path,
    check_log_format,
    check_mode,
    check_network,
    check_origin,
    check_prefix,
    check_wsgi,
    session_ids_of,
)
from .conflicts import conflict
from .login_checks import check_allow, check_header, check_issuer, check_place, check_redirect_url, check_tenant
from .setting import Group, Setting, setting
from .sources import BokehFile, gather, validate

LOGINS = ("none", "basic", "oidc", "header")
LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "None")


@dataclass(frozen=True, slots=True)
class Settings:
    """The value of every setting. Raises ``ConfigError`` for one that it can't have."""

    port: int = setting(
        5006, "Port to listen on; 0 takes any free one. PORT, which Heroku, Cloud Run and others set, counts if "
        "nothing else says a port.", Group.PLACE, metavar="PORT", bokeh_environment="BOKEH_DEFAULT_SERVER_PORT",
        platform_environment="PORT", least=0, most=65535)
    address: str | None = setting(
        None, "Address to listen on; without one, all of this machine, IPv4 and IPv6.", Group.PLACE, metavar="ADDRESS")
    unix_socket: str | None = setting(
        None, "Unix socket to listen on instead of a port; a proxy in front of it has to keep foreign origins out.",
        Group.PLACE, metavar="PATH")
    unix_socket_mode: str = setting(
        "600", "Who may connect to the Unix socket, as chmod takes it.", Group.PLACE, metavar="MODE", check=check_mode)
    ssl_certfile: str | None = setting(
        None, "File with the certificate, and the chain below its root, in PEM; the server then speaks https. Read "
        "again when it changes.", Group.PLACE, metavar="FILE", bokeh_environment="BOKEH_SSL_CERTFILE")
    ssl_keyfile: str | None = setting(
        None, "File with the certificate's private key, if the certificate's own file does not have it.", Group.PLACE,
        metavar="FILE", bokeh_environment="BOKEH_SSL_KEYFILE")
    ssl_password: str | None = setting(
        None, "What the private key is encrypted with.", Group.PLACE, bokeh_environment="BOKEH_SSL_PASSWORD",
        secret=True)
    use_xheaders: bool = setting(
        False, "Believe a proxy on this machine, or on the Unix socket, what it says of its visitors: X-Forwarded-For "
        "or X-Real-Ip, X-Forwarded-Proto or X-Scheme, X-Forwarded-Host, or Forwarded; and X-Forwarded-Prefix.",
        Group.PLACE)
    trusted_proxies: tuple[str, ...] = setting(
        (), "With --use-xheaders, another proxy to believe: an address, or a network like 10.0.0.0/8. Can be given "
        "several times.", Group.PLACE, metavar="ADDRESS", check=check_network)
    prefix: str = setting(
        "", "Path in front of every URL of the server.", Group.PLACE, metavar="PREFIX", check=check_prefix)
    dev: bool = setting(
        False, "Load an app again when its files change, and have its pages follow; show tracebacks in them. Files and "
        "folders that are named after it are watched too.", Group.APPS, metavar="[FILE ...]")
    watch: tuple[str, ...] = setting(
        (), "With --dev, another file or folder whose changes count. Can be given several times.", Group.APPS,
        metavar="PATH")
    show: bool = setting(
        False, "Open each app in the browser once the server runs.", Group.APPS)
    args: tuple[str, ...] = setting(
        (), "Everything after it becomes sys.argv[1:] of every app.", Group.APPS, metavar="...", separator=None)
    wsgi: str | None = setting(
        None, "A WSGI (or ASGI) site that answers whatever is not the apps': module:app, or module:make_app().",
        Group.APPS, metavar="MODULE:APP", check=check_wsgi)
    glob: bool = setting(
        False, "Expand the names of files as patterns, where the shell does not.", Group.APPS)
    index: str | None = setting(
        None, "Template of Tornado for the page at the root that lists the apps, instead of hotshoe's own.", Group.APPS,
        metavar="FILE")
    disable_index: bool = setting(
        False, "Do not list the apps at the root.", Group.APPS)
    disable_index_redirect: bool = setting(
        False, "Do not redirect from the root to the app if there is only one.", Group.APPS)
    ico_path: str = setting(
        "default", "Icon of the pages, an .ico file; none has none.", Group.APPS, metavar="FILE",
        bokeh_environment="BOKEH_ICO_PATH", check=check_ico_path)
    show_source: bool = setting(
        False, "Let the index show the source of each app's main file to everyone.", Group.APPS)
    num_procs: int = setting(
        1, "Processes that run app code; 0 is as many as there are processors. So far there is always one, and the log "
        "says so.", Group.SESSIONS, metavar="N", least=0)
    threads: int = setting(
        64, "Most threads that run app code at once; 0 runs everything on the event loop as bokeh serve does.",
        Group.SESSIONS, metavar="N", least=0, most=4096)
    keep_alive_milliseconds: int = setting(
        25000, "Time between pings that keep a websocket open through proxies; 0 sends none.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--keep-alive", least=0)
    check_unused_sessions_milliseconds: int = setting(
        17000, "How often to look for sessions that nobody uses any more.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--check-unused-sessions", least=1)
    unused_session_lifetime_milliseconds: int = setting(
        15000, "How long a session without a connection is kept.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--unused-session-lifetime", least=1)
    no_collapse: bool = setting(
        False, "Run the callbacks of every change that a browser sends, also of those that waited while newer ones of "
        "the same control came in.", Group.SESSIONS)
    busy_sign: bool = setting(
        True, "Whether pages show that their app computes; with --no-busy-sign they do not.", Group.SESSIONS)
    allow_websocket_origin: tuple[str, ...] = setting(
        (), "Another host whose pages may connect; a page of the server itself always may. Can be given several "
        "times. * stands for any part of a name or for all; without a port it is 80. BOKEH_ALLOW_WS_ORIGIN replaces "
        "the whole list, given by flag or not.", Group.SECURITY,
        metavar="HOST[:PORT]", bokeh_environment="BOKEH_ALLOW_WS_ORIGIN", bokeh_wins=True, check=check_origin)
    session_ids: str = setting(
        "auto", "Whose session ids are taken. auto: those that this server has signed, and of scripts on this machine "
        "also others; signed: only signed ones; external-signed: only signed ones, which another program makes; "
        "unsigned: any, as in bokeh serve.", Group.SECURITY, metavar="MODE",
        bokeh_environment="BOKEH_SIGN_SESSIONS", from_bokeh=session_ids_of,
        choices=("auto", "unsigned", "signed", "external-signed"))
    secret_key: str | None = setting(
        None, "The key that signs session ids and tokens and seals logins; hotshoe secret makes one. Servers that "
        "share users need the same.", Group.SECURITY, bokeh_environment="BOKEH_SECRET_KEY", secret=True)
    old_secret_keys: tuple[str, ...] = setting(
        (), "Keys that were replaced: what they have signed is still believed.", Group.SECURITY, secret=True)
    secret_file: str | None = setting(
        None, "Where the key is kept that is made on the first start if none is given; without it, in the user's own "
        "state folder.", Group.SECURITY, metavar="FILE")
    include_headers: tuple[str, ...] = setting(
        (), "The only headers of a request that apps see.", Group.SECURITY, metavar="NAME", many=True)
    exclude_headers: tuple[str, ...] = setting(
        (), "Headers that apps do not see.", Group.SECURITY, metavar="NAME", many=True)
    include_cookies: tuple[str, ...] = setting(
        (), "The only cookies that apps see.", Group.SECURITY, metavar="NAME", many=True)
    exclude_cookies: tuple[str, ...] = setting(
        (), "Cookies that apps do not see.", Group.SECURITY, metavar="NAME", many=True)
    csp: bool = setting(
        False, "Send apps' pages with a content security policy: only scripts of the page itself run, and what they "
        "load.", Group.SECURITY)
    strict_csp: bool = setting(
        False, "As --csp, and nothing that is text becomes code: CustomJS and its kin do not work then.",
        Group.SECURITY)
    frame_ancestors: tuple[str, ...] = setting(
        (), "The sites that may show the pages in a frame, such as self or https://example.org; without it, any. "
        "Can be given several times.", Group.SECURITY, metavar="SITE", check=check_frame_ancestor)
    hsts_max_age: int = setting(
        31536000, "How long a browser that came by https comes by nothing else (not on this machine itself); 0 leaves "
        "it to the browser.", Group.SECURITY, unit="s", metavar="S", least=0)
    session_token_expiration: int = setting(
        300, "How long the token in a page can create a session; a session that lives can be joined at any time.",
        Group.SECURITY, unit="s", metavar="S", least=1)
    auth: str = setting(
        "none", "How users log in: by a password of the users file, at an OpenID Connect provider, or at a proxy that "
        "names them in a header.", Group.LOGIN, metavar="HOW", choices=LOGINS)
    auth_module: str | None = setting(
        None, "Python file with functions that say who a user is, and pages to log in and out, as bokeh serve takes "
        "it.", Group.LOGIN, metavar="FILE", bokeh_environment="BOKEH_AUTH_MODULE")
    cookie_secret: str | None = setting(
        None, "With --auth-module, the key that signs its cookies; without it, one made of the server's own key.",
        Group.LOGIN, metavar="SECRET", flag="--cookie-secret", bokeh_environment="BOKEH_COOKIE_SECRET", secret=True)
    enable_xsrf_cookies: bool = setting(
        False, "With --auth-module, let its Tornado handlers demand the cookie that guards forms against other sites.",
        Group.LOGIN, bokeh_environment="BOKEH_XSRF_COOKIES")
    allow: tuple[str, ...] = setting(
        (), "Who may open an app: groups, @users, or * for everybody who has logged in. As APP, * is each app that "
        "is not named. Without it everybody may who has logged in. Can be given several times.", Group.LOGIN,
        metavar="APP=WHO[,WHO ...]", separator=";", check=check_allow)
    public: tuple[str, ...] = setting(
        (), "An app for which nobody needs to log in; * is all of them. Can be given several times.", Group.LOGIN,
        metavar="APP")
    login_lifetime: int = setting(
        43200, "How long a login lasts; that of a proxy is the proxy's.", Group.LOGIN, unit="s", metavar="S", least=60,
        most=31536000)
    users_file: str = setting(
        "hotshoe.users", "With --auth basic, the file with users, their groups and hashes of their passwords, made by "
        "hotshoe user; it is read again when it changes.", Group.LOGIN, metavar="FILE")
    oidc_issuer: str | None = setting(
        None, "With --auth oidc, the provider: its issuer URL, or github, google or microsoft.", Group.LOGIN,
        metavar="URL|NAME", check=check_issuer)
    oidc_tenant: str | None = setting(
        None, "With --oidc-issuer microsoft, whose users may log in: the tenant's id or domain.", Group.LOGIN,
        metavar="TENANT", check=check_tenant)
    oidc_client_id: str | None = setting(
        None, "The id that the provider has given to this server.", Group.LOGIN, metavar="ID")
    oidc_client_secret: str | None = setting(
        None, "The secret that the provider has given to this server, if it did.", Group.LOGIN, secret=True)
    oidc_client_secret_file: str | None = setting(
        None, "File that holds this secret.", Group.LOGIN, metavar="FILE")
    oidc_scope: tuple[str, ...] = setting(
        (), "What to ask the provider for; without it openid, profile and email, or what the named provider needs.",
        Group.LOGIN, metavar="SCOPE", many=True)
    oidc_allowed_domain: tuple[str, ...] = setting(
        (), "Only users with a verified e-mail address in this domain may log in. Can be given several times.",
        Group.LOGIN, metavar="DOMAIN")
    oidc_redirect_url: str | None = setting(
        None, "Where the provider sends users back to, ending in /login-callback, if the request does not tell, as "
        "behind a proxy that cuts a prefix off.", Group.LOGIN, metavar="URL", check=check_redirect_url)
    user_claim: str | None = setting(
        None, "Which claim of the provider or the JWT is the user's name; it has to be one that no two users share. "
        "Without it sub; login at GitHub, email at Google and in a proxy's JWT.", Group.LOGIN, metavar="CLAIM")
    groups_claim: str = setting(
        "groups", "Which claim of the provider or the JWT lists the user's groups.", Group.LOGIN, metavar="CLAIM")
    auth_header_user: str | None = setting(
        None, "With --auth header, the header in which a trusted proxy names the user. The proxy must replace it in "
        "every request.", Group.LOGIN, metavar="NAME", check=check_header)
    auth_header_email: str | None = setting(
        None, "The header with the user's e-mail address.", Group.LOGIN, metavar="NAME", check=check_header)
    auth_header_groups: str | None = setting(
        None, "The header with the user's groups, separated by commas.", Group.LOGIN, metavar="NAME",
        check=check_header)
    auth_header_jwt: str | None = setting(
        None, "With --auth header, the header with a JWT that says who the user is; no other header then counts.",
        Group.LOGIN, metavar="NAME", check=check_header)
    auth_header_keys: str | None = setting(
        None, "The keys that verify the JWT: the URL of a JWKS, or a file with a JWKS or a public key in PEM.",
        Group.LOGIN, metavar="URL|FILE")
    auth_header_audience: str | None = setting(
        None, "For whom the JWT must have been made.", Group.LOGIN, metavar="TEXT")
    auth_header_issuer: str | None = setting(
        None, "Who must have made the JWT.", Group.LOGIN, metavar="TEXT")
    auth_header_logout_url: str | None = setting(
        None, "Where the proxy logs a user out: a URL, or a path of its host.", Group.LOGIN, metavar="URL",
        check=check_place)
    max_sessions: int = setting(
        10_000, "Most sessions at once; whoever comes when there are as many is told so in words. 0 sets no limit, as "
        "do the zeros of other limits.", Group.LIMITS, metavar="N", least=0)
    max_sessions_per_user: int = setting(
        200, "Most sessions at once of one user who has logged in.", Group.LIMITS, metavar="N", least=0)
    max_sessions_per_address: int = setting(
        2000, "Most sessions at once from one address, behind which a whole office may be. It does not count where "
        "the address of the visitor is not known, as behind a proxy without --use-xheaders.", Group.LIMITS,
        metavar="N", least=0)
    max_connections: int = setting(
        0, "Most connections at once; 0 is three quarters of the files that the process may open. When they are taken, "
        "those that have waited longest for a request give way.", Group.LIMITS, metavar="N", least=0)
    max_connections_per_address: int = setting(
        4000, "Most connections at once from one address; see --max-sessions-per-address. A browser has up to seven.",
        Group.LIMITS, metavar="N", least=0)
    max_header_size: int = setting(
        65536, "Largest head of a request: its address, headers and cookies.", Group.LIMITS,
        unit="bytes", metavar="BYTES", least=1024)
    max_body_size: int = setting(
        1024 * 1024, "Largest body of a request; only forms have one. The site of --wsgi has limits of its own.",
        Group.LIMITS, unit="bytes", metavar="BYTES", least=0)
    request_timeout: int = setting(
        30, "Time for the head of a request to arrive, and again for its body; 0 waits for ever.", Group.LIMITS,
        unit="s", metavar="S", least=0)
    websocket_max_message_size: int = setting(
        20 * 1024 * 1024, "Largest message that is taken from a browser or client.", Group.LIMITS,
        unit="bytes", metavar="BYTES", least=1)
    websocket_compression_level: int | None = setting(
        None, "Compress websocket messages, where the browser can, as much as zlib's level says; without it, and "
        "without --websocket-compression-mem-level, nothing is compressed.", Group.LIMITS,
        metavar="LEVEL", least=0, most=9)
    websocket_compression_mem_level: int | None = setting(
        None, "Compress websocket messages, and give each connection as much memory for it as zlib's memLevel says.",
        Group.LIMITS, metavar="LEVEL", least=1, most=9)
    stats_log_frequency_milliseconds: int = setting(
        15000, "How often to log how many connections and sessions there are, which --log-level debug shows.",
        Group.LOG, unit="ms", metavar="MS", flag="--stats-log-frequency", least=1)
    mem_log_frequency_milliseconds: int = setting(
        0, "How often to log how much memory the process takes; 0 never does. It needs psutil.", Group.LOG,
        unit="ms", metavar="MS", flag="--mem-log-frequency", least=0)
    log_level: str = setting(
        "info", "What to log: this and everything graver; None is info.", Group.LOG,
        metavar="LEVEL", bokeh_environment="BOKEH_PY_LOG_LEVEL", choices=LOG_LEVELS)
    log_format: str = setting(
        "%(asctime)s %(message)s", "How a line of the log looks, in the format of Python's logging, which may also "
        "name session, app, user, request_id and error_id.", Group.LOG, metavar="FORMAT", check=check_log_format)
    log_json: bool = setting(
        False, "Write the log as JSON, an object on each line; then --log-format does not count.", Group.LOG)
    log_file: str | None = setting(
        None, "File to write the log to instead of stderr.", Group.LOG, metavar="FILE")
    use_config: str | None = setting(
        None, "File with settings of bokeh in YAML, as bokeh serve takes it; stronger than the environment, weaker "
        "than options.", Group.FILES, metavar="FILE")

    def __post_init__(self) -> None:
        validate(TABLE, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)})
        if problem := conflict(self):
            raise ConfigError(problem)

    @classmethod
    def load(cls, explicit: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None, *,
             flags: bool = False, bokeh: BokehFile | None = None, bokeh_user: BokehFile | None = None) -> Settings:
        """The settings from, strongest first: ``explicit`` (by name), ``environ``, the file (TOML), the defaults.

        Of bokeh's files, ``bokeh`` comes before ``environ``, ``bokeh_user`` after the file. ``flags`` says that
        ``explicit`` came from the command line; errors then name the option. Raises ``ConfigError``, one line: which
        setting, from where, what is wrong, what is allowed.
        """
        found = gather(TABLE, explicit, environ, file, flags=flags, bokeh=bokeh, bokeh_user=bokeh_user)
        return cls(**{name: given.value for name, given in found.items()})

    def replace(self, **values: Any) -> Settings:
        """These settings with some other values, by name. Raises ``ConfigError``, also for a name that is none."""
        found = gather(TABLE, values, {}, None)
        return dataclasses.replace(self, **{name: given.value for name, given in found.items()})


TABLE: tuple[Setting, ...] = tuple(Setting.of(field) for field in dataclasses.fields(Settings))
"""All settings, in the order of ``--help`` and of the docs."""

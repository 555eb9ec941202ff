"""Options and variables of other servers (``panel serve``, Streamlit, uvicorn, gunicorn …), and what to use here."""

from __future__ import annotations

from collections.abc import Mapping

_NO_NEED = "leave it out"
_PROXY = "leave it to the proxy in front"
_SYSTEM = "leave it to the service manager (hotshoe deploy writes its configuration)"
_SITE = "there are no such routes; put the apps into a site that has them: --wsgi MODULE:APP"
_ADMIN = "there is no admin page"
_HEALTH = "leave it out, as /_hotshoe/health is always there"
_FILES = "put the files into the static/ folder of an app that is a directory, or let --wsgi MODULE:APP serve them"
_FORWARDED = "use --use-xheaders for a proxy on this machine, and --trusted-proxies ADDRESS for others"
_WORKERS = "leave it out, as one process serves with --threads N; for more, start more and put a proxy in front"
_FRESH = "leave it out, as the server needs no restarts"
_LOG = "use --log-file, --log-json or --log-format"
_ACCESS_LOG = "there is no log of requests; the proxy in front has one"
_TEMPLATE = "there is no template for this page; a page of your own needs --auth-module"

_PANEL = {
    "--admin": _ADMIN,
    "--admin-endpoint": _ADMIN,
    "--admin-log-level": _ADMIN,
    "--admin-password": _ADMIN,
    "--admin-users": _ADMIN,
    "--auth-template": "set pn.config.auth_template in the app",
    "--autoreload": "use --dev",
    "--basic-auth": "use --auth basic, and add users with hotshoe user add",
    "--basic-login-template": _TEMPLATE,
    "--cookie-path": "leave it out, as cookies are for --prefix",
    "--global-loading-spinner": "write pn.extension(global_loading_spinner=True) in the app",
    "--index-titles": "write a docstring in the app: its first line is the title on the index",
    "--liveness": _HEALTH,
    "--liveness-endpoint": _HEALTH,
    "--login-endpoint": "leave it out, as the login page is /login",
    "--logout-endpoint": "leave it out, as the logout page is /logout",
    "--logout-template": _TEMPLATE,
    "--num-threads": "use --threads",
    "--oauth-encryption-key": "leave it out, as no token of the provider is stored",
    "--oauth-error-template": _TEMPLATE,
    "--oauth-expiry-days": "use --login-lifetime, in seconds",
    "--oauth-extra-params": "use --oidc-scope, --oidc-tenant or the URL in --oidc-issuer",
    "--oauth-guest-endpoints": "use --public APP",
    "--oauth-jwt-user": "use --user-claim",
    "--oauth-key": "use --oidc-client-id",
    "--oauth-optional": "use --public '*'",
    "--oauth-provider": "use --auth oidc and --oidc-issuer",
    "--oauth-redirect-uri": "use --oidc-redirect-url",
    "--oauth-refresh-tokens": "leave it out, as apps get no tokens; --login-lifetime is how long a login lasts",
    "--oauth-secret": "use --oidc-client-secret-file",
    "--page-config": "use --index FILE for an index of your own; the other pages have one look",
    "--plugins": _SITE,
    "--profiler": "there is no profiler; py-spy record --pid PID needs no change of the server",
    "--rest-endpoint": _SITE,
    "--rest-provider": _SITE,
    "--rest-session-info": _SITE,
    "--reuse-sessions": "leave it out, as each page has a session of its own",
    "--root-path": "use --prefix, or leave it out if the proxy cuts the path off, as pages find out where they are",
    "--server": "leave it out, as there is one kind of server",
    "--session-history": "there is no history of sessions; --log-level debug logs how many there are",
    "--setup": "write it as on_server_loaded in app_hooks.py, in an app that is a directory with a main.py",
    "--static-dirs": _FILES,
    "--warm": "import what is slow in on_server_loaded in app_hooks.py, which runs at the start",
}

_UVICORN = {
    "--access-log": _ACCESS_LOG,
    "--app-dir": "name the app by its path",
    "--backlog": "use --max-connections",
    "--date-header": _NO_NEED,
    "--env-file": "put the settings into hotshoe.toml, and the app's variables into the environment",
    "--factory": "leave it out, or use --wsgi 'MODULE:make_app()' for a site",
    "--fd": "use --unix-socket or --port",
    "--forwarded-allow-ips": _FORWARDED,
    "--header": _PROXY,
    "--host": "use --address",
    "--http": _NO_NEED,
    "--interface": _NO_NEED,
    "--lifespan": _NO_NEED,
    "--limit-concurrency": "use --max-connections",
    "--limit-max-requests": _FRESH,
    "--limit-max-requests-jitter": _FRESH,
    "--no-access-log": "leave it out, as requests are not logged",
    "--no-date-header": _NO_NEED,
    "--no-proxy-headers": "leave it out, as such headers count only with --use-xheaders",
    "--no-server-header": "leave it out, as there is no such header",
    "--no-use-colors": _NO_NEED,
    "--proxy-headers": _FORWARDED,
    "--reload": "use --dev",
    "--reload-delay": "use --dev",
    "--reload-dir": "use --dev and --watch",
    "--reload-exclude": "use --dev and --watch",
    "--reload-include": "use --dev and --watch",
    "--server-header": _NO_NEED,
    "--ssl-ca-certs": _PROXY,
    "--ssl-cert-reqs": _PROXY,
    "--ssl-ciphers": _PROXY,
    "--ssl-keyfile-password": "set HOTSHOE_SSL_PASSWORD",
    "--ssl-version": _PROXY,
    "--timeout-graceful-shutdown": _NO_NEED,
    "--timeout-keep-alive": "leave it out, as idle connections make room for others (--max-connections)",
    "--timeout-worker-healthcheck": _NO_NEED,
    "--uds": "use --unix-socket",
    "--use-colors": _NO_NEED,
    "--workers": _WORKERS,
    "--ws": _NO_NEED,
    "--ws-max-queue": _NO_NEED,
    "--ws-max-size": "use --websocket-max-message-size",
    "--ws-per-message-deflate": "use --websocket-compression-level",
    "--ws-ping-interval": "use --keep-alive",
    "--ws-ping-timeout": "use --keep-alive",
}

_GUNICORN = {
    "--access-logfile": _ACCESS_LOG,
    "--access-logformat": _ACCESS_LOG,
    "--bind": "use --address and --port, or --unix-socket",
    "--ca-certs": _PROXY,
    "--capture-output": _LOG,
    "--cert-reqs": _PROXY,
    "--certfile": "use --ssl-certfile",
    "--chdir": "name the app by its path",
    "--ciphers": _PROXY,
    "--daemon": _SYSTEM,
    "--env": "put it into the environment",
    "--error-logfile": _LOG,
    "--graceful-timeout": _NO_NEED,
    "--group": _SYSTEM,
    "--keyfile": "use --ssl-keyfile",
    "--limit-request-field_size": "use --max-header-size",
    "--limit-request-fields": "use --max-header-size",
    "--limit-request-line": "use --max-header-size",
    "--log-config": _LOG,
    "--log-syslog": _SYSTEM,
    "--max-requests": _FRESH,
    "--max-requests-jitter": _FRESH,
    "--name": _SYSTEM,
    "--pid": _SYSTEM,
    "--preload": _NO_NEED,
    "--pythonpath": "set PYTHONPATH",
    "--reload-engine": "use --dev",
    "--reload-extra-file": "use --dev and --watch",
    "--reuse-port": _WORKERS,
    "--statsd-host": "there are no such figures; --log-level debug logs some",
    "--timeout": "leave it out, as a long callback does not stop the server",
    "--umask": "use --unix-socket-mode",
    "--user": _SYSTEM,
    "--worker-class": _NO_NEED,
    "--worker-connections": "use --max-connections",
    "-D": _SYSTEM,
    "-R": _SYSTEM,
    "-b": "use --address and --port, or --unix-socket",
    "-c": "use --config FILE, for hotshoe.toml",
    "-e": "put it into the environment",
    "-g": _SYSTEM,
    "-k": _NO_NEED,
    "-m": "use --unix-socket-mode",
    "-n": _SYSTEM,
    "-t": "leave it out, as a long callback does not stop the server",
    "-u": _SYSTEM,
    "-w": _WORKERS,
}

_STREAMLIT = {
    "--browser.gatherUsageStats": "leave it out, as nothing is reported to anybody",
    "--browser.serverAddress": "use --allow-websocket-origin for pages of other sites",
    "--logger.level": "use --log-level",
    "--logger.messageFormat": "use --log-format",
    "--server.address": "use --address",
    "--server.allowRunOnSave": "use --dev",
    "--server.baseUrlPath": "use --prefix",
    "--server.cookieSecret": "leave it out, or set BOKEH_SECRET_KEY (hotshoe secret prints a new key)",
    "--server.corsAllowedOrigins": "use --allow-websocket-origin",
    "--server.enableCORS": "use --allow-websocket-origin for pages of other sites",
    "--server.enableStaticServing": _FILES,
    "--server.enableWebsocketCompression": "use --websocket-compression-level",
    "--server.enableXsrfProtection": "use --enable-xsrf-cookies",
    "--server.fileWatcherType": "use --dev",
    "--server.folderWatchBlacklist": "use --dev and --watch",
    "--server.folderWatchList": "use --dev and --watch",
    "--server.headless": "leave it out, as no browser opens without --show",
    "--server.maxMessageSize": "use --websocket-max-message-size, in bytes",
    "--server.maxUploadSize": "use --websocket-max-message-size, in bytes",
    "--server.port": "use --port",
    "--server.runOnSave": "use --dev",
    "--server.sslCertFile": "use --ssl-certfile",
    "--server.sslKeyFile": "use --ssl-keyfile",
    "--server.websocketPingInterval": "use --keep-alive, in milliseconds",
}

_OTHERS = {
    "--browser": "use --show",
    "--debug": "use --log-level debug for more in the log, or --dev while you write the app",
    "--ip": "use --address",
    "--no-browser": "leave it out, as no browser opens without --show",
    "--open": "use --show",
    "--open-browser": "use --show",
    "--ssl-cert": "use --ssl-certfile",
    "--ssl-key": "use --ssl-keyfile",
    "--url-prefix": "use --prefix",
    "--verbose": "use --log-level debug",
    "--version": "hotshoe info shows the versions",
    "-d": "use --log-level debug for more in the log, or --dev while you write the app",
    "-o": "use --show",
    "-p": "use --port",
    "-v": "use --log-level debug",
}

FOREIGN_OPTIONS = {**_OTHERS, **_STREAMLIT, **_GUNICORN, **_UVICORN, **_PANEL}
"""Advice for each option."""

FAMILIES = dict.fromkeys(
    ("--browser.", "--client.", "--global.", "--logger.", "--mapbox.", "--magic.", "--runner.", "--secrets.",
     "--server.", "--theme.", "--ui."),
    "leave it out, as it is an option of Streamlit")
"""Advice for all options that begin so."""

_PANEL_LOGINS = {name: _PANEL[option] for name, option in (
    ("PANEL_BASIC_AUTH", "--basic-auth"), ("PANEL_OAUTH_PROVIDER", "--oauth-provider"))}


def panel_login(environ: Mapping[str, str]) -> str | None:
    """What is wrong if nobody has to log in here, though the environment has a login of ``panel serve``."""
    name = next((name for name in _PANEL_LOGINS if environ.get(name)), None)
    return name and f"{name} is a setting of panel serve: {_PANEL_LOGINS[name]}, or --auth none to let everybody in"

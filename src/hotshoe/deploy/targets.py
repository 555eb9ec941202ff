"""The table of targets: the files of each, and the plans that it can't fulfil."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from ..base.errors import ConfigError
from .plan import Plan, TlsSource

_HEROKU_IDLE_S = 55
"""Its router closes a connection without data after this time."""


class LoginHeaders(Enum):
    """How a target treats ``--auth header``: a proxy names the user in a header, which visitors could forge."""

    PASSED = "passed"
    """It passes such headers from the proxies in front, and drops them from others."""
    NOT_HERE = "not here"
    """It is not a proxy; hotshoe knows which proxies to trust."""
    NAMED = "named"
    """It is not a proxy, and hotshoe trusts whole networks unless a proxy is given."""
    REFUSED = "refused"
    """It can't distinguish senders, so it would pass forged headers."""
    NO_PROXY = "no proxy"
    """There is no proxy that logs users in."""

    def problem(self, target: str, plan: Plan) -> str | None:
        """Why a header could be forged, in one line; ``None`` if it can't."""
        if self is LoginHeaders.NO_PROXY and plan.settings.auth == "header":
            return f"{target} has no proxy that logs users in: leave --auth header out, or use --auth basic"
        if not plan.user_headers:
            return None
        header = plan.user_headers[0]
        match self:
            case LoginHeaders.PASSED if not plan.behind:
                return (f"any visitor could forge {header}, since this proxy does not log users in: give the one that "
                        "does with --behind ADDRESS, or use --auth-header-jwt")
            case LoginHeaders.NAMED if not plan.trusted:
                return (f"any machine in a private network could forge {header}: give the proxy that logs users in "
                        "with --trusted-proxies ADDRESS, or use --auth-header-jwt")
            case LoginHeaders.REFUSED:
                return (f"{target} passes {header} even if a visitor has forged it: use --auth-header-jwt, which is "
                        "verified, or another proxy with --behind ADDRESS")
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the table."""

    name: str
    what: str
    """A description in a few words."""
    files: Mapping[str, str]
    """Names of files, in which ``NAME`` stands for the plan's name, with their templates."""
    problem: Callable[[Plan], str | None] = lambda _: None
    """Why it can't fulfil a plan; ``None`` if it can."""
    runs: bool = False
    """Whether it starts hotshoe, so that it needs the apps."""
    logins: LoginHeaders = LoginHeaders.PASSED

    def check_plan(self, plan: Plan) -> None:
        """Raises ``ConfigError`` if it can't fulfil the plan."""
        if self.runs and not plan.apps and plan.site is None:
            raise ConfigError(f"hotshoe deploy {self.name} needs the apps to serve: hotshoe deploy {self.name} app.py")
        if problem := self.logins.problem(self.name, plan) or self.problem(plan):
            raise ConfigError(problem)


def _apache(plan: Plan) -> str | None:
    if plan.wstunnel and any(place.socket for place in plan.upstreams):
        return "--wstunnel can't reach a Unix socket: leave it out (needs Apache 2.4.47 or later), or use a port"
    return None


def _haproxy(plan: Plan) -> str | None:
    if plan.static_folder is not None:
        return "haproxy serves no files: leave --static out, hotshoe serves them compressed"
    if plan.tls is TlsSource.FILES and plan.key not in (plan.certificate, f"{plan.certificate}.key"):
        return ("haproxy reads certificate and key from one file: write both into one, give it with --tls, and leave "
                "--tls-key out")
    return None


def _traefik(plan: Plan) -> str | None:
    if plan.static_folder is not None:
        return "traefik serves no files: leave --static out, hotshoe serves them compressed"
    if any(place.socket for place in plan.upstreams):
        return "traefik can't reach a Unix socket: give the processes ports, with --port or --upstream"
    return None


def _systemd(plan: Plan) -> str | None:
    if not plan.program.startswith("/"):
        return "systemd needs the path of the program, such as --program /srv/venv/bin/hotshoe"
    if far := next((place for place in plan.upstreams if not place.is_near), None):
        return f"systemd starts processes on its own machine, but {far.authority} may be another one: use 127.0.0.1"
    sockets = [place for place in plan.upstreams if place.socket is not None]
    if len(sockets) not in (0, len(plan.upstreams)):
        return "systemd starts all processes in the same way: give only ports, or only Unix sockets"
    odd = [place.socket for place in sockets if not re.fullmatch(f"/run/{plan.name}/[^/]*\\.sock", place.socket or "")]
    if len(sockets) > 1 and odd:
        return f"{odd[0]}: several sockets must be /run/{plan.name}/NAME.sock, since systemd makes that folder"
    return None


def _container(plan: Plan) -> str | None:
    if any(place.socket for place in plan.upstreams):
        return "containers are reached by ports: leave --unix-socket out"
    if plan.static_folder is not None:
        return "the files of BokehJS are in the container: leave --static out, hotshoe serves them compressed"
    if absolute := next((app for app in plan.apps if app.startswith("/") or ".." in app.split("/")), None):
        return f"{absolute}: give apps relative to the folder that is copied into the image"
    return None


def _kubernetes(plan: Plan) -> str | None:
    if plan.tls is TlsSource.FILES:
        return "kubernetes keeps certificates in secrets: leave --tls out, and see the comment on the secret"
    return _container(plan)


def _heroku(plan: Plan) -> str | None:
    if plan.settings.keep_alive_milliseconds >= _HEROKU_IDLE_S * 1000:
        return f"Heroku closes connections without data after {_HEROKU_IDLE_S} s: lower --keep-alive"
    if plan.strip_prefix:
        return "Heroku can't remove the prefix: leave --strip-prefix out"
    return _container(plan)


def _tunnel(plan: Plan) -> str | None:
    if plan.strip_prefix:
        return "there is no proxy that could remove the prefix: leave --strip-prefix out"
    if not plan.domains:
        return "give the machine to log in to: hotshoe deploy ssh-tunnel --domain server.example.org"
    return None


_TABLE = (
    Target("nginx", "a site of nginx", {"NAME.conf": "nginx.j2"}),
    Target("apache", "a site of Apache httpd", {"NAME.conf": "apache.j2"}, _apache),
    Target("caddy", "a Caddyfile", {"Caddyfile": "caddy.j2"}),
    Target("haproxy", "a whole haproxy.cfg", {"haproxy.cfg": "haproxy.j2"}, _haproxy),
    Target("traefik", "static and dynamic configuration", {"traefik.yml": "traefik.j2", "NAME.yml": "traefik-site.j2"},
           _traefik, logins=LoginHeaders.REFUSED),
    Target("systemd", "a unit, or a template of units", {"UNIT": "systemd.j2"}, _systemd, runs=True,
           logins=LoginHeaders.NOT_HERE),
    Target("docker", "an image", {"Dockerfile": "dockerfile.j2", ".dockerignore": "dockerignore.j2"}, _container,
           runs=True, logins=LoginHeaders.NAMED),
    Target("compose", "containers behind Caddy", {"compose.yaml": "compose.j2", "Caddyfile": "caddy.j2"}, _container,
           runs=True, logins=LoginHeaders.REFUSED),
    Target("kubernetes", "Deployment, Service, Ingress", {"NAME.yaml": "kubernetes.j2"}, _kubernetes, runs=True,
           logins=LoginHeaders.REFUSED),
    Target("heroku", "an app of Heroku's", {"Procfile": "procfile.j2", "app.json": "appjson.j2",
                                            "requirements.txt": "requirements.j2"}, _heroku, runs=True,
           logins=LoginHeaders.REFUSED),
    Target("ssh-tunnel", "commands for a laptop", {"tunnel.sh": "tunnel.j2"}, _tunnel, logins=LoginHeaders.NO_PROXY),
)
TARGETS: Mapping[str, Target] = {target.name: target for target in _TABLE}
"""By name, in the order of the help text."""

"""The table of targets: which files each consists of, and what it can't do. Its templates have their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from ..errors import ConfigError
from .plan import Plan, Tls

_HEROKU_IDLE_S = 55
"""Its router cuts a connection that is silent for so long."""


class Logins(Enum):
    """What becomes of ``--auth header``, where a proxy says who the user is, and a stranger could say so as well."""

    PASSED = "passed"
    """Headers of the proxies in front are passed on; those of others are not."""
    NOT_HERE = "not here"
    """It is no proxy; hotshoe itself knows whom to believe."""
    NAMED = "named"
    """No proxy either, but hotshoe believes whole networks, unless a proxy is named."""
    REFUSED = "refused"
    """It can't tell one sender from another, and so would pass on what anybody says."""
    NOBODY = "nobody"
    """No proxy is there that could log anybody in."""

    def problem(self, target: str, plan: Plan) -> str | None:
        """Why users could not be told from strangers, in one line, or ``None``."""
        if self is Logins.NOBODY and plan.settings.auth == "header":
            return f"with {target} no proxy is there that logs users in: leave --auth header out, or use --auth basic"
        if not plan.user_headers:
            return None
        header = plan.user_headers[0]
        match self:
            case Logins.PASSED if not plan.behind:
                return (f"anybody could send {header}, as this proxy logs nobody in: name the one that does by "
                        "--behind ADDRESS, or use --auth-header-jwt")
            case Logins.NAMED if not plan.trusted:
                return (f"anybody in a private network could send {header}: name the proxy that logs in by "
                        "--trusted-proxies ADDRESS, or use --auth-header-jwt")
            case Logins.REFUSED:
                return (f"{target} passes on a {header} that a visitor has made up: use --auth-header-jwt, which is "
                        "verified, or another proxy with --behind ADDRESS")
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the table."""

    name: str
    what: str
    """What it prints, in a few words."""
    files: Mapping[str, str]
    """Names of files, where ``NAME`` stands for the plan's, and of their templates."""
    check: Callable[[Plan], str | None]
    """What of the plan it can't do, or ``None``."""
    runs: bool = False
    """Whether it starts hotshoe itself, so that it has to know the apps."""
    logins: Logins = Logins.PASSED

    def refuse(self, plan: Plan) -> None:
        """Raises ``ConfigError`` if the plan asks for what it can't do."""
        if self.runs and not plan.apps and plan.site is None:
            raise ConfigError(f"hotshoe deploy {self.name} needs the apps to serve: hotshoe deploy {self.name} app.py")
        if problem := self.logins.problem(self.name, plan) or self.check(plan):
            raise ConfigError(problem)


def _anything(_plan: Plan) -> str | None:
    return None


def _apache(plan: Plan) -> str | None:
    if plan.wstunnel and any(place.socket for place in plan.upstreams):
        return "--wstunnel can't reach a Unix socket; leave it out with Apache 2.4.47 or later, or use a port"
    return None


def _haproxy(plan: Plan) -> str | None:
    if plan.static_folder is not None:
        return "haproxy serves no files: leave --static out, hotshoe serves them compressed"
    if plan.tls is Tls.FILES and plan.key not in (plan.certificate, f"{plan.certificate}.key"):
        return ("haproxy reads certificate and key from one file: cat both into it, name it with --tls, and leave "
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
        return "systemd needs the path of the program: --program /srv/venv/bin/hotshoe"
    if far := next((place for place in plan.upstreams if not place.is_near), None):
        return f"systemd starts processes of its own machine, and {far.authority} may be another: use 127.0.0.1"
    sockets = [place for place in plan.upstreams if place.socket is not None]
    if len(sockets) not in (0, len(plan.upstreams)):
        return "systemd starts all processes in one way: name only ports or only Unix sockets"
    odd = [place.socket for place in sockets if _instance_of(place.socket, plan.name) is None]
    if len(sockets) > 1 and odd:
        return f"{odd[0]}: several sockets have to be /run/{plan.name}/NAME.sock, as systemd makes that folder"
    return None


def _instance_of(socket: str | None, name: str) -> str | None:
    folder, _, file = (socket or "").rpartition("/")
    return file.removesuffix(".sock") if folder == f"/run/{name}" and file.endswith(".sock") else None


def _container(plan: Plan) -> str | None:
    if any(place.socket for place in plan.upstreams):
        return "containers are reached by ports: leave --unix-socket out"
    if plan.static_folder is not None:
        return "the files of BokehJS are inside the container: leave --static out, hotshoe serves them compressed"
    if absolute := next((app for app in plan.apps if app.startswith("/") or ".." in app.split("/")), None):
        return f"{absolute}: name apps relative to the folder that is copied into the image"
    return None


def _kubernetes(plan: Plan) -> str | None:
    if plan.tls is Tls.FILES:
        return "kubernetes keeps certificates in secrets: leave --tls out, and see the comment on the secret"
    return _container(plan)


def _heroku(plan: Plan) -> str | None:
    if plan.settings.keep_alive_milliseconds >= _HEROKU_IDLE_S * 1000:
        return f"Heroku cuts what is silent for {_HEROKU_IDLE_S} s: lower --keep-alive"
    if plan.strip_prefix:
        return "Heroku can't cut the prefix off: leave --strip-prefix out"
    return _container(plan)


def _tunnel(plan: Plan) -> str | None:
    if plan.strip_prefix:
        return "no proxy is there that could cut the prefix off: leave --strip-prefix out"
    if not plan.domains:
        return "name the machine to log in to: hotshoe deploy ssh-tunnel --domain server.example.org"
    return None


TABLE = (
    Target("nginx", "a site of nginx", {"NAME.conf": "nginx.j2"}, _anything),
    Target("apache", "a site of Apache httpd", {"NAME.conf": "apache.j2"}, _apache),
    Target("caddy", "a Caddyfile", {"Caddyfile": "caddy.j2"}, _anything),
    Target("haproxy", "a whole haproxy.cfg", {"haproxy.cfg": "haproxy.j2"}, _haproxy),
    Target("traefik", "static and dynamic configuration", {"traefik.yml": "traefik.j2", "NAME.yml": "traefik-site.j2"},
           _traefik, logins=Logins.REFUSED),
    Target("systemd", "a unit, or a template of units", {"UNIT": "systemd.j2"}, _systemd, runs=True,
           logins=Logins.NOT_HERE),
    Target("docker", "an image", {"Dockerfile": "dockerfile.j2", ".dockerignore": "dockerignore.j2"}, _container,
           runs=True, logins=Logins.NAMED),
    Target("compose", "containers behind Caddy", {"compose.yaml": "compose.j2", "Caddyfile": "caddy.j2"}, _container,
           runs=True, logins=Logins.REFUSED),
    Target("kubernetes", "Deployment, Service, Ingress", {"NAME.yaml": "kubernetes.j2"}, _kubernetes, runs=True,
           logins=Logins.REFUSED),
    Target("heroku", "an app of Heroku's", {"Procfile": "procfile.j2", "app.json": "appjson.j2",
                                            "requirements.txt": "requirements.j2"}, _heroku, runs=True,
           logins=Logins.REFUSED),
    Target("ssh-tunnel", "commands for a laptop", {"tunnel.sh": "tunnel.j2"}, _tunnel, logins=Logins.NOBODY),
)
TARGETS: Mapping[str, Target] = {target.name: target for target in TABLE}
"""By name, in the order of the help."""

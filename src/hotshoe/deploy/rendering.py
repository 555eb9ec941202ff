"""From a plan to the files of a target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..config import Settings
from .commands import serve_lines, serve_words, shell_line, wrap_lines
from .plan import PRIVATE_NETWORKS, Plan
from .targets import Target
from .values import Place, plain, spellings

_DROPPED = ("Forwarded", "X-Scheme", "X-Forwarded-Port", "X-Forwarded-Ssl")
"""Headers that no proxy here sets, and that hotshoe or a site may believe."""
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a configuration."""

    name: str
    text: str
    is_yours: bool = False
    """Whether one that is there already is the user's own: it is never replaced, but needs ``text``'s requirements."""


def render(target: Target, plan: Plan, version: str) -> tuple[File, ...]:
    """The files of the target for the plan; ``version`` is hotshoe's, for the top of each.

    Raises ``ConfigError`` if the target can't do what the plan asks for.
    """
    target.refuse(plan)
    plan = _adapted(target, plan)
    names = {"NAME": plan.name, "UNIT": _unit(plan)}
    context = {"plan": plan, "target": target, "version": version, "unit": _unit(plan), "serves": (),
               "dropped": _DROPPED,
               **_commands(target, plan)}
    files = []
    for name, template in target.files.items():
        for word, meant in names.items():
            name = name.replace(word, meant)
        text = _environment().get_template(template).render(context)
        files.append(File(name, text, is_yours=name == "requirements.txt"))
    return tuple(files)


@cache
def _environment() -> Environment:
    # Nothing is escaped for HTML: no value can have a character that means something, see values.py.
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), trim_blocks=True, lstrip_blocks=True,  # noqa: S701
                              keep_trailing_newline=True, undefined=StrictUndefined)
    environment.filters["quoted"] = _quoted
    environment.filters["spellings"] = spellings
    environment.filters["shell"] = shell_line
    return environment


def _quoted(value: Any) -> str:
    """As JSON, which YAML and Dockerfiles read too."""
    return json.dumps(value)


def _adapted(target: Target, plan: Plan) -> Plan:
    """The plan with what the target itself settles."""
    if target.name == "compose":
        places = tuple(Place(f"{plan.name}-{number}", _port(plan)) for number in range(1, plan.replicas + 1))
        return replace(plan, upstreams=places, trusted=_with_private(plan))
    if target.name in ("docker", "kubernetes"):
        return replace(plan, trusted=_with_private(plan))
    if target.name == "heroku":
        return replace(plan, trusted=tuple(dict.fromkeys((*plan.trusted, "10.0.0.0/8"))))
    return plan


def _port(plan: Plan) -> int:
    """Inside containers, where nobody but hotshoe listens."""
    return plan.settings.port or Settings().port


def _with_private(plan: Plan) -> tuple[str, ...]:
    # Whoever is believed to say who the user is has a name of its own.
    is_named = plan.settings.trusted_proxies or plan.user_headers
    return tuple(dict.fromkeys((*plan.trusted, *(() if is_named else PRIVATE_NETWORKS))))


def _unit(plan: Plan) -> str:
    """The name of the systemd unit: a template if there are several processes."""
    return f"{plan.name}@.service" if plan.has_several else f"{plan.name}.service"


def _commands(target: Target, plan: Plan) -> Mapping[str, Any]:
    match target.name:
        case "systemd":
            own = () if "--secret-file" in plan.given else ("--secret-file", f"/var/lib/{plan.name}/secret-key")
            return {"serve": serve_words(plan, *_of_unit(plan), *own)}
        case "docker" | "compose" | "kubernetes":
            return {"serve": serve_words(replace(plan, program="hotshoe"), "--port", str(_port(plan))),
                    "port": _port(plan), "secret_files": _secret_files(plan.settings)}
        case "heroku":
            return {"serve": serve_words(replace(plan, program="hotshoe"))}
        case "ssh-tunnel":
            place = plan.upstreams[0]
            where = ("--unix-socket", place.socket) if place.socket else ("--address", "127.0.0.1", "--port",
                                                                          str(place.port))
            return {"serve": serve_words(plan, *where, behind_proxy=False), "place": place}
    return {"serves": serve_lines(plan), "wrap": wrap_lines(plan)}


def _secret_files(settings: Settings) -> tuple[str, ...]:
    """Names of files of hotshoe's that must not get into an image: those of its settings, and their usual ones."""
    named = {"--users-file": settings.users_file, "--secret-file": settings.secret_file,
             "--oidc-client-secret-file": settings.oidc_client_secret_file, "--ssl-keyfile": settings.ssl_keyfile}
    names = [plain(option, PurePath(path).name) for option, path in named.items() if path]
    return tuple(dict.fromkeys((Settings().users_file, "secret-key", *names)))


def _of_unit(plan: Plan) -> tuple[str, ...]:
    first, *others = plan.upstreams
    if first.socket is not None:
        socket = f"/run/{plan.name}/%i.sock" if others else first.socket
        return ("--unix-socket", socket, "--unix-socket-mode", "660")
    return ("--address", first.host, "--port", "%i" if others else str(first.port))

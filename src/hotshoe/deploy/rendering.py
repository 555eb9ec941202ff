"""Makes the files of a target from a plan, with the ``hotshoe serve`` commands in them; prints or writes them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePath
from textwrap import indent
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..base.errors import ConfigError
from ..config import TABLE, Group, Settings
from .plan import PRIVATE_NETWORKS, Plan
from .targets import Target
from .values import Endpoint, plain, spellings

DROPPED = ("Forwarded", "X-Scheme", "X-Forwarded-Port", "X-Forwarded-Ssl")
"""Headers that hotshoe or a site may trust, but none of these proxies sets: visitors could forge them."""
_ONLY_FOR_SERVE = frozenset({"args", "dev", "glob", "num_procs", "show", "watch", "wsgi"})
"""Settings that have no meaning if another server runs the apps."""
_WIDTH = 100
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


@cache
def environment() -> Environment:
    """The environment of all templates. ``templates/lines`` has those lines of proxies that the doctor also prints."""
    # Nothing is escaped: values.py allows no character with a meaning in any configuration.
    made = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), trim_blocks=True,  # noqa: S701
                       lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    made.globals["dropped"] = DROPPED
    # YAML and Dockerfiles accept JSON strings and lists.
    made.filters |= {"quoted": json.dumps, "spellings": spellings, "shell": shlex.join, "inside": _inside}
    return made


def _inside(text: str, by: str = "    ") -> str:
    """Indent lines that are inside a block."""
    return indent(text.strip("\n"), by)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a configuration."""

    name: str
    text: str
    is_yours: bool = False
    """Whether an existing file is the user's own: it is never replaced, but must contain ``text``'s requirements."""


def render(target: Target, plan: Plan, version: str) -> tuple[File, ...]:
    """The files of the target for the plan, with hotshoe's ``version`` in their comments.

    Raises ``ConfigError`` if the target can't do what the plan needs.
    """
    target.check_plan(plan)
    plan = _adapted(target, plan)
    unit = f"{plan.name}@.service" if plan.has_several else f"{plan.name}.service"
    context = {"plan": plan, "target": target, "version": version, "unit": unit, "serves": (),
               **_commands(target, plan)}
    files = []
    for name, template in target.files.items():
        name = name.replace("NAME", plan.name).replace("UNIT", unit)
        text = environment().get_template(template).render(context)
        files.append(File(name, text, is_yours=name == "requirements.txt"))
    return tuple(files)


def _adapted(target: Target, plan: Plan) -> Plan:
    """The plan with the values that the target determines."""
    if target.name == "compose":
        places = tuple(Endpoint(f"{plan.name}-{number}", _port(plan)) for number in range(1, plan.replicas + 1))
        return replace(plan, upstreams=places, trusted=_with_private(plan))
    if target.name in ("docker", "kubernetes"):
        return replace(plan, trusted=_with_private(plan))
    if target.name == "heroku":
        return replace(plan, trusted=tuple(dict.fromkeys((*plan.trusted, "10.0.0.0/8"))))
    return plan


def _port(plan: Plan) -> int:
    """Inside a container, where only hotshoe listens."""
    return plan.settings.port or Settings().port


def _with_private(plan: Plan) -> tuple[str, ...]:
    # A proxy that is trusted to name the user must be given itself.
    is_named = plan.settings.trusted_proxies or plan.user_headers
    return tuple(dict.fromkeys((*plan.trusted, *(() if is_named else PRIVATE_NETWORKS))))


def _commands(target: Target, plan: Plan) -> Mapping[str, Any]:
    match target.name:
        case "systemd":
            own = () if "--secret-file" in plan.serve_options else ("--secret-file", f"/var/lib/{plan.name}/secret-key")
            return {"serve": serve_words(plan, *_unit_options(plan), *own)}
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
    """Names of hotshoe's files that must stay out of an image: those in its settings, and the default ones."""
    named = {"--users-file": settings.users_file, "--secret-file": settings.secret_file,
             "--oidc-client-secret-file": settings.oidc_client_secret_file, "--ssl-keyfile": settings.ssl_keyfile}
    names = [plain(option, PurePath(path).name) for option, path in named.items() if path]
    return tuple(dict.fromkeys((Settings().users_file, "secret-key", *names)))


def _unit_options(plan: Plan) -> tuple[str, ...]:
    first, *others = plan.upstreams
    if first.socket is not None:
        return _listen_options(Endpoint(socket=f"/run/{plan.name}/%i.sock") if others else first)
    return ("--address", first.host, "--port", "%i" if others else str(first.port))


def serve_words(plan: Plan, *place: str, behind_proxy: bool = True) -> tuple[str, ...]:
    """The command as words. ``place`` are the options for the address where it listens."""
    apps = plan.apps or (("app.py",) if plan.site is None else ())  # a site may bring its own
    words = [plan.program, "serve", *apps, *place]
    if plan.site is not None:
        words += ["--wsgi", plan.site]
    if plan.inner_prefix:
        words += ["--prefix", plan.inner_prefix]
    if behind_proxy:
        words.append("--use-xheaders")
        for network in plan.trusted:
            words += ["--trusted-proxies", network]
        for domain in plan.allowed_hosts:
            words += ["--allowed-hosts", domain]
        if plan.hsts_s:
            words += ["--hsts-max-age", str(plan.hsts_s)]
    return (*words, *plan.serve_options)


def serve_lines(plan: Plan) -> tuple[str, ...]:
    """A shell command for each process behind a proxy."""
    return tuple(shlex.join(serve_words(plan, *_listen_options(place))) for place in plan.upstreams)


def wrap_lines(plan: Plan) -> tuple[str, ...]:
    """Python code for another ASGI server: ``application`` is the site with the apps in it.

    ``hotshoe.wrap`` reads no configuration file and no environment, so all settings but secret ones are in the code.
    """
    if plan.site is None:
        return ()
    module, _, attribute = plan.site.partition(":")
    apps = ", ".join(f'"/{name}": "{app}"' for name, app in zip(plan.names, plan.apps, strict=True))
    served = f"{module}.{attribute}, {{{apps}}}" if apps else f"{module}.{attribute}"
    options = ", ".join(f"{name}={value!a}" for name, value in _changed_settings(plan).items())
    if plan.settings.auth != "none":  # wrap's own auth= is another option than the setting
        options = f"settings=hotshoe.Settings({options})"
    return ("import hotshoe", f"import {module}", f"application = hotshoe.wrap({served}, {options})")


def _changed_settings(plan: Plan) -> Mapping[str, Any]:
    """The settings that differ from their defaults, by name, with the plan's settings for the proxy."""
    given = {row.name: value for row in TABLE
             if row.doc.group not in (Group.LISTEN, Group.LOG, Group.FILES)
             and not row.doc.secret and row.name not in _ONLY_FOR_SERVE
             and (value := getattr(plan.settings, row.name)) != row.default}
    outer: dict[str, Any] = {"trusted_proxies": plan.trusted, "prefix": plan.inner_prefix,
                             "allowed_hosts": plan.allowed_hosts}
    if plan.hsts_s:
        outer["hsts_max_age"] = plan.hsts_s
    return {"use_xheaders": True, **{name: value for name, value in outer.items() if value}, **given}


def _listen_options(place: Endpoint) -> tuple[str, ...]:
    if place.socket is not None:
        return ("--unix-socket", place.socket, "--unix-socket-mode", "660")
    if place.is_near:
        return ("--address", place.host, "--port", str(place.port))
    return ("--port", str(place.port))


def as_text(files: Sequence[File]) -> str:
    """All files as one text; if there are several, each has a line with its name before it."""
    if len(files) == 1:
        return files[0].text
    return "\n".join(f"{f'# ---- {file.name} '.ljust(_WIDTH, '-')}\n{file.text}" for file in files)


def missing_requirements(files: Sequence[File], folder: Path) -> tuple[str, ...]:
    """A message for each line to add to an existing file of the user's own. Raises ``ConfigError``."""
    return tuple(f"{folder / file.name} is not changed; add this line to it: {line}"
                 for file in files if file.is_yours and _exists(folder / file.name)
                 for line in file.text.splitlines()
                 if not line.startswith("#") and not _requires(_text_of(folder / file.name), line))


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"--output: {path} can't be read: {error.strerror}") from error


def _requires(text: str, wanted: str) -> bool:
    """Whether some line has the wanted requirement, in any version, with all its extras."""
    name, extras = _requirement(wanted)
    return any(found == name and having >= extras for found, having in map(_requirement, text.splitlines()))


def _requirement(line: str) -> tuple[str, frozenset[str]]:
    match = _REQUIREMENT.match(line)
    if match is None:
        return "", frozenset()
    return match[1].lower(), frozenset(extra.strip().lower() for extra in (match[2] or "").split(",") if extra.strip())


def write(files: Sequence[File], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the files into the folder, which is made if necessary. Raises ``ConfigError``.

    Without ``force`` nothing is written if one of them exists. An existing file of the user's own is never replaced;
    see ``missing_requirements``.
    """
    files = [file for file in files if not (file.is_yours and _exists(folder / file.name))]
    paths = tuple(folder / file.name for file in files)
    existing = next((path for path in paths if _exists(path)), None)
    if existing is not None and not force:
        raise ConfigError(f"--output: {existing} exists; replace it with --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, file in zip(paths, files, strict=True):
            # "x" fails if another program has made the file meanwhile.
            with path.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
                opened.write(file.text)
    except FileExistsError:
        raise ConfigError(f"--output: {folder} is a file; give a folder") from None
    except OSError as error:
        raise ConfigError(f"--output: {error.filename or folder} can't be written: {error.strerror}") from error
    return paths

"""The `hotshoe serve` commands that the configurations go with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..config import TABLE, Group
from .plan import Plan
from .values import Place

_OF_THE_COMMAND = frozenset({"args", "dev", "glob", "num_procs", "show", "watch", "wsgi"})
"""Settings that make no sense where another server runs the apps."""


def serve_words(plan: Plan, *place: str, trusted: tuple[str, ...] = (), behind_proxy: bool = True) -> tuple[str, ...]:
    """The command as words; ``place`` are the options that say where it listens.

    ``trusted`` are more proxies to believe; those of its own machine always are.
    """
    apps = plan.apps or (("app.py",) if plan.site is None else ())  # a site may bring its own
    words = [plan.program, "serve", *apps, *place]
    if plan.site is not None:
        words += ["--wsgi", plan.site]
    if plan.inner_prefix:
        words += ["--prefix", plan.inner_prefix]
    if behind_proxy:
        words.append("--use-xheaders")
        for network in dict.fromkeys((*plan.trusted, *trusted)):
            words += ["--trusted-proxies", network]
    return (*words, *plan.given)


def serve_lines(plan: Plan) -> tuple[str, ...]:
    """A command for each process behind a proxy."""
    return tuple(shell_line(serve_words(plan, *_listening(place))) for place in plan.upstreams)


def wrap_lines(plan: Plan) -> tuple[str, ...]:
    """Python that makes the same with another ASGI server: ``application``, the site with the apps in it.

    ``hotshoe.wrap`` reads no file of settings and no environment, so all settings stand there but secret ones.
    """
    if plan.site is None:
        return ()
    module, _, attribute = plan.site.partition(":")
    apps = ", ".join(f'"/{name}": "{app}"' for name, app in zip(plan.names, plan.apps, strict=True))
    served = f"{module}.{attribute}, {{{apps}}}" if apps else f"{module}.{attribute}"
    said = ", ".join(f"{name}={value!a}" for name, value in _settings(plan).items())
    # wrap's own auth= is more than the setting.
    said = f"settings=hotshoe.Settings({said})" if plan.settings.auth != "none" else said
    return ("import hotshoe", f"import {module}",
            f"application = hotshoe.wrap({served}, {said})")


def _settings(plan: Plan) -> Mapping[str, Any]:
    """The settings of the apps that are not at their defaults, by name, with what the plan says of the proxy."""
    given = {row.name: value for row in TABLE
             if row.declaration.group not in (Group.PLACE, Group.LOG, Group.FILES)
             and not row.declaration.secret and row.name not in _OF_THE_COMMAND
             and (value := getattr(plan.settings, row.name)) != row.default}
    outer = {"trusted_proxies": plan.trusted, "prefix": plan.inner_prefix}
    return {"use_xheaders": True, **{name: value for name, value in outer.items() if value}, **given}


def shell_line(words: tuple[str, ...]) -> str:
    """The command for a shell."""
    return shlex.join(words)


def _listening(place: Place) -> tuple[str, ...]:
    if place.socket is not None:
        return ("--unix-socket", place.socket, "--unix-socket-mode", "660")
    if place.is_near:
        return ("--address", place.host, "--port", str(place.port))
    return ("--port", str(place.port))

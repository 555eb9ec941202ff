"""The `hotshoe serve` commands that the configurations go with."""

from __future__ import annotations

import shlex

from .plan import Plan
from .values import Place


def serve_words(plan: Plan, *place: str, trusted: tuple[str, ...] = (), behind_proxy: bool = True) -> tuple[str, ...]:
    """The command as words; ``place`` are the options that say where it listens.

    ``trusted`` are more proxies to believe; those of its own machine always are.
    """
    words = [plan.program, "serve", *(plan.apps or ("app.py",)), *place]
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


def shell_line(words: tuple[str, ...]) -> str:
    """The command for a shell."""
    return shlex.join(words)


def _listening(place: Place) -> tuple[str, ...]:
    if place.socket is not None:
        return ("--unix-socket", place.socket, "--unix-socket-mode", "660")
    if place.is_near:
        return ("--address", place.host, "--port", str(place.port))
    return ("--port", str(place.port))

"""A command line of ``hotshoe serve`` as files and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hotshoe.cli.serve import read
from hotshoe.config import Settings


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], Settings]:
    """The files and the settings. Exits with status 2 if the usage is wrong."""
    files, sources = read(arguments, environ)
    return files, sources.settings()

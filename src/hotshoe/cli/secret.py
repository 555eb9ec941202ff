"""``hotshoe secret``: print a new key that signs session ids, for ``BOKEH_SECRET_KEY``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tokens import new_session_id
from .arguments import Parser


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the key."""
    make_parser().parse_args(arguments)
    print(new_session_id())  # as many random letters and digits as a key needs
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe secret``."""
    return Parser(
        "secret", usage="",
        description="Print a new random key of 44 letters and digits. Set the environment variable BOKEH_SECRET_KEY "
                    "to it; servers that share sessions or users need the same key. Keep it like a password.")

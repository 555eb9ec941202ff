"""``hotshoe secret``: print a new key that signs sessions, for ``BOKEH_SECRET_KEY``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tokens import new_session_id
from .options import Parser


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the key."""
    make_parser().parse_args(arguments)
    print(new_session_id())  # as many random letters and digits as a key needs
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe secret``."""
    return Parser(
        prog="hotshoe secret",
        usage="hotshoe secret",
        description="Print a new random key of 44 letters and digits. Servers that share sessions or users get the "
                    "same one in the environment's BOKEH_SECRET_KEY; keep it like a password.")

"""``hotshoe json``: the document of each app as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .arguments import Parser, configure_bokeh, split_app_arguments
from .html import add_arguments, use_each, write

if TYPE_CHECKING:
    from bokeh.document import Document


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write a file for each app. Raises ``UserError``."""
    own, argv = split_app_arguments(arguments)
    values = make_parser().parse_intermixed_args(own)
    configure_bokeh()

    def use(name: str, document: Document) -> None:
        from bokeh.core.json_encoder import serialize_json

        # The data of arrays is part of it. bokeh json writes only the ids of buffers.
        write(name, serialize_json(document.to_json(deferred=False), indent=values.indent))

    use_each(values.files, argv, values.output, "json", use)
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe json``."""
    parser = Parser(
        "json", "FILE [FILE ...] [options] [--args ...]",
        description="Run each app once, without a server, and write its document as JSON, for BokehJS's "
                    "Bokeh.embed.embed_items or another tool.")
    add_arguments(parser, "json")
    parser.add_argument("--indent", metavar="SPACES", type=int,
                        help="Break lines, and indent them by this number of spaces (default: one line)")
    return parser

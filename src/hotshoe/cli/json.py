"""``hotshoe json``: the document of each app as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .documents import add_arguments, split, use_each, write
from .loading import tell_bokeh
from .options import Parser

if TYPE_CHECKING:
    from bokeh.document import Document


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write a file for each app. Raises ``UserError``."""
    own, argv = split(arguments)
    values = make_parser().parse_intermixed_args(own)
    tell_bokeh()

    def use(name: str, document: Document) -> None:
        from bokeh.core.json_encoder import serialize_json

        # With the data of arrays in it; bokeh json writes ids of buffers that it does not write.
        write(name, serialize_json(document.to_json(deferred=False), indent=values.indent))

    use_each(values.files, argv, values.output, "json", use)
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe json``."""
    parser = Parser(
        prog="hotshoe json",
        usage="hotshoe json FILE [FILE ...] [options] [--args ...]",
        description="Run each app once, without a server, and write its document as JSON, for BokehJS's "
                    "Bokeh.embed.embed_items or another tool.")
    add_arguments(parser, "json")
    parser.add_argument("--indent", metavar="SPACES", type=int, default=None,
                        help="Write several lines, indented by so many spaces")
    return parser

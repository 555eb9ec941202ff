"""``hotshoe completion``: what makes a shell complete ``hotshoe``, made of the commands' own parsers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import shells
from .options import Parser
from .vocabulary import vocabulary

_SHELLS: Mapping[str, Callable[[Sequence[shells.Words]], str]] = {
    "bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish,
}

_PLACES = """\
bash  hotshoe completion bash >> ~/.bash_completion
zsh   source <(hotshoe completion zsh)     in ~/.zshrc, after compinit
fish  hotshoe completion fish > ~/.config/fish/completions/hotshoe.fish"""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the script."""
    shell = make_parser().parse_args(arguments).shell
    print(_SHELLS[shell](vocabulary()), end="")
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe completion``."""
    parser = Parser(
        prog="hotshoe completion",
        usage="hotshoe completion bash|zsh|fish",
        description="Print a script for the shell to read at its start: it completes commands, options, and what these "
                    "can be.",
        epilog=_PLACES)
    parser.add_argument("shell", metavar="SHELL", choices=tuple(_SHELLS), help="bash, zsh or fish")
    return parser

"""``hotshoe completion``: scripts for shells, which shtab makes from the commands' own parsers.

Their gaps are filled here: values in ``--option=value``, and for zsh more than one file.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence

from ..base.extras import need
from ..config import TABLE
from .arguments import Parser
from .main import COMMANDS, module_of

_SHELLS = ("bash", "zsh", "fish")
_HOW_TO_USE = """\
bash  hotshoe completion bash >> ~/.bash_completion
zsh   source <(hotshoe completion zsh)     in ~/.zshrc, after compinit
fish  hotshoe completion fish > ~/.config/fish/completions/hotshoe.fish"""
_FILE_WORDS = {"FILE", "PATH"}
_BASH_VALUES = """
# bash splits --option=value into three words.
_hotshoe() {
    local word words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD}"; do [[ $word == "=" ]] || words+=("$word"); done
    words+=("${COMP_WORDS[COMP_CWORD]#=}")
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$(( ${#words[@]} - 1 ))
    _shtab_hotshoe
}
complete -F _hotshoe hotshoe
"""
_ZSH_FIXES = (
    (r'^  "(\*?--[\w-]+)(\[.*\]:)', r'  "\1=\2'),  # a value may follow "="
    (r'^  "\(\*\)::?', '  "*:'),  # a file may follow another one
    (r"\$zsh_eval_context\[-1\] == eval", "$funcstack[1] != _hotshoe"),  # it may also be read by source
)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the script. Raises ``ConfigError`` without shtab."""
    shell = make_parser().parse_args(arguments).shell
    print(script(shell))
    return 0


def make_parser() -> Parser:
    """The parser of ``hotshoe completion``."""
    parser = Parser(
        "completion", "bash|zsh|fish",
        description="Print a script for the shell's startup file. It completes commands, options and their values.",
        epilog=_HOW_TO_USE)
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help="bash, zsh or fish")
    return parser


def script(shell: str) -> str:
    """The script. Raises ``ConfigError`` without shtab."""
    need("hotshoe completion", "completion", "shtab")
    import shtab

    text = shtab.complete(_whole_parser(shtab.FILE), shell)
    if shell == "bash":
        return text + _BASH_VALUES
    for pattern, fixed in _ZSH_FIXES if shell == "zsh" else ():
        text = re.sub(pattern, fixed, text, flags=re.MULTILINE)
    return text


def _whole_parser(files: object) -> argparse.ArgumentParser:
    """One parser of all commands. ``files`` marks an argument as the name of a file."""
    parser = argparse.ArgumentParser("hotshoe")
    parser.add_argument("--version", action="store_true", help="Show the versions")
    subparsers = parser.add_subparsers()
    for name, summary in COMMANDS.items():
        part = module_of(name).make_parser()
        for action in part.actions:
            if isinstance(action.metavar, str):
                words = re.findall(r"\w+", action.metavar)
                action.metavar = " ".join(words)  # zsh would end it at a colon
                if _FILE_WORDS & set(words):
                    action.complete = files  # type: ignore[attr-defined]  # shtab reads it
            if name == "settings" and action.dest == "names":
                action.choices = [row.key for row in TABLE]
        subparsers.add_parser(name, parents=[part], add_help=False, help=summary)
    about = subparsers.add_parser("help", help="Show the options of a command")
    about.add_argument("command", choices=list(COMMANDS))
    return parser

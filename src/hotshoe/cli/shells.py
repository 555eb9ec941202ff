"""Completion for three shells. Pure: words in, a script out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

FILES: Final = ("<files>",)
"""Stands for the names of files where values are wanted."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...] = ()
    """What it can be, if that is known."""


@dataclass(frozen=True, slots=True)
class Words:
    """A command."""

    name: str
    summary: str
    options: tuple[Option, ...]
    arguments: tuple[str, ...] = ()
    """What may stand after it, options apart."""

    @property
    def flags(self) -> list[str]:
        """The names of its options."""
        return [name for option in self.options for name in option.names]


# -- bash -----------------------------------------------------------------------------------------------------

_BASH = """\
# Completion of hotshoe for bash, from 3.2 on. Made by: hotshoe completion bash
_hotshoe() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" values="" IFS=$'\\n'
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=( $(IFS=' '; compgen -W "{commands} --help --version" -- "$cur") )
        return
    fi
    # --option=value comes as three words
    if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
    case "${{COMP_WORDS[1]}} $prev" in
{values}
        *)
            case "${{COMP_WORDS[1]}}" in
{arguments}
            esac
            ;;
    esac
    if [[ $values == "<files>" ]]; then
        COMPREPLY=( $(compgen -f -- "$cur") )
    else
        COMPREPLY=( $(IFS=' '; compgen -W "$values" -- "$cur") )
    fi
}}
complete -o filenames -F _hotshoe hotshoe
"""


def bash(commands: Sequence[Words]) -> str:
    """The script for bash."""
    return _BASH.format(
        commands=" ".join(command.name for command in commands),
        values="\n".join(line for command in commands for line in _bash_values(command)),
        arguments="\n".join(map(_bash_arguments, commands)),
    )


def _bash_values(command: Words) -> Iterator[str]:
    for option in command.options:
        if option.takes_value:
            patterns = "|".join(f'"{command.name} {name}"' for name in option.names)
            yield f'        {patterns}) values="{" ".join(option.values)}" ;;'


def _bash_arguments(command: Words) -> str:
    flags, arguments = " ".join(command.flags), " ".join(command.arguments)
    choose = f'if [[ $cur == -* ]]; then values="{flags}"; else values="{arguments}"; fi'
    return f"                {command.name}) {choose} ;;"


# -- zsh ------------------------------------------------------------------------------------------------------

_ZSH = """\
#compdef hotshoe
# Completion of hotshoe for zsh. Made by: hotshoe completion zsh
_hotshoe() {{
    if (( CURRENT == 2 )); then
        local -a commands=(
{commands}
        )
        _describe command commands
        _arguments '--help[Show the commands]' '--version[Show the versions]'
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{cases}
    esac
}}
if [[ $funcstack[1] == _hotshoe ]]; then _hotshoe "$@"; else compdef _hotshoe hotshoe; fi
"""


def zsh(commands: Sequence[Words]) -> str:
    """The script for zsh."""
    return _ZSH.format(
        commands="\n".join(f"            {_quoted(f'{each.name}:{each.summary}')}" for each in commands),
        cases="\n".join(map(_zsh_case, commands)),
    )


def _zsh_case(command: Words) -> str:
    lines = [_quoted(spec) for option in command.options for spec in _zsh_specs(option)]
    if command.arguments:
        lines.append(_quoted(f"*:argument:{_zsh_action(command.arguments)}"))
    return f"        {command.name})\n            _arguments -s \\\n" + " \\\n".join(
        f"                {line}" for line in lines or ["''"]) + "\n            ;;"


def _zsh_specs(option: Option) -> Iterator[str]:
    about = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    for name in option.names:
        if not option.takes_value:
            yield f"{name}[{about}]"
        else:
            yield f"*{name}{'=' if name.startswith('--') else '+'}[{about}]:value:{_zsh_action(option.values)}"


def _zsh_action(values: Sequence[str]) -> str:
    if values == FILES:
        return "_files"
    return f"({' '.join(values)})" if values else " "


# -- fish -----------------------------------------------------------------------------------------------------

_FISH = """\
# Completion of hotshoe for fish. Made by: hotshoe completion fish
complete -c hotshoe -f
complete -c hotshoe -n __fish_use_subcommand -l help -d 'Show the commands'
complete -c hotshoe -n __fish_use_subcommand -l version -d 'Show the versions'
"""


def fish(commands: Sequence[Words]) -> str:
    """The script for fish."""
    return _FISH + "".join(f"{line}\n" for command in commands for line in _fish_lines(command))


def _fish_lines(command: Words) -> Iterator[str]:
    yield f"complete -c hotshoe -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.summary)}"
    here = f"complete -c hotshoe -n '__fish_seen_subcommand_from {command.name}'"
    if command.arguments:
        yield f"{here} {_fish_values(command.arguments)}"
    for option in command.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        values = f" -r {_fish_values(option.values)}" if option.takes_value else ""
        yield f"{here} {names}{values} -d {_fish_quoted(option.help)}"


def _fish_values(values: Sequence[str]) -> str:
    if values == FILES:
        return "-F"
    return f"-f -a '{' '.join(values)}'" if values else "-f"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

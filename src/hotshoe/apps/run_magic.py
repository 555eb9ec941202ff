"""``%run FILE`` of a notebook: runs a script, or the code of another notebook, and keeps its names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import AppError
from .app import Description
from .process import running
from .script import Program

Loaders = Mapping[str, Callable[[Path], tuple[Program, Description]]]
"""What loads a file, by its suffix."""

_LINE = re.compile(r"^(\s*)%run\s+(\S.*)$")
_FLAG_WITH_VALUE = frozenset({"-N", "-l", "-s", "-T", "-m"})


def as_call(line: str) -> str | None:
    """A line with ``%run`` as Python code; ``None`` for any other line."""
    match = _LINE.match(line)
    return None if match is None else f'{match[1]}get_ipython().run_line_magic("run", {match[2].strip()!r})'


def run_file(line: str, names: dict[str, Any], loaders: Loaders) -> None:
    """Run the file that ``line`` names, below the folder of the notebook whose ``names`` these are.

    As in IPython, it runs with names of its own, unless ``-i`` is among the flags, and the notebook gets what it
    defines; other flags are ignored. Raises ``AppError`` if there is no such file, and the file's own exceptions.
    """
    words = shlex.split(line)
    flags = set()
    while words and words[0].startswith("-"):
        flags.add(flag := words.pop(0))
        if flag in _FLAG_WITH_VALUE and words:
            words.pop(0)
    if not words or "-m" in flags:
        raise AppError(f"%run {line}: name a file; for a module, use import")
    path = _find(Path(names["__file__"]).parent, words[0], line, loaders)
    program, _ = loaders[path.suffix](path)
    own = names if "-i" in flags else {"__name__": "__main__", "__file__": str(path), **program.names}
    with running(str(path), argv=words, folder=str(path.parent), warned=set()):
        for chunk in program.chunks:
            exec(chunk, own)  # noqa: S102  (its purpose is to run code)
    if own is not names:
        names.update({name: value for name, value in own.items() if not name.startswith("__")})


def _find(folder: Path, name: str, line: str, loaders: Loaders) -> Path:
    for end in ("", *loaders):
        path = folder / f"{name}{end}"
        if path.suffix in loaders and path.is_file():
            return path
    raise AppError(f"%run {line}: there is no {name} in {folder}")

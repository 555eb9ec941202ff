"""The files of a configuration: as one text for the terminal, or in a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError
from .rendering import File

_WIDTH = 100
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


def as_text(files: Sequence[File]) -> str:
    """All files as one text; several have a line with the name before each."""
    if len(files) == 1:
        return files[0].text
    return "\n".join(f"{_title(file.name)}\n{file.text}" for file in files)


def _title(name: str) -> str:
    return f"# ---- {name} ".ljust(_WIDTH, "-")


def lacking(files: Sequence[File], folder: Path) -> tuple[str, ...]:
    """What to do to files that are there and are the user's own, a line for each. Raises ``ConfigError``."""
    return tuple(f"{folder / file.name} stays as it is; add this line to it: {line}"
                 for file in files if file.is_yours and _is_there(folder / file.name)
                 for line in file.text.splitlines()
                 if not line.startswith("#") and not _requires(_text_of(folder / file.name), line))


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"--output: {path} can't be read: {error.strerror}") from error


def _requires(text: str, wanted: str) -> bool:
    """Whether some line is the wanted requirement, in any version, with its extras or more."""
    name, extras = _requirement(wanted)
    return any(found == name and having >= extras for found, having in map(_requirement, text.splitlines()))


def _requirement(line: str) -> tuple[str, frozenset[str]]:
    match = _REQUIREMENT.match(line)
    if match is None:
        return "", frozenset()
    return match[1].lower(), frozenset(extra.strip().lower() for extra in (match[2] or "").split(",") if extra.strip())


def write(files: Sequence[File], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the files into the folder, which is made if there is none. Raises ``ConfigError``.

    Without ``force`` nothing is written if one of them exists already. What is the user's own then stays in any case,
    and ``lacking`` says what it lacks.
    """
    files = [file for file in files if not (file.is_yours and _is_there(folder / file.name))]
    paths = tuple(folder / file.name for file in files)
    existing = next((path for path in paths if _is_there(path)), None)
    if existing is not None and not force:
        raise ConfigError(f"--output: {existing} exists already; --force replaces it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, file in zip(paths, files, strict=True):
            # "x" also where the file has come since: what is not ours stays.
            with path.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
                opened.write(file.text)
    except FileExistsError:
        raise ConfigError(f"--output: there is another file at {folder}; name a folder") from None
    except OSError as error:
        raise ConfigError(f"--output: {error.filename or folder} can't be written: {error.strerror}") from error
    return paths

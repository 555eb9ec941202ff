"""The files of a configuration: as one text for the terminal, or in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError
from .rendering import File

_WIDTH = 100


def as_text(files: Sequence[File]) -> str:
    """All files as one text; several have a line with the name before each."""
    if len(files) == 1:
        return files[0].text
    return "\n".join(f"{_title(file.name)}\n{file.text}" for file in files)


def _title(name: str) -> str:
    return f"# ---- {name} ".ljust(_WIDTH, "-")


def write(files: Sequence[File], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the files into the folder, which is made if there is none. Raises ``ConfigError``.

    Without ``force`` nothing is written if one of them exists already.
    """
    paths = tuple(folder / file.name for file in files)
    existing = next((path for path in paths if path.exists() or path.is_symlink()), None)
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

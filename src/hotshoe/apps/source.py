"""An app's main file as text, to be shown and not to be run."""

from __future__ import annotations

import io
import tokenize
from typing import TYPE_CHECKING

from ..errors import AppError
from .code import read
from .notebook import to_script

if TYPE_CHECKING:
    from pathlib import Path


def source_text(path: Path) -> str:
    """What a script says, or a notebook as a script, with ``\\n`` as line ends. Raises AppError if it can't be read."""
    if path.suffix == ".ipynb":
        return to_script(path)
    source = read(path)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeDecodeError) as error:
        raise AppError(f"{path}: can't be read: {error}") from error

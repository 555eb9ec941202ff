"""Compiles custom models with node, once per source, and keeps the scripts on disk for the next process."""

from __future__ import annotations

import logging
import re
import threading
from functools import cache
from pathlib import Path

from ..base.errors import CompileError
from ..base.folders import cache_folder, read_private, write_private
from ..seams import bundle_custom_model
from ..seams.needs import custom_source

_log = logging.getLogger(__name__)

_DIGEST = re.compile(r"[0-9a-f]{32}")
_compiled: dict[str, str] = {}
_failed: dict[str, str] = {}
_compiling = threading.Lock()


def compile_model(digest: str) -> str:
    """The script of a custom model. Blocks while node runs, one model at a time. Raises ``CompileError``."""
    script = _compiled.get(digest)
    if script is None:
        with _compiling:
            script = _compiled.get(digest) or _read(digest) or _compile(digest)
            _compiled[digest] = script
    return script


def model_script(digest: str) -> str | None:
    """The script ``_hotshoe/models/DIGEST.js``; ``None`` for an unknown digest.

    May block while node runs: do not call it on the event loop. Raises ``CompileError``.
    """
    if not _DIGEST.fullmatch(digest):
        return None
    if digest in _compiled or custom_source(digest) is not None:
        return compile_model(digest)
    return _read(digest)


def _compile(digest: str) -> str:
    if digest in _failed:
        raise CompileError(_failed[digest])
    source = custom_source(digest)
    if source is None:
        raise CompileError(f"no custom model has the digest {digest}")
    try:
        script = bundle_custom_model(source)
    except CompileError as error:
        # The same source fails again, so remember the error; but node may be installed later.
        if "node.js" not in str(error):
            _failed[digest] = str(error)
        raise
    _write(digest, script)
    return script


@cache
def _say_that_memory_is_used() -> None:
    _log.warning("Compiled custom models are kept in memory only: neither in the user's cache nor in the temporary "
                 "folder is a private folder that can be written; set HOME or TMPDIR to one that can")


def _file(digest: str) -> Path | None:
    """The file of a script; ``None`` without a private folder: another user could put code into any other."""
    folder = cache_folder("models")
    return None if folder is None else folder / f"{digest}.js"


def _read(digest: str) -> str | None:
    file = _file(digest)
    found = None if file is None else read_private(file)
    try:
        return None if found is None else found.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _write(digest: str, script: str) -> None:
    if (file := _file(digest)) is None:
        _say_that_memory_is_used()
        return
    try:
        write_private(file, script.encode("utf-8"))
    except OSError as error:
        _log.debug("Could not keep a compiled custom model on disk: %s", error)

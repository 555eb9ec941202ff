"""Custom models compiled by node: once per source, and kept on disk for the next process."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
from pathlib import Path

from ..errors import CompileError
from ..needs import custom_source
from ..seams import bundle_custom_model

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
            script = _compiled.get(digest) or _stored(digest) or _compile(digest)
            _compiled[digest] = script
    return script


def model_script(digest: str) -> str | None:
    """The script served as ``_hotshoe/models/DIGEST.js``; ``None`` for a digest that no model here has.

    May block while node runs, so not to be called on the event loop. Raises ``CompileError``.
    """
    if not _DIGEST.fullmatch(digest):
        return None
    if digest in _compiled or custom_source(digest) is not None:
        return compile_model(digest)
    return _stored(digest)


def _compile(digest: str) -> str:
    if digest in _failed:
        raise CompileError(_failed[digest])
    source = custom_source(digest)
    if source is None:
        raise CompileError(f"no custom model has the digest {digest}")
    try:
        script = bundle_custom_model(source)
    except CompileError as error:
        # The digest covers the source: node would say the same again. That node is missing can be mended.
        if "node.js" not in str(error):
            _failed[digest] = str(error)
        raise
    _store(digest, script)
    return script


def _cache_dir() -> Path:
    return Path("~/.cache/hotshoe/models").expanduser()


def _stored(digest: str) -> str | None:
    try:
        return (_cache_dir() / f"{digest}.js").read_text(encoding="utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None


def _store(digest: str, script: str) -> None:
    """Written in one step: a process that dies leaves no half file, one that reads sees none."""
    try:
        folder = _cache_dir()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(script)
        Path(name).replace(folder / f"{digest}.js")
    except (OSError, RuntimeError) as error:
        _log.debug("compiled custom models can't be kept on disk: %s", error)

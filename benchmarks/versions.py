"""Two versions of hotshoe as peers: this tree, and a commit, whose ``src`` is exported into a temporary folder.

Both run in this interpreter's environment, by their command line, on the apps of this tree; each has its own ``src``
and its own caches on the disk.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from .servers import Peer, Settings

ROOT = Path(__file__).resolve().parent.parent
_WHERE = "import hotshoe; print(hotshoe.__file__)"


class VersionError(Exception):
    """A version cannot be run: why."""


def versions(commit: str, folder: Path) -> tuple[Peer, Peer]:
    """The commit (the base), then this tree with its uncommitted changes; raises ``VersionError``."""
    name = _export(commit, folder / "commit")
    return (_peer(name, folder / "commit" / "src", folder / "caches-commit"),
            _peer("this tree", ROOT / "src", folder / "caches-tree"))


def _export(commit: str, target: Path) -> str:
    """Write the commit's ``src`` below ``target``; the commit's short name."""
    try:  # --end-of-options: a name that begins with a dash is no option of git
        name = _git("rev-parse", "--short", "--verify", "--end-of-options", f"{commit}^{{commit}}").decode().strip()
    except VersionError as error:
        raise VersionError(f"--against {commit}: there is no such commit here ({error})") from None
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", name, "src"))) as archive:
        archive.extractall(target, filter="data")
    return name


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise VersionError(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return done.stdout


def _peer(name: str, source: Path, caches: Path) -> Peer:
    environment = {"PYTHONPATH": str(source), "XDG_CACHE_HOME": str(caches)}
    _check_source(source, environment)
    return Peer(name, _serve, environment)


def _check_source(source: Path, environment: dict[str, str]) -> None:
    """Without this, a ``hotshoe`` that is found before PYTHONPATH would be compared with itself."""
    done = subprocess.run([sys.executable, "-c", _WHERE], env=os.environ | environment, capture_output=True,
                          text=True, check=False)
    if done.returncode or not Path(done.stdout.strip()).is_relative_to(source):
        raise VersionError(f"{sys.executable} does not import hotshoe from {source}, "
                           f"but from {done.stdout.strip() or done.stderr.strip()}")


def _serve(settings: Settings, port: int) -> Sequence[str]:
    threads = [] if settings.threads is None else ["--threads", str(settings.threads)]
    return [sys.executable, "-m", "hotshoe", "serve", *settings.scripts, "--address", "127.0.0.1",
            "--port", str(port), *settings.flags, *threads, "--no-collapse"]

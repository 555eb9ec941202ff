"""Say which dependencies with an upper bound have a newer version on the package index. Never fails.

What is built on private parts of a library (pyproject.toml says which) is raised by hand, once it has been tried.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
TIMEOUT_S = 30.0

Version = tuple[int, ...]


def main() -> None:
    """Print a line for each."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    for name, bound in bounded(chain(project["dependencies"], *project["optional-dependencies"].values())):
        newest = newest_of(name)
        if newest and numbers(newest) >= numbers(bound):
            print(f"{name} {newest} is there, and pyproject.toml allows only what is older than {bound}: "
                  "try it, then raise the bound")


def bounded(dependencies: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those with an upper bound, and the bound."""
    for dependency in dependencies:
        if found := re.match(r"([\w.-]+).*<([\d.]+)", dependency):
            yield found[1], found[2]


def newest_of(name: str) -> str | None:
    """The newest version that pip finds; ``None`` if it finds none, or no index answers."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", "--retries", "0",
               "--timeout", "5", name]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout
    except subprocess.TimeoutExpired:
        return None
    found = re.match(rf"{re.escape(name)} \(([^)]+)\)", said)
    return found[1] if found else None


def numbers(version: str) -> Version:
    """A version as numbers that can be compared."""
    return tuple(map(int, re.findall(r"\d+", version)))


if __name__ == "__main__":
    main()

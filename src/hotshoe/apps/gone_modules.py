"""Says why a pickled object of an app's own class can't be read: the class was in the script of another run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _GoneModules(MetaPathFinder):
    """Stands behind all other finders."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def find_spec(self, fullname: str, path: Sequence[str] | None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.startswith(self._prefix) and "." not in fullname:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it was the script of a session that has ended, or of another process; "
                "an object that is pickled needs its class in a module beside the script, which imports it",
                name=fullname)
        return None


def explain(prefix: str) -> None:
    """Explain from now on why modules whose names begin with ``prefix`` are gone."""
    if not any(isinstance(finder, _GoneModules) for finder in sys.meta_path):
        sys.meta_path.append(_GoneModules(prefix))

"""How large the tests are: all runs prove the same claims, and ``make test-all`` by larger numbers and longer times."""

from __future__ import annotations

import os


def full_size() -> bool:
    """Whether this run has hours (``HOTSHOE_TESTS=all``): then loads, floods and waits have their full size."""
    return os.environ.get("HOTSHOE_TESTS") == "all"

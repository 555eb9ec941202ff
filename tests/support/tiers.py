"""What runs where: the markers that follow from a test's place and fixtures, and the order of the modules.

docs/contributing.md says what each tier is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

BOKEH = (
    "apps",
    "auth/module/test_policy.py",
    "browser/embedding",
    "browser/test_bundles.py",
    "browser/test_examples.py",
    "browser/test_late_bundles.py",
    "browser/test_pages.py",
    "browser/test_panel.py",
    "browser/test_reload.py",
    "browser/test_signs.py",
    "cli/test_export.py",
    "cli/test_looking.py",
    "client",
    "config/test_bokeh_files.py",
    "doctor/test_markup.py",
    "embed",
    "hosts",
    "notebook/test_kernel_server.py",
    "notebook/test_showing.py",
    "pages",
    "panel",
    "real/test_client_library.py",
    "real/test_clients.py",
    "real/test_collapse.py",
    "real/test_differential.py",
    "real/test_flow.py",
    "real/test_hooks.py",
    "real/test_isolation.py",
    "real/test_leaks.py",
    "real/test_viewers.py",
    "seams",
    "sessions",
    "test_bans.py",
    "test_docs.py",
    "tokens",
    "web/site/test_admission.py",
    "web/test_front.py",
    "web/test_mount.py",
    "web/test_session_ids.py",
    "web/test_wrapping.py",
    "web/visits",
    "wire",
)
"""Folders and files below ``tests`` that touch bokeh's models, wire or BokehJS: run with each version of bokeh."""

LONGEST = "notebook/test_lab.py"
"""First of the modules with browsers: else all other workers would wait for the one that gets it last."""


def unknown_places(places: Iterable[str], tests: Path = TESTS) -> list[str]:
    """Those that are no folder or file (any more)."""
    return [place for place in places if not (tests / place).exists()]


def is_below(path: Path, places: Iterable[str], tests: Path = TESTS) -> bool:
    return any(path.is_relative_to(tests / place) for place in places)


def mark(items: Sequence[pytest.Item]) -> None:
    """Give each test the markers ``bokeh``, ``browser`` and ``real`` where they are due."""
    browsers = {item.path for item in items if uses_browser(item)}
    touching = {path for path in {item.path for item in items} if is_below(path, BOKEH)}
    for item in items:
        if item.path in touching:
            item.add_marker("bokeh")
        if item.path in browsers:
            item.add_marker("browser")
            item.add_marker("real")


def check_places() -> None:
    if missing := unknown_places([*BOKEH, LONGEST]):
        raise pytest.UsageError(f"tests/support/tiers.py names what is not there: {', '.join(missing)}")


def uses_browser(item: pytest.Item) -> bool:
    return "chromium" in getattr(item, "fixturenames", ())


def order(item: pytest.Item) -> int:
    """Modules that start processes come first, those with browsers last (chromium.py says why), all others between."""
    if "browser" in item.keywords:
        return 2 if item.path == TESTS / LONGEST else 3
    return 0 if "real" in item.keywords else 1

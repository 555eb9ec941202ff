"""Fronts to ask."""

from __future__ import annotations

import pytest
from tests.support.front_site import MakeSite, Site, make_site

__all__ = ["make_site"]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Two apps, ``/a`` and ``/b``."""
    return make_site("/a", "/b")

"""Fronts to ask."""

from __future__ import annotations

import pytest
from tests.support.front_site import MakeSite, Site, make_site

from hotshoe.web.files import bodies

__all__ = ["make_site"]


@pytest.fixture(autouse=True)
def patient_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, what may be compressed is."""
    monkeypatch.setattr(bodies, "PATIENCE_S", 60.0)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Two apps, ``/a`` and ``/b``."""
    return make_site("/a", "/b")

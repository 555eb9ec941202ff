"""pyplot's registry of figures; tests/sessions/test_own_state.py shows what sessions see of it."""

from __future__ import annotations

from types import ModuleType

import pytest

from hotshoe.seams.process import pyplot


def test_an_unknown_registry_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    pyplot._isolate(ModuleType("matplotlib._pylab_helpers"))
    assert "--app-thread own" in caplog.text

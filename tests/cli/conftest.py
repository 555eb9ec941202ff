"""Commands run in this process; what they tell bokeh must not outlast their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bokeh.settings import settings


@pytest.fixture(autouse=True)
def bokehs_settings_as_before() -> Iterator[None]:
    override = dict(settings._config_override)
    yield
    settings._config_override = override
    for switch in (settings.pretty, settings.serialize_include_defaults):
        switch.unset_value()

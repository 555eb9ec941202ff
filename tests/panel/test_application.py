"""Applications of Panel's own class, as its ``build_applications`` makes them: they begin their documents."""

from __future__ import annotations

from typing import Any
from urllib.request import urlopen

import pytest
from tests.support.needs import need_module

from hotshoe import Server

pytestmark = pytest.mark.real


def test_it_is_served_and_its_sessions_are_announced_once() -> None:
    need_module("panel")
    from panel.io.application import build_applications
    from panel.io.state import state

    announced: list[str] = []
    state.on_session_created(lambda context: announced.append(context.id))
    places: list[tuple[str | None, str | None]] = []

    def page() -> Any:
        places.append((state.base_url, state.rel_path))
        return "# Title"

    try:
        with Server(build_applications({"/deep/page": page}, title="Mine"), port=0) as server:
            assert b"<title>Mine</title>" in urlopen(server.url("/deep/page")).read()
    finally:
        state._on_session_created.clear()
    assert len(announced) == 1
    assert places == [("/", "..")]

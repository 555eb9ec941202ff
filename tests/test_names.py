import subprocess
import sys

import pytest

import hotshoe


def test_public_names() -> None:
    assert hotshoe.__all__ == [
        "FailureInfo", "Server", "Settings", "__version__", "asgi", "locked_callback", "on_exception",
        "pause_when_unwatched", "wrap",
    ]  # fmt: skip
    assert set(hotshoe.__all__) <= set(dir(hotshoe))
    for name in hotshoe.__all__:
        assert getattr(hotshoe, name) is not None


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'server'"):
        _ = hotshoe.server


def test_importing_is_light() -> None:
    code = "import hotshoe, sys; print([name for name in ('bokeh', 'uvicorn', 'asyncio') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"

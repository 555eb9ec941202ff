from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bokeh.models.widgets.sliders import Slider

from hotshoe.apps.loading import load
from hotshoe.apps.tracebacks import error_line, in_one_line, user_traceback

if TYPE_CHECKING:
    from .conftest import Write

from hotshoe import seams


def failure(path: Path) -> BaseException:
    """What a session gets; the frame that catches is ours, as in a session."""
    document = seams.new_document()
    with pytest.raises(BaseException) as caught, seams.document_context(document):  # noqa: PT011
        load(path).build(document)
    # The first frame is this test's; in the server it is hotshoe's own.
    assert caught.tb is not None
    return caught.value.with_traceback(caught.tb.tb_next)


def test_starts_at_the_users_first_frame(write: Write) -> None:
    text = user_traceback(failure(write({"app.py": "def f():\n    1 / 0\nf()\n"}) / "app.py"))
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('app.py", line 3, in <module>')
    assert lines[-1].startswith("ZeroDivisionError")
    assert "hotshoe/apps" not in text


def test_keeps_what_the_user_called(write: Write) -> None:
    source = "from bokeh.models import Slider\nSlider(value='no')\n"
    text = user_traceback(failure(write({"app.py": source}) / "app.py"))
    assert "has_props.py" in text
    assert "hotshoe/apps" not in text


def test_trims_causes_and_groups(write: Write) -> None:
    source = "try:\n    1 / 0\nexcept Exception as e:\n    raise ExceptionGroup('many', [ValueError('a'), e]) from e\n"
    text = user_traceback(failure(write({"app.py": source}) / "app.py"))
    assert "ZeroDivisionError" in text
    assert "ValueError: a" in text
    assert "direct cause" in text
    assert "hotshoe/apps" not in text


def test_keeps_bokehs_frames_if_none_is_the_users() -> None:
    slider = Slider(start=0, end=1, value=0)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        slider.value = "x"  # type: ignore[assignment]
    assert caught.tb.tb_next is not None
    text = user_traceback(caught.value.with_traceback(caught.tb.tb_next))
    assert "bokeh/core" in text


def test_survives_a_hostile_exception() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "HostileError" in user_traceback(HostileError())


def test_error_line_prefers_the_apps_own_file(write: Write) -> None:
    folder = write({"app.py": "import json\n\njson.loads('{')"})
    error = failure(folder / "app.py")
    assert error_line(error, folder) == (str(folder / "app.py"), 3)
    assert in_one_line(ValueError("a\n b")) == "ValueError: a b"
    assert in_one_line(SystemExit()) == "SystemExit"

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bokeh.models.widgets.sliders import Slider
from tests.support.app_files import Build, Write

from hotshoe import seams
from hotshoe.apps import load
from hotshoe.base.errors import AppError, Report
from hotshoe.base.tracebacks import describe, error_line, in_one_line, user_traceback

if TYPE_CHECKING:
    from tests.support.app_files import Write

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


SCRIPT = """\
import json
secret = 'x' * 1000
class Odd:
    def __repr__(self): raise OSError("no")
odd = Odd()
def outer(number):
    text = "{"
    return json.loads(text + str(number))
outer(7)
"""


def report_of(write: Write, build: Build, files: dict[str, str | bytes], name: str = "app.py") -> Report:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        build(load(write(files) / name))
    way = caught.value.__traceback__
    while way is not None and not way.tb_frame.f_code.co_filename.endswith(name):
        way = way.tb_next  # what stands before is this test
    return describe(caught.value.with_traceback(way))


def test_the_authors_frames_have_source_and_variables(write: Write, build: Build) -> None:
    report = report_of(write, build, {"app.py": SCRIPT})
    (failure,) = report.failures
    assert (failure.kind, failure.relation) == ("JSONDecodeError", "")
    module, outer, *library = failure.frames
    assert [(frame.line, frame.function) for frame in (module, outer)] == [(9, "<module>"), (8, "outer")]
    assert library
    assert not any(frame.is_own or frame.source or frame.variables for frame in library)
    assert (8, "    return json.loads(text + str(number))") in outer.source
    assert dict(outer.variables) == {"number": "7", "text": "'{'"}
    variables = dict(module.variables)
    assert variables.keys() == {"secret", "odd"}
    assert len(variables["secret"]) < 500
    assert variables["odd"] == "<Odd, whose repr() raises OSError>"
    assert report.text.startswith("Traceback")


def test_a_syntax_error_of_a_module_shows_its_line(write: Write, build: Build) -> None:
    report = report_of(write, build, {"app.py": "import broken_one", "broken_one.py": "x = 1\nif:\n"})
    (failure,) = report.failures
    assert (failure.kind, failure.message) == ("SyntaxError", "invalid syntax")
    assert failure.frames[0].file.endswith("app.py")
    last = failure.frames[-1]
    assert (last.line, last.source) == (2, ((1, "x = 1"), (2, "if:")))


@pytest.mark.parametrize(("files", "file", "line", "text"), [
    ({"app/main.py": "x = (\n"}, "main.py", 1, "'(' was never closed"),
    ({"app/main.py": "", "app/theme.yaml": "attrs:\n  - [\n"}, "theme.yaml", 3, "not a theme"),
    ({"app/main.py": "", "app/templates/index.html": "<p>\n{% if %}"}, "index.html", 2, "Expected an expression"),
    ({"app/main.py": "", "app/app_hooks.py": "x = 1\n1 / 0"}, "app_hooks.py", 2, "division by zero"),
])
def test_what_does_not_load_shows_the_place(
    files: dict[str, str | bytes], file: str, line: int, text: str, write: Write
) -> None:
    folder = write(files)
    with pytest.raises(AppError) as caught:
        load(folder / "app")
    first = describe(caught.value).failures[0]
    assert text in first.message
    frame = next(frame for frame in reversed(first.frames) if frame.is_own)
    assert (frame.file, frame.line) == (str(next(folder.rglob(file))), line)


def test_causes_follow_and_circles_end(write: Write, build: Build) -> None:
    script = "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e"
    report = report_of(write, build, {"app.py": script})
    assert [(one.kind, one.relation) for one in report.failures] == [
        ("KeyError", ""), ("ZeroDivisionError", "It was raised from")]
    one, other = ValueError("a"), ValueError("b")
    one.__context__, other.__context__ = other, one
    assert [failure.message for failure in describe(one).failures] == ["a", "b"]


def test_a_deep_recursion_is_cut(write: Write, build: Build) -> None:
    report = report_of(write, build, {"app.py": "def f(): f()\nf()"})
    assert 30 < len(report.failures[0].frames) <= 60

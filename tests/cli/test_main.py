"""The command without a server: help, versions, and mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import hotshoe
from hotshoe.cli import main


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "hotshoe serve app.py" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"hotshoe {hotshoe.__version__} (bokeh 3.")


@pytest.mark.parametrize(("word", "hint"), [
    ("app.py", "did you mean hotshoe serve app.py?"),
    ("srve", "did you mean hotshoe serve?"),
    ("xyzzy", "see hotshoe --help"),
])
def test_an_unknown_command(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    assert capsys.readouterr().err == f"hotshoe: error: there is no command {word}; {hint}\n"


def test_a_wrong_setting_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSHOE_THREADS", "many")
    assert main(["serve"]) == 1
    assert capsys.readouterr().err == (
        "ERROR: the environment's HOTSHOE_THREADS: 'many' is not a whole number from 0 to 4096\n")


def test_an_interrupted_start_is_quiet(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(_self: Path) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "is_file", interrupted)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == ""

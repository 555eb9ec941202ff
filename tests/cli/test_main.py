"""The command without a server: help, versions, and mistakes in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hotshoe
from hotshoe.cli import main
from hotshoe.cli.main import COMMANDS


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "hotshoe serve app.py" in capsys.readouterr().out


def test_help_lists_each_command_in_narrow_lines(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(
        name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    texts = []
    for arguments in ([name, "--help"], ["help", name], [name, "-h"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        texts.append(capsys.readouterr().out)
    assert len(set(texts)) == 1
    assert texts[0].startswith(f"usage: hotshoe {name}")
    assert max(map(len, texts[0].splitlines())) <= 80


def test_as_a_module() -> None:
    answer = subprocess.run([sys.executable, "-m", "hotshoe", "secret"], capture_output=True, text=True, check=True)
    assert len(answer.stdout) == 45


def test_a_reader_that_has_seen_enough() -> None:
    process = subprocess.Popen([sys.executable, "-m", "hotshoe", "settings"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() in (0, 1)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"hotshoe {hotshoe.__version__} (bokeh 3.")


@pytest.mark.parametrize(("word", "hint"), [
    ("app.py", "did you mean hotshoe serve app.py?"),
    ("srve", "did you mean hotshoe serve?"),
    ("build", "use bokeh build, which is for extensions"),
    ("xyzzy", "see hotshoe --help"),
])
def test_an_unknown_command(word: str, hint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()  # as `make docs` leaves one
    assert main([word]) == 2
    assert capsys.readouterr().err == f"hotshoe: error: there is no command {word}; {hint}\n"


def test_a_wrong_setting_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSHOE_THREADS", "many")
    assert main(["serve"]) == 1
    assert capsys.readouterr().err == (
        "ERROR: environment variable HOTSHOE_THREADS: 'many' is not a whole number from 0 to 4096\n")


@pytest.mark.parametrize("arguments", [["--version"], ["info"]])
def test_a_variable_that_bokeh_can_not_import_with_is_named_in_one_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "hotshoe", *arguments]
    ended = subprocess.run(command, env={**os.environ, "BOKEH_DEV": "perhaps"}, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        1, "ERROR: environment variable BOKEH_DEV: Cannot convert perhaps to boolean value\n")


@pytest.mark.parametrize(("name", "command", "says"), [
    ("BOKEH_PY_LOG_LEVEL", ["info"], "Cannot convert LOUD to log level, valid values are: "),
    ("BOKEH_LOG_LEVEL", ["deploy", "nginx", "a.py", "--static", "--no-tls"], "Unknown log level 'loud', valid levels "),
])
def test_a_log_level_that_bokeh_does_not_know_is_named_too(name: str, command: list[str], says: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "hotshoe", *command], env={**os.environ, name: "loud"},
                           capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"ERROR: environment variable {name}: {says}")


def test_an_interrupted_start_is_quiet(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(_self: Path) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "is_file", interrupted)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["settings"]])
def test_a_reader_who_has_seen_enough_ends_it_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "hotshoe", *arguments]
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")

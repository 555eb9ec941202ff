"""What shells complete, asked of a real bash, zsh and fish."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.cases import every_case
from tests.support.needs import need_program

from hotshoe.cli import main
from hotshoe.cli.main import COMMANDS, module_of
from hotshoe.config import TABLE

ASK_BASH = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_hotshoe
printf '%s\\n' "${COMPREPLY[@]}"
"""
LEVELS = ["trace", "debug", "info", "warning", "error", "critical", "None"]
FILES = ["app.py", "a folder"]
CASES: list[tuple[list[str], list[str]]] = [
    (["se"], ["serve", "settings", "secret"]),
    (["--v"], ["--version"]),
    (["serve", "--port"], ["--port"]),
    (["serve", "app.py", "--log-level", "war"], ["warning"]),
    (["serve", "--log-level", ""], LEVELS),
    (["serve", "--session-ids", "un"], ["unsigned"]),
    (["serve", "--port", ""], []),
    (["serve", "a"], FILES),
    (["serve", "app.py", "a"], FILES),
    (["serve", "--ssl-certfile", "a"], FILES),
    (["html", "--resources", ""], ["cdn", "inline", "relative", "absolute", "server"]),
    (["json", "--ind"], ["--indent"]),
    (["settings", "websocket-m"], ["websocket-max-message-size"]),
    (["completion", "f"], ["fish"]),
    (["help", "inf"], ["info"]),
    (["info", "a"], []),
    (["nothing", "a"], []),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    (folder / "a folder").mkdir(parents=True)
    (folder / "app.py").touch()
    return folder


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    file = folder.with_name(f"hotshoe.{shell}")
    file.write_text(capsys.readouterr().out)
    return file


def ask(command: list[str | Path], cwd: Path) -> list[str]:
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True,
                            env={"HOME": str(cwd), "PATH": os.environ["PATH"]})
    assert answer.stderr == ""
    return [line.partition("\t")[0].rstrip("/") for line in answer.stdout.splitlines() if line]


def ask_bash(file: Path, *words: str, cwd: Path) -> list[str]:
    return ask([need_program("bash"), "--norc", "-c", ASK_BASH, "bash", file, "hotshoe", *words], cwd)


def test_bash_proposes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = script("bash", folder, capsys)
    with every_case() as case:
        for words, proposals in [*CASES, (["serve", "--log-level", "="], LEVELS),
                                 (["serve", "--log-level", "=", "cri"], ["critical"])]:
            with case(words):
                assert sorted(ask_bash(file, *words, cwd=folder)) == sorted(proposals)


def test_bash_proposes_every_command_and_every_option(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = script("bash", folder, capsys)
    assert {*COMMANDS, "help"} == set(ask_bash(file, "", cwd=folder))
    with every_case() as case:
        for command in COMMANDS:
            with case(command):
                actions = module_of(command).make_parser().actions
                options = {name for action in actions for name in action.option_strings}
                assert set(ask_bash(file, command, "-", cwd=folder)) == options
        for row in TABLE:
            if row.choices:
                with case(row.name):
                    assert set(ask_bash(file, "serve", row.flag, "", cwd=folder)) == set(row.choices)


def test_fish_proposes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command: list[str | Path] = [need_program("fish"), "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
                                 script("fish", folder, capsys)]
    with every_case() as case:
        for words, proposals in [*CASES, (["serve", "--log-level=cri"], ["--log-level=critical"])]:
            with case(words):
                found = ask([*command, " ".join(["hotshoe", *words])], folder)
                assert set(proposals) <= set(found)
                assert "nothing" in words or proposals or not found


@pytest.mark.real
def test_zsh_completes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = script("zsh", folder, capsys)
    with every_case() as case, Terminal([need_program("zsh"), "-f", "-i"], folder) as terminal:
        terminal.write(f"autoload -U compinit; compinit -D -u; source <(cat '{file}'); PS1='rea''dy '\n")
        terminal.read_until("ready ")
        for typed, completed in [
            ("serv", "hotshoe serve "),
            ("serve --log-level war", "--log-level warning "),
            ("serve --log-level=war", "--log-level=warning "),
            ("serve app.py --session-ids un", "app.py --session-ids unsigned "),
            ("serve app.py a\\ f", "app.py a\\ folder"),
            ("serve --wsgi site:app ap", "site:app app.py "),
            ("serve --allow-websocket-origin a.b --allow-websocket-o", "a.b --allow-websocket-origin"),
            ("serve --ssl-certfile ap", "--ssl-certfile app.py "),
            ("html app.py --resources rel", "--resources relative "),
            ("settings websocket-m", "settings websocket-max-message-size "),
            ("completion f", "completion fish "),
            ("help inf", "help info "),
        ]:
            with case(typed):
                terminal.write(f"hotshoe {typed}\t")
                terminal.read_until(completed)
            terminal.write("\x15")  # ^U deletes the line


class Terminal:
    """A program in a terminal that can do nothing but show characters."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._control, terminal = pty.openpty()
        self._process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd,
                                         start_new_session=True, env={"HOME": str(cwd), "PATH": os.environ["PATH"],
                                                                      "TERM": "dumb", "COLUMNS": "500"})
        os.close(terminal)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._control)

    def write(self, text: str) -> None:
        os.write(self._control, text.encode())

    def read_until(self, text: str) -> None:
        seen, deadline = "", time.monotonic() + 40
        while text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([self._control], [], [], 1)[0]:
                seen += os.read(self._control, 65536).decode()


def test_without_shtab_one_line_names_the_fix(monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == "ERROR: hotshoe completion needs shtab: pip install 'hotshoe[completion]'\n"

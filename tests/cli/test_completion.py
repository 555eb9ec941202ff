"""What shells complete, asked of a real bash; the scripts for zsh and fish are parsed where these are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.needs import need_program

from hotshoe.cli import main, shells
from hotshoe.cli.commands import COMMANDS
from hotshoe.cli.vocabulary import vocabulary
from hotshoe.config import TABLE

ASK = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_hotshoe
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    file = tmp_path / "hotshoe.bash"
    file.write_text(capsys.readouterr().out)
    return file


def ask(script: Path, *words: str, cwd: Path) -> list[str]:
    """What bash proposes for the last word."""
    bash = need_program("bash")
    answer = subprocess.run([bash, "--norc", "-c", ASK, "bash", script, "hotshoe", *words], cwd=cwd,
                            capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    return answer.stdout.split("\n")[:-1] if answer.stdout.strip() else []


@pytest.mark.parametrize(("words", "proposals"), [
    (["se"], ["serve", "settings", "secret"]),
    (["--v"], ["--version"]),
    (["serve", "--port"], ["--port"]),
    (["serve", "app.py", "--log-level", "war"], ["warning"]),
    (["serve", "--log-level", "="], ["trace", "debug", "info", "warning", "error", "critical", "None"]),
    (["serve", "--log-level", "=", "cri"], ["critical"]),
    (["serve", "--session-ids", "un"], ["unsigned"]),
    (["serve", "--port", ""], []),
    (["serve", "a"], ["app.py", "a folder"]),
    (["serve", "--ssl-certfile", "a"], ["app.py", "a folder"]),
    (["html", "--resources", ""], ["cdn", "inline", "relative", "absolute", "server"]),
    (["json", "--ind"], ["--indent"]),
    (["settings", "websocket-m"], ["websocket-max-message-size"]),
    (["completion", "f"], ["fish"]),
    (["help", "inf"], ["info"]),
    (["info", "a"], []),
    (["nothing", "a"], []),
])
def test_bash_proposes(words: list[str], proposals: list[str], script: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    (folder / "a folder").mkdir(parents=True)
    (folder / "app.py").touch()
    assert sorted(ask(script, *words, cwd=folder)) == sorted(proposals)


def test_bash_proposes_every_command_and_every_option(script: Path, tmp_path: Path) -> None:
    assert set(ask(script, "", cwd=tmp_path)) == {*COMMANDS, "help", "--help", "--version"}
    for command in vocabulary():
        assert set(ask(script, command.name, "--", cwd=tmp_path)) == {
            flag for flag in command.flags if flag.startswith("--")}


def test_every_setting_is_among_the_words() -> None:
    (serve,) = [words for words in vocabulary() if words.name == "serve"]
    options = {name: option for option in serve.options for name in option.names}
    for row in TABLE:
        if row.has_option:
            assert set(row.declaration.choices) <= set(options[row.flag].values)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shell != "bash" and shutil.which(shell) is None:
        pytest.skip(f"no {shell} here; its script was tried by hand")
    assert main(["completion", shell]) == 0
    file = tmp_path / "script"
    file.write_text(capsys.readouterr().out)
    subprocess.run([need_program(shell), "-n", file], check=True)


def test_fish_proposes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("no fish here; its script was tried by hand")
    assert main(["completion", "fish"]) == 0
    file = tmp_path / "hotshoe.fish"
    file.write_text(capsys.readouterr().out)
    answer = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C 'hotshoe serve --log-level d'",
                             file], capture_output=True, text=True, check=True, env={"HOME": str(tmp_path),
                                                                                     "PATH": "/usr/bin:/bin"})
    assert answer.stdout.split("\t")[0] == "debug"


def test_texts_with_quotes_and_brackets_are_quoted() -> None:
    words = [shells.Words("x", "It's [new]: $HOME", (shells.Option(("--y",), "a'b [c]: d\\", True, ("1", "2")),))]
    assert "'x:It'\\''s [new]: $HOME'" in shells.zsh(words)
    assert "'*--y=[a'\\''b \\[c\\]\\: d\\\\]:value:(1 2)'" in shells.zsh(words)
    assert "-d 'It\\'s [new]: $HOME'" in shells.fish(words)
    assert "-l y -r -f -a '1 2' -d 'a\\'b [c]: d\\\\'" in shells.fish(words)

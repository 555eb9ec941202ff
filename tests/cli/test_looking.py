"""`hotshoe secret`, `info` and `settings`: what they print."""

from __future__ import annotations

import re
from pathlib import Path

import bokeh
import pytest
from bokeh.settings import settings as bokeh_settings
from tests.support.cases import every_case

import hotshoe
from hotshoe.cli import main
from hotshoe.config import TABLE

KEY = "k" * 40


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def line_of(key: str, text: str) -> str:
    (line,) = re.findall(rf"^  {re.escape(key)} +(.*)$", text, re.MULTILINE)
    return str(line)


def test_secrets_are_long_and_different(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = printed(capsys, "secret"), printed(capsys, "secret")
    assert re.fullmatch(r"[A-Za-z0-9]{44}\n", first)
    assert first != second


def test_info_is_a_table(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "hotshoe.toml").write_text("port = 1\n")
    rows = dict(re.split(r" +:  ", line, maxsplit=1) for line in printed(capsys, "info").splitlines())
    assert rows["hotshoe version"] == hotshoe.__version__
    assert rows["Bokeh version"] == bokeh.__version__
    assert rows["BokehJS static path"] == str(bokeh_settings.bokehjs_path())
    assert rows["Settings file"] == str(folder / "hotshoe.toml")
    assert rows["bokeh's settings file"] == "(none)"
    assert Path(rows["hotshoe path"], "__init__.py").is_file()


def test_info_names_only_the_static_folder(capsys: pytest.CaptureFixture[str]) -> None:
    path = printed(capsys, "info", "--static")
    assert Path(path.rstrip("\n"), "js", "bokeh.min.js").is_file()


def test_info_asks_the_node_that_is_set(
        capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = folder / "node"
    node.write_text("#!/bin/sh\necho v99.0\n")
    node.chmod(0o700)
    monkeypatch.setenv("BOKEH_NODEJS_PATH", str(node))
    assert "node.js version       :  v99.0\n" in printed(capsys, "info")
    node.write_text("#!/bin/sh\nexit 3\n")
    assert f"node.js version       :  {node} does not run: " in printed(capsys, "info")


def test_settings_say_where_each_value_comes_from(
        capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSHOE_THREADS", "3")
    monkeypatch.setenv("BOKEH_SECRET_KEY", KEY)
    monkeypatch.setenv("BOKEH_MINIFIED", "no")
    (folder / "hotshoe.toml").write_text('prefix = "/p"\nallow-websocket-origin = ["a.b", "c.d:1"]\n')
    (folder / "bokeh.yaml").write_text("default_server_port: 80\n")
    text = printed(capsys, "settings", "--use-config", "bokeh.yaml")
    assert line_of("threads", text) == "3  <- HOTSHOE_THREADS"
    assert line_of("prefix", text) == "/p  <- hotshoe.toml: prefix"
    assert line_of("allow-websocket-origin", text) == "a.b, c.d:1  <- hotshoe.toml: allow-websocket-origin"
    assert line_of("port", text) == "80  <- bokeh.yaml: default_server_port"
    assert line_of("use-config", text) == "bokeh.yaml  <- --use-config"
    assert line_of("dev", text) == "no"
    assert line_of("secret-key", text) == "(hidden)  <- BOKEH_SECRET_KEY"
    assert line_of("BOKEH_MINIFIED", text) == "False  <- BOKEH_MINIFIED"
    assert line_of("BOKEH_PRETTY", text) == "False"
    assert KEY not in text


def test_settings_that_are_changed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(capsys, "settings", "--changed") == "Nothing is set: all settings have their default.\n"
    monkeypatch.setenv("HOTSHOE_PORT", "1")
    assert printed(capsys, "settings", "--changed") == "Listening\n  port  1  <- HOTSHOE_PORT\n"


def test_the_port_of_a_platform_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8000")
    assert line_of("port", printed(capsys, "settings")) == "8000  <- PORT"
    monkeypatch.setenv("PORT", "eighty")
    assert main(["settings"]) == 1
    assert capsys.readouterr().err == (
        "ERROR: environment variable PORT: 'eighty' is not a whole number from 0 to 65535\n")


def test_each_setting_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with every_case() as case:
        for row in TABLE:
            with case(row.name):
                text = printed(capsys, "settings", row.key)
                assert text.startswith(f"{row.key}\n  {row.doc.help[:20]}")
                assert row.environment[-1] in text
                assert max(map(len, text.splitlines()[1:3])) <= 80


def test_no_secret_is_shown_by_any_command(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [row for row in TABLE if row.doc.secret]
    assert secrets
    for row in secrets:
        monkeypatch.setenv(row.environment[0], KEY)
    assert KEY not in printed(capsys, "settings")
    assert KEY not in printed(capsys, "settings", *(row.key for row in secrets))
    assert KEY not in printed(capsys, "info")


def test_what_must_be_secret_is() -> None:
    named = {row.name for row in TABLE if re.search(r"(secret|password|(^|_)keys?)$", row.name)}
    assert {row.name for row in TABLE if row.doc.secret} >= named - {"auth_header_keys"}


@pytest.mark.parametrize(("name", "hint"), [
    ("prt", "did you mean port?"),
    ("compression", "did you mean websocket-compression-level, websocket-compression-mem-level?"),
    ("xyzzy", "hotshoe settings lists all"),
])
def test_a_setting_that_there_is_not(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", name]) == 1
    assert capsys.readouterr().err == f"ERROR: there is no setting {name}; {hint}\n"

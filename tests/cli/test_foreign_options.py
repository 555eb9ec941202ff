"""Options of other servers: each is answered with what takes its place here."""

from __future__ import annotations

import re

import pytest

from hotshoe.base.errors import ConfigError, UserError
from hotshoe.cli.foreign_options import FAMILIES, FOREIGN_OPTIONS
from hotshoe.cli.serve import make_parser, read, run

# Of other programs, in the advice.
_OF_OTHERS = {"--pid"}


def own_options() -> set[str]:
    return {option for action in make_parser().actions for option in action.option_strings}


def answer(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        read(["app.py", *arguments], {})
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line.removeprefix("hotshoe serve: error: unrecognized arguments: ").removesuffix(
        " (see hotshoe serve --help)")


@pytest.mark.parametrize(("arguments", "line"), [
    (["--static-dirs", "assets=."], "--static-dirs; put the files into the static/ folder of an app"),
    (["--warm"], "--warm; import what is slow in on_server_loaded in app_hooks.py"),
    (["--host=0.0.0.0"], "--host; use --address"),
    (["--server.port", "8501"], "--server.port; use --port"),
    (["--theme.base=dark"], "--theme.base; leave it out, as it is an option of Streamlit"),
    (["--server", "fastapi"], "--server; leave it out"),  # no short form of --server-name
    (["--user", "www"], "--user; leave it to the service manager"),
    (["-b", "0.0.0.0:80"], "-b; use --address and --port"),
    (["-w4"], "-w4; leave it out, as one process serves"),
    (["--open", "--proxy-headers"], "--open --proxy-headers; --open: use --show; --proxy-headers: use --use-xheaders"),
])
def test_an_option_of_another_server_is_answered_with_ours(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(*arguments, capsys=capsys).startswith(line)


def test_words_that_are_for_the_app_or_are_values_are_not_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert read(["app.py", "--args", "--host", "-w"], {})[1].settings().args == ("--host", "-w")
    try:
        files, _ = read(["app.py", "--prefix", "/-w", "--", "-w.py"], {})
    except UserError as error:
        pytest.fail(str(error))
    assert files == ["app.py", "-w.py"]


def test_no_advice_is_for_an_option_of_ours() -> None:
    assert not own_options() & set(FOREIGN_OPTIONS)
    assert not [option for option in own_options() if option.startswith(tuple(FAMILIES))]


def test_the_advice_names_options_that_exist() -> None:
    named = {option for hint in FOREIGN_OPTIONS.values() for option in re.findall(r"--[a-z][\w-]*", hint)}
    assert named - own_options() == _OF_OTHERS


def test_all_options_of_uvicorn_have_advice() -> None:
    from uvicorn.main import main

    theirs = {option for parameter in main.params for option in (*parameter.opts, *parameter.secondary_opts)}
    rare = {"--h11-max-incomplete-event-size", "--http2", "--reset-contextvars", "app"}
    assert not theirs - own_options() - set(FOREIGN_OPTIONS) - rare


@pytest.mark.parametrize(("variable", "fix"), [
    ("PANEL_BASIC_AUTH", "use --auth basic, and add users with hotshoe user add"),
    ("PANEL_OAUTH_PROVIDER", "use --auth oidc and --oidc-issuer"),
])
def test_a_login_of_panel_serve_is_not_ignored(variable: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=rf"{variable} is a setting of panel serve: {fix}, or --auth none to let"):
        run(["app.py"], {variable: "x"})
    with pytest.raises(ConfigError, match="--log-file"):  # the next that is wrong
        run(["app.py", "--auth", "none", "--log-file", "/dev/null/log"], {variable: "x"})

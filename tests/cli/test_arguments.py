"""Every setting is an option; what is given is told from what is default."""

from __future__ import annotations

import pytest
from tests.support.cases import every_case
from tests.support.command_line import parse

from hotshoe.cli.arguments import split_app_arguments
from hotshoe.cli.serve import make_parser
from hotshoe.config import TABLE


def test_each_setting_has_an_option_with_help() -> None:
    actions = {option: action for action in make_parser().actions for option in action.option_strings}
    with every_case() as case:
        for row in TABLE:
            with case(row.name):
                if not row.has_option:
                    assert row.flag not in actions
                else:
                    assert actions[row.flag].help


def test_an_option_for_a_secret_is_told_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--secret-key", "x"], {})
    error = capsys.readouterr().err
    assert "--secret-key; set BOKEH_SECRET_KEY, as every user of this machine can list a command's options" in error


def test_options_stand_anywhere() -> None:
    files, settings = parse(["a.py", "--port", "1", "b.py", "--show", "c"], {})
    assert files == ["a.py", "b.py", "c"]
    assert (settings.port, settings.show) == (1, True)


def test_an_option_is_stronger_than_the_environment() -> None:
    environ = {"HOTSHOE_PORT": "2", "HOTSHOE_THREADS": "3"}
    _, settings = parse(["--port", "5006"], environ)
    assert (settings.port, settings.threads) == (5006, 3)


def test_a_switch_that_is_on_has_an_option_that_turns_it_off() -> None:
    assert parse([], {})[1].busy_sign
    assert not parse(["--no-busy-sign"], {})[1].busy_sign


def test_everything_after_args_is_for_the_apps() -> None:
    files, settings = parse(["a.py", "--port=1", "--args", "--port", "2", "--s", "-h", "--args", "x y"], {})
    assert files == ["a.py"]
    assert settings.port == 1
    assert settings.args == ("--port", "2", "--s", "-h", "--args", "x y")


@pytest.mark.parametrize(("arguments", "own", "for_apps"), [
    (["a"], ["a"], None),
    (["a", "--args"], ["a"], []),
])
def test_split_app_arguments(arguments: list[str], own: list[str], for_apps: list[str] | None) -> None:
    assert split_app_arguments(arguments) == (own, for_apps)


def test_a_list_is_given_item_by_item() -> None:
    _, settings = parse(["--allow-websocket-origin", "a", "--allow-websocket-origin=b:80"], {})
    assert settings.allow_websocket_origin == ("a", "b:80")


@pytest.mark.parametrize(("arguments", "files", "watch"), [
    (["a.py", "--dev"], ["a.py"], ()),
    (["a.py", "--dev", "x.css", "y", "--watch", "z"], ["a.py"], ("z", "x.css", "y")),
    (["--dev", "--port", "1", "a.py"], ["a.py"], ()),
    (["--dev", "a.py", "b.py"], ["a.py", "b.py"], ()),
])
def test_files_after_dev_are_watched_unless_they_are_all(
    arguments: list[str], files: list[str], watch: tuple[str, ...]
) -> None:
    found, settings = parse(arguments, {})
    assert (found, settings.dev, settings.watch) == (files, True, watch)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--port", "x"], "argument --port: 'x' is not a whole number from 0 to 65535"),
    (["--log-level", "loud"], "argument --log-level: 'loud' is not trace, debug"),
    (["--log-level", "warn"], "argument --log-level: 'warn' is not trace, debug, info, warning, error, critical or "
                              "None; did you mean warning?"),
    (["--nothing"], "unrecognized arguments: --nothing"),
    (["--disable-indx"], "unrecognized arguments: --disable-indx; did you mean --disable-index?"),
    (["--setup", "x.py"], "unrecognized arguments: --setup; write it as on_server_loaded in app_hooks.py"),
    (["--autoreload"], "unrecognized arguments: --autoreload; use --dev (see"),
    (["--basic-auth", "x"], "unrecognized arguments: --basic-auth; use --auth basic, and add users"),
])
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments, {})
    assert caught.value.code == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith(f"hotshoe serve: error: {message}")
    assert error.endswith("(see hotshoe serve --help)")


@pytest.mark.parametrize(("arguments", "value"), [
    (["--all-bundles", "a.py"], ("yes",)),
    (["a.py", "--all-bundles"], ("yes",)),
    (["--all-bundles=sales=yes", "a.py"], ("sales=yes",)),
    (["--all-bundles", "--all-bundles=sales=no", "a.py"], ("yes", "sales=no")),
    (["a.py", "--", "--all-bundles"], ()),
])
def test_an_option_that_may_stand_alone_takes_no_next_word(arguments: list[str], value: tuple[str, ...]) -> None:
    files, settings = parse(arguments, {})
    assert files == ["a.py", *(["--all-bundles"] if "--" in arguments else [])]
    assert settings.all_bundles == value

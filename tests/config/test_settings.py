"""The table: every setting says what it is, and its values have the types of the fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotshoe.config import TABLE, BokehFile, Setting, Settings
from hotshoe.errors import ConfigError


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_setting_explains_itself(row: Setting) -> None:
    assert row.declaration.help.endswith(".")
    assert row.allowed
    assert row.read(row.default) == row.default
    assert row.problem(row.default) is None


def test_names_are_unique() -> None:
    for names in ([row.flag for row in TABLE], [name for row in TABLE for name in row.environment]):
        assert len(names) == len(set(names))


def test_defaults() -> None:
    settings = Settings.load({}, {})
    assert settings == Settings()
    assert (settings.port, settings.address, settings.prefix) == (5006, None, "")
    assert settings.keep_alive_milliseconds == 25_000  # below the 30 s after which some proxies cut what is silent
    assert settings.websocket_max_message_size == 20971520


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text("port = 1\nthreads = 1\nkeep_alive = 1\nlog-format = '%(message)s'\n")
    settings = Settings.load({"port": 3}, {"HOTSHOE_PORT": "2", "HOTSHOE_THREADS": "2"}, file)
    assert (settings.port, settings.threads, settings.keep_alive_milliseconds) == (3, 2, 1)
    assert settings.log_format == "%(message)s"


def test_own_variable_is_stronger_than_bokehs() -> None:
    environ = {"HOTSHOE_PORT": "1", "BOKEH_DEFAULT_SERVER_PORT": "2"}
    assert Settings.load({}, environ).port == 1
    del environ["HOTSHOE_PORT"]
    assert Settings.load({}, environ).port == 2


def test_a_switch_that_is_on_is_turned_off(tmp_path: Path) -> None:
    (row,) = [row for row in TABLE if row.name == "busy_sign"]
    assert (row.flag, row.key, row.environment) == ("--no-busy-sign", "busy-sign", ("HOTSHOE_BUSY_SIGN",))
    file = tmp_path / "hotshoe.toml"
    file.write_text("busy-sign = false\n")
    assert Settings.load({}, {}).busy_sign
    assert not Settings.load({}, {}, file).busy_sign
    assert not Settings.load({}, {"HOTSHOE_BUSY_SIGN": "no"}).busy_sign
    assert Settings.load({}, {"HOTSHOE_BUSY_SIGN": "yes"}, file).busy_sign


def test_an_empty_variable_says_nothing() -> None:
    assert Settings.load({}, {"HOTSHOE_PORT": ""}).port == 5006


def test_bokehs_origins_replace_the_flag() -> None:
    settings = Settings.load({"allow_websocket_origin": ["a"]}, {"BOKEH_ALLOW_WS_ORIGIN": "b, c:80,"})
    assert settings.allow_websocket_origin == ("b", "c:80")


def test_own_origins_variable_does_not_replace_the_flag() -> None:
    settings = Settings.load({"allow_websocket_origin": ["a"]}, {"HOTSHOE_ALLOW_WEBSOCKET_ORIGIN": "b"})
    assert settings.allow_websocket_origin == ("a",)


def test_values_from_the_environment() -> None:
    environ = {"HOTSHOE_SHOW": "Yes", "HOTSHOE_GLOB": "off", "HOTSHOE_ARGS": "--fast 3", "BOKEH_PY_LOG_LEVEL": "DEBUG"}
    settings = Settings.load({}, environ)
    assert (settings.show, settings.glob) == (True, False)
    assert settings.args == ("--fast", "3")
    assert settings.log_level == "debug"


@pytest.mark.parametrize(("explicit", "environ", "port"), [
    ({}, {"PORT": "8000"}, 8000),
    ({}, {"PORT": ""}, 5006),
    ({"port": 1}, {"PORT": "8000"}, 1),
    ({"port": 5006}, {"PORT": "8000"}, 5006),
    ({"port": 1}, {"PORT": "tcp://10.0.0.1:80"}, 1),
    ({}, {"PORT": "8000", "HOTSHOE_PORT": "2"}, 2),
    ({}, {"PORT": "8000", "BOKEH_DEFAULT_SERVER_PORT": "3"}, 3),
    # The port of the proxy before the socket.
    ({"unix_socket": "/run/app.sock"}, {"PORT": "8000"}, 5006),
])
def test_the_port_of_a_platform_counts_if_nothing_else_says_one(
        explicit: dict[str, object], environ: dict[str, str], port: int) -> None:
    assert Settings.load(explicit, environ).port == port


def test_the_port_of_a_platform_is_weaker_than_files(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text("port = 4\n")
    assert Settings.load({}, {"PORT": "8000"}, file).port == 4
    users = BokehFile(tmp_path / "bokeh.yaml", {"default_server_port": 5})
    assert Settings.load({}, {"PORT": "8000"}, bokeh_user=users).port == 5


@pytest.mark.parametrize(("explicit", "environ", "message"), [
    ({"port": 65536}, {}, "--port: 65536 is not a whole number from 0 to 65535"),
    ({"threads": True}, {}, "--threads: True is not a whole number from 0 to 4096"),
    ({"keep_alive_milliseconds": -1}, {}, "--keep-alive: -1 is not a whole number from 0 (ms)"),
    ({"check_unused_sessions_milliseconds": 0}, {}, "--check-unused-sessions: 0 is not a whole number from 1 (ms)"),
    ({"allow_websocket_origin": ["https://a.b/c"]}, {},
     "--allow-websocket-origin: 'https://a.b/c' is a URL: name only its host and port, 'a.b'"),
    ({"allow_websocket_origin": ["a:b"]}, {}, "--allow-websocket-origin: 'a:b' is not HOST or HOST:PORT"),
    ({"prefix": "/a?b"}, {}, "--prefix: '/a?b' is not a path like /apps"),
    ({"prot": 1}, {}, "There is no setting prot; did you mean port?"),
    ({}, {"HOTSHOE_PORT": "many"}, "the environment's HOTSHOE_PORT: 'many' is not a whole number from 0 to 65535"),
    ({}, {"PORT": "tcp://10.0.0.1:80"},
     "the environment's PORT: 'tcp://10.0.0.1:80' is not a whole number from 0 to 65535"),
    ({}, {"PORT": "70000"}, "the environment's PORT: 70000 is not a whole number from 0 to 65535"),
    ({}, {"HOTSHOE_SHOW": "maybe"}, "the environment's HOTSHOE_SHOW: 'maybe' is not yes or no"),
    ({}, {"BOKEH_PY_LOG_LEVEL": "loud"}, "the environment's BOKEH_PY_LOG_LEVEL: 'loud' is not trace, debug, info, "
                                         "warning, error, critical or None"),
])
def test_a_wrong_value_is_named_with_its_source(
        explicit: dict[str, object], environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load(explicit, environ, flags=True)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "message"), [
    ("prefx = '/a'", "there is no setting prefx; did you mean prefix?"),
    ("port = '1'", "port: '1' is not a whole number from 0 to 65535"),
    ("log_format = '%(nothing)s'", "log_format: '%(nothing)s' is not a format of Python's logging"),
    ("port = ", "is no TOML"),
])
def test_a_wrong_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, {}, file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: can't be read: No such file"):
        Settings.load({}, {}, tmp_path / "none.toml")


def test_a_wrong_value_can_not_be_built() -> None:
    with pytest.raises(ConfigError, match="port: -1"):
        Settings(port=-1)


def test_replace() -> None:
    settings = Settings(port=1).replace(prefix="/a", allow_websocket_origin=["b"])
    assert (settings.port, settings.prefix, settings.allow_websocket_origin) == (1, "/a", ("b",))
    with pytest.raises(ConfigError, match="did you mean prefix"):
        settings.replace(prefx="/a")

"""bokeh's own files of settings: their place among the sources, and the words that they use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bokeh.util.settings import get_all_settings

from hotshoe.cli.loading import Sources
from hotshoe.cli.serve import parse
from hotshoe.config import TABLE, BokehFile, Settings, gather, read_bokeh_file
from hotshoe.config.sources import bokeh_key
from hotshoe.errors import ConfigError

ROWS = [row for row in TABLE if row.declaration.bokeh_environment]


def bokeh(**values: Any) -> BokehFile:
    return BokehFile(Path("bokeh.yaml"), values)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_keys_and_variables_are_bokehs(row: Any) -> None:
    names = {setting.env_var: setting.name for setting in get_all_settings().values()}
    assert names[row.declaration.bokeh_environment] == bokeh_key(row)


def test_the_order_of_sources(tmp_path: Path) -> None:
    toml = tmp_path / "hotshoe.toml"
    toml.write_text("port = 3\n")
    layers: dict[str, Any] = {
        "bokeh_user": bokeh(default_server_port=2), "file": toml, "environ": {"BOKEH_DEFAULT_SERVER_PORT": "4"},
        "bokeh": bokeh(default_server_port=6), "explicit": {"port": 7},
    }
    given: dict[str, Any] = {"environ": {}, "explicit": {}, "file": None}
    assert gather(TABLE, **given) == {}
    for (name, layer), port in zip(layers.items(), (2, 3, 4, 6, 7), strict=True):
        given[name] = layer
        assert gather(TABLE, **given)["port"].value == port
    given["explicit"] = {}
    given["environ"] = {"HOTSHOE_PORT": "5"}
    assert gather(TABLE, **given)["port"] == (6, "bokeh.yaml: default_server_port")


def test_origins_replace_the_option_as_their_variable_does() -> None:
    explicit = {"allow_websocket_origin": ["option:1"]}
    environ = {"BOKEH_ALLOW_WS_ORIGIN": "environ:1"}
    file = bokeh(allowed_ws_origin=["file:1", "other:2"])
    assert Settings.load(explicit, {}, bokeh=file).allow_websocket_origin == ("file:1", "other:2")
    assert Settings.load(explicit, environ, bokeh=file).allow_websocket_origin == ("file:1", "other:2")
    assert Settings.load(explicit, {}, bokeh_user=file).allow_websocket_origin == ("option:1",)
    assert Settings.load({}, {}, bokeh=bokeh(allowed_ws_origin="a, b:1")).allow_websocket_origin == ("a", "b:1")


@pytest.mark.parametrize(("values", "name", "value"), [
    ({"default_server_port": "80"}, "port", 80),
    ({"py_log_level": "DEBUG"}, "log_level", "debug"),
    ({"sign_sessions": True}, "session_ids", "signed"),
    ({"sign_sessions": "no"}, "session_ids", "unsigned"),
    ({"ico_path": None}, "ico_path", "default"),
    ({"minified": False, "no_such": 1}, "port", 5006),
])
def test_values_as_bokeh_takes_them(values: dict[str, Any], name: str, value: object) -> None:
    found = gather(TABLE, {}, {}, None, bokeh=bokeh(**values))
    assert found[name].value == value if name in found else getattr(Settings(), name) == value


@pytest.mark.parametrize(("values", "message"), [
    ({"default_server_port": "many"}, "bokeh.yaml: default_server_port: 'many' is not a whole number from 0 to 65535"),
    ({"default_server_port": 99999}, "bokeh.yaml: default_server_port: 99999 is not a whole number from 0 to 65535"),
    ({"py_log_level": "loud"}, "bokeh.yaml: py_log_level: 'loud' is not trace, debug, info"),
    ({"sign_sessions": "perhaps"}, "bokeh.yaml: sign_sessions: 'perhaps' is not"),
])
def test_a_wrong_value_is_named_with_its_file(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, {}, bokeh=bokeh(**values))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("text", "message"), [
    ("a: [", "is no YAML: "),
    ("- a\n- b\n", "has no settings: each is a line like log_level: debug"),
    ("", "has no settings"),
    ("!!python/object/apply:os.getcwd []", "is no YAML: "),
    ("\udcff", "is no YAML: "),
])
def test_a_file_that_is_none(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_bokeh_file(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_the_users_own_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bokeh").mkdir()
    (tmp_path / ".bokeh/bokeh.yaml").write_text("default_server_port: 81\n")
    assert parse([], {})[1].port == 81
    (tmp_path / "over.yaml").write_text("default_server_port: 82\n")
    assert parse(["--use-config", "over.yaml"], {})[1].port == 82
    assert parse([], {"HOTSHOE_USE_CONFIG": "over.yaml"})[1].port == 82
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file"):
        parse(["--use-config", "none.yaml"], {})


@pytest.mark.parametrize(("word", "level"), [("1", "debug"), ("yes", "debug"), ("no", "info"), ("", "info")])
def test_bokehs_dev_mode_logs_more(word: str, level: str) -> None:
    assert Settings.load({}, {"BOKEH_DEV": word}).log_level == level
    assert Settings.load({}, {"BOKEH_DEV": word, "BOKEH_PY_LOG_LEVEL": "error"}).log_level == "error"


def test_what_is_no_switch_is_said() -> None:
    with pytest.raises(ConfigError, match="the environment's BOKEH_DEV: 'perhaps' is not yes or no"):
        Settings.load({}, {"BOKEH_DEV": "perhaps"})


def test_sources_hold_what_they_were_given() -> None:
    assert Sources({"port": 1}, {"HOTSHOE_THREADS": "2"}).settings() == Settings(port=1, threads=2)

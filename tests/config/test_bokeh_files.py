"""bokeh's own files of settings: their place among the sources, and the words that they use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bokeh.util.settings import get_all_settings
from tests.support.cases import every_case
from tests.support.command_line import parse

from hotshoe.base.errors import ConfigError
from hotshoe.config import TABLE, BokehFile, Settings, SettingSources, read_bokeh_file
from hotshoe.config.value_sources import bokeh_key


def bokeh(**values: Any) -> BokehFile:
    return BokehFile(Path("bokeh.yaml"), values)


def load(environ: dict[str, str] | None = None, **more: Any) -> Settings:
    return SettingSources(more.pop("explicit", {}), environ or {}, **more).settings()


def test_keys_and_variables_are_bokehs() -> None:
    names = {setting.env_var: setting.name for setting in get_all_settings().values()}
    ours = {row.doc.bokeh: bokeh_key(row) for row in TABLE if row.doc.bokeh}
    assert ours == {variable: names[variable] for variable in ours}


def test_the_order_of_sources(tmp_path: Path) -> None:
    toml = tmp_path / "hotshoe.toml"
    toml.write_text("port = 3\n")
    layers: dict[str, Any] = {
        "bokeh_user": bokeh(default_server_port=2), "file": toml, "environ": {"BOKEH_DEFAULT_SERVER_PORT": "4"},
        "bokeh": bokeh(default_server_port=6), "explicit": {"port": 7},
    }
    sources = SettingSources({}, {})
    assert sources.gather() == {}
    for (name, layer), port in zip(layers.items(), (2, 3, 4, 6, 7), strict=True):
        sources = replace(sources, **{name: layer})
        assert sources.gather()["port"].value == port
    sources = replace(sources, explicit={}, environ={"HOTSHOE_PORT": "5"})
    assert sources.gather()["port"] == (6, "bokeh.yaml: default_server_port")


def test_origins_replace_the_option_as_their_variable_does() -> None:
    explicit = {"allow_websocket_origin": ["option:1"]}
    environ = {"BOKEH_ALLOW_WS_ORIGIN": "environ:1"}
    file = bokeh(allowed_ws_origin=["file:1", "other:2"])
    assert load(explicit=explicit, bokeh=file).allow_websocket_origin == ("file:1", "other:2")
    assert load(environ, explicit=explicit, bokeh=file).allow_websocket_origin == ("file:1", "other:2")
    assert load(explicit=explicit, bokeh_user=file).allow_websocket_origin == ("option:1",)
    assert load(bokeh=bokeh(allowed_ws_origin="a, b:1")).allow_websocket_origin == ("a", "b:1")


def test_values_as_bokeh_takes_them() -> None:
    cases: list[tuple[dict[str, Any], str, object]] = [
        ({"default_server_port": "80"}, "port", 80),
        ({"default_server_port": 80}, "port", 80),
        ({"py_log_level": "DEBUG"}, "log_level", "debug"),
        ({"sign_sessions": True}, "session_ids", "signed"),
        ({"sign_sessions": "no"}, "session_ids", "unsigned"),
        ({"xsrf_cookies": True}, "enable_xsrf_cookies", True),
        ({"ssl_password": 1234}, "ssl_password", "1234"),
        ({"ico_path": None}, "ico_path", "default"),
        ({"minified": False, "no_such": 1}, "port", 5006),
    ]
    with every_case() as case:
        for values, name, value in cases:
            with case(values):
                assert getattr(load(bokeh=bokeh(**values)), name) == value


def test_a_wrong_value_is_named_with_its_file() -> None:
    with every_case() as case:
        for key, value, message in [
            ("default_server_port", "many", "'many' is not a whole number from 0 to 65535"),
            ("default_server_port", 99999, "'99999' is not a whole number from 0 to 65535"),
            ("py_log_level", "loud", "'loud' is not trace, debug, info"),
            ("sign_sessions", "perhaps", "'perhaps' is not"),
        ]:
            with case((key, value)):
                with pytest.raises(ConfigError) as caught:
                    load(bokeh=bokeh(**{key: value}))
                assert str(caught.value).startswith(f"bokeh.yaml: {key}: {message}")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    with every_case() as case:
        for text, message in [
            ("a: [", "this is not valid YAML: "),
            ("a: " + "[" * 5000, "this is not valid YAML: "),
            ("- a\n- b\n", "there are no settings in it; write lines like log_level: debug"),
            ("", "there are no settings in it"),
            ("!!python/object/apply:os.getcwd []", "this is not valid YAML: "),
            ("\udcff", "this is not valid YAML: "),
        ]:
            with case(text):
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


def test_bokehs_dev_mode_logs_more() -> None:
    for word, level in [("1", "debug"), ("yes", "debug"), ("no", "info"), ("", "info")]:
        assert load({"BOKEH_DEV": word}).log_level == level
        assert load({"BOKEH_DEV": word, "BOKEH_PY_LOG_LEVEL": "error"}).log_level == "error"


def test_what_is_no_switch_is_said() -> None:
    with pytest.raises(ConfigError, match="environment variable BOKEH_DEV: 'perhaps' is not yes or no"):
        load({"BOKEH_DEV": "perhaps"})

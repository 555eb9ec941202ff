"""The table: every setting says what it is, and its values have the types of the fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.cases import every_case

from hotshoe.base.errors import ConfigError
from hotshoe.config import TABLE, BokehFile, Setting, Settings, SettingSources, apps_in, value_for

WHOLE = "is not a whole number"
TOO_LARGE = "9" * 5000
WRONG: dict[str, list[str]] = {
    "unix_socket_mode": ["rw", "066", "600\n"],
    "trusted_proxies": ["10.0.0.1/8", "proxy.example"],
    "prefix": ["/a?b", "/a/../b", "..", "a b", "https://a", "\\a"],
    "wsgi": ["site", "site:app()()", "a-b:c", "site:app\n"],
    "ico_path": ["icon.png", "icon.ico\n"],
    "allow_websocket_origin": ["https://a.b/c", "a:b", "a:65536", ""],
    "allowed_hosts": ["*", "", "https://a.b/c", "a:b", "a:65536", "a b", "a.*", "*a", "..a", "[::1", "[x]", "::1",
                      "a/b", "b\xfccher.example", "a@b", "a\n"],
    "frame_ancestors": ["a;b", "https://a b"],
    "allow": ["a", "a=", "=x", "a=,", "a=@", "a= , @"],
    "oidc_issuer": ["http://login.example.org", "login.example.org", "gitlab", "https://a b", "http://[::1"],
    "oidc_tenant": ["common", "organizations", "consumers", "a/b"],
    "oidc_redirect_url": ["https://example.org/", "/login-callback", "https://a/login-callback\n"],
    "auth_header_user": ["X User", "X-User\r\nX-Admin: 1", "X-User\n", ""],
    "auth_header_separator": ["", "\n", "é", "123456789"],
    "auth_header_logout_url": ["sign_out", "//other.example", "/\\other.example"],
    "log_format": ["%(nothing)s", "%(message)"],
    "all_bundles": ["", "=yes", "sales", "sales=maybe", "sales=yes=no"],
    "app_thread": ["", "Own thread", "sales", "sales=", "=own", "sales=pools"],
}
"""Texts that settings do not take, beside what is wrong for every setting of their kind."""
RIGHT: dict[str, list[str]] = {
    "unix_socket_mode": ["600", "0666"],
    "trusted_proxies": ["10.0.0.0/8", "fd00::/8", "192.0.2.1"],
    "prefix": ["/apps", "apps/", "/a..b"],
    "wsgi": ["site:app", "my.site:make.app()"],
    "ico_path": ["none", "DEFAULT", "a/b.ICO"],
    "allow_websocket_origin": ["a", "*", "a:*", "[::1]:80", "*.example.org:65535"],
    "allowed_hosts": ["a", "a.b:80", ".example.org", "*.example.org:443", "[::1]", "[::1]:5006", "10.0.0.1", "my_app"],
    "frame_ancestors": ["self", "'self'", "https:", "https://*.example.org:*"],
    "allow": ["sales=staff,@alice", "*=*", "a b=,x"],
    "oidc_issuer": ["github", "https://login.example.org", "http://localhost:8080/realm"],
    "oidc_tenant": ["example.org", "7a1b"],
    "oidc_redirect_url": ["https://example.org/login-callback", "http://a/b/login-callback"],
    "auth_header_user": ["X-Forwarded-User"],
    "auth_header_separator": [";", " ", ", "],
    "auth_header_logout_url": ["/oauth2/sign_out", "https://example.org/out?x=1"],
    "log_format": ["%(session)s %(message)s"],
    "all_bundles": ["yes", "*=no", "sales=no", "/sales=yes", "deep/er=yes"],
    "app_thread": ["own", "sales=pool", "/deep/app=loop", "*=own"],
}


def load(explicit: dict[str, Any] | None = None, environ: dict[str, str] | None = None, file: Path | None = None,
         **more: BokehFile) -> Settings:
    return SettingSources(explicit or {}, environ or {}, file, **more).settings()


def wrong_values(row: Setting) -> list[object]:
    """What a program must not give, by the kind of the setting."""
    nothing = [] if row.default is None else [None]
    if row.is_list:
        return [5, "text", [5], [b"text"], *nothing]
    if row.is_switch:
        return ["yes", 1, *nothing]
    if is_number(row):
        return ["1", True, 1.5, -1, *nothing]
    return [5, True, b"text", ["text"], *(["loud"] if row.choices else []), *nothing]


def is_number(row: Setting) -> bool:
    return "whole number" in row.allowed


def test_each_setting_explains_itself() -> None:
    with every_case() as case:
        for row in TABLE:
            with case(row.name):
                assert row.doc.help.endswith(".")
                assert row.allowed
                assert row.convert(row.default) == row.default
                assert (row.metavar is None) == (row.is_switch and row.name != "dev") or not row.has_option


def test_each_setting_takes_what_it_says() -> None:
    with every_case() as case:
        for row in TABLE:
            for text in [*RIGHT.get(row.name, ()), *row.choices]:
                with case((row.name, text)):
                    assert row.convert([text] if row.is_list else text) == ((text,) if row.is_list else text)
            if row.choices:
                with case((row.name, "case")):
                    assert row.convert(row.choices[0].upper()) == row.choices[0]


def test_each_setting_refuses_what_is_wrong_and_says_what_is_right() -> None:
    with every_case() as case:
        for row in TABLE:
            values = wrong_values(row) + [[text] if row.is_list else text for text in WRONG.get(row.name, ())]
            for value in values:
                with case((row.name, value)):
                    with pytest.raises(ConfigError) as caught:
                        Settings().replace(**{row.name: value})
                    assert str(caught.value).startswith(f"{row.name}: ")
                    assert "\n" not in str(caught.value)
                    assert not (row.doc.secret and "text" in str(caught.value).partition("is not")[0])


def test_texts_of_numbers_and_switches_are_read() -> None:
    with every_case() as case:
        for row in TABLE:
            with case(row.name):
                if row.is_switch:
                    assert [row.convert(word, text=True) for word in ("Yes", "on", " 1 ", "TRUE")] == [True] * 4
                    assert [row.convert(word, text=True) for word in ("no", "OFF", "0", "false ")] == [False] * 4
                elif is_number(row) and row.default is not None:
                    assert row.convert(f" {row.default} ", text=True) == row.default
                for word in ("many", "-1", "", TOO_LARGE) if row.is_switch or is_number(row) else ():
                    with pytest.raises(ValueError, match="is not"):
                        row.convert(word, text=True)


def test_names_are_unique() -> None:
    for names in ([row.flag for row in TABLE], [name for row in TABLE for name in row.environment]):
        assert len(names) == len(set(names))


def test_defaults() -> None:
    settings = load()
    assert settings == Settings()
    assert (settings.port, settings.address, settings.prefix) == (5006, None, "")
    assert settings.keep_alive_milliseconds == 25_000  # below the 30 s after which some proxies cut what is silent
    assert settings.websocket_max_message_size == 20971520


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text("port = 1\nthreads = 1\nkeep_alive = 1\nlog-format = '%(message)s'\n")
    settings = load({"port": 3}, {"HOTSHOE_PORT": "2", "HOTSHOE_THREADS": "2"}, file)
    assert (settings.port, settings.threads, settings.keep_alive_milliseconds) == (3, 2, 1)
    assert settings.log_format == "%(message)s"


def test_own_variable_is_stronger_than_bokehs() -> None:
    environ = {"HOTSHOE_PORT": "1", "BOKEH_DEFAULT_SERVER_PORT": "2"}
    assert load(environ=environ).port == 1
    assert load(environ={**environ, "BOKEH_DEFAULT_SERVER_PORT": "many"}).port == 1
    del environ["HOTSHOE_PORT"]
    assert load(environ=environ).port == 2


def test_a_switch_that_is_on_is_turned_off(tmp_path: Path) -> None:
    (row,) = [row for row in TABLE if row.name == "busy_sign"]
    assert (row.flag, row.key, row.environment) == ("--no-busy-sign", "busy-sign", ("HOTSHOE_BUSY_SIGN",))
    file = tmp_path / "hotshoe.toml"
    file.write_text("busy-sign = false\n")
    assert load().busy_sign
    assert not load(file=file).busy_sign
    assert not load(environ={"HOTSHOE_BUSY_SIGN": "no"}).busy_sign
    assert load(environ={"HOTSHOE_BUSY_SIGN": "yes"}, file=file).busy_sign


def test_an_empty_variable_says_nothing() -> None:
    assert load(environ={"HOTSHOE_PORT": ""}).port == 5006


def test_bokehs_origins_replace_the_flag() -> None:
    settings = load({"allow_websocket_origin": ["a"]}, {"BOKEH_ALLOW_WS_ORIGIN": "b, c:80,"})
    assert settings.allow_websocket_origin == ("b", "c:80")


def test_own_origins_variable_does_not_replace_the_flag() -> None:
    settings = load({"allow_websocket_origin": ["a"]}, {"HOTSHOE_ALLOW_WEBSOCKET_ORIGIN": "b"})
    assert settings.allow_websocket_origin == ("a",)


def test_values_from_the_environment() -> None:
    environ = {"HOTSHOE_SHOW": "Yes", "HOTSHOE_GLOB": "off", "HOTSHOE_ARGS": "--fast 3", "BOKEH_PY_LOG_LEVEL": "DEBUG"}
    settings = load(environ=environ)
    assert (settings.show, settings.glob) == (True, False)
    assert settings.args == ("--fast", "3")
    assert settings.log_level == "debug"


def test_the_port_of_a_platform_counts_if_nothing_else_says_one(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text("port = 4\n")
    users = BokehFile(tmp_path / "bokeh.yaml", {"default_server_port": 5})
    assert load(environ={"PORT": "8000"}).port == 8000
    assert load(environ={"PORT": ""}).port == 5006
    assert load({"port": 5006}, {"PORT": "8000"}).port == 5006
    assert load({"port": 1}, {"PORT": "tcp://10.0.0.1:80"}).port == 1
    assert load(environ={"PORT": "8000", "HOTSHOE_PORT": "2"}).port == 2
    assert load(environ={"PORT": "8000", "BOKEH_DEFAULT_SERVER_PORT": "3"}).port == 3
    assert load(environ={"PORT": "8000"}, file=file).port == 4
    assert load(environ={"PORT": "8000"}, bokeh_user=users).port == 5
    assert load({"unix_socket": "/run/app.sock"}, {"PORT": "8000"}).port == 5006, "it is that of the proxy before it"


def test_a_wrong_value_is_named_with_its_source() -> None:
    cases: list[tuple[dict[str, Any], dict[str, str], str]] = [
        ({"port": 65536}, {}, f"--port: 65536 {WHOLE} from 0 to 65535"),
        ({"threads": True}, {}, f"--threads: True {WHOLE} from 0 to 4096"),
        ({"keep_alive_milliseconds": -1}, {}, f"--keep-alive: -1 {WHOLE} of milliseconds, 0 or more"),
        ({"allow_websocket_origin": ["https://a.b/c"]}, {},
         "--allow-websocket-origin: 'https://a.b/c' is a URL: name only its host and port, 'a.b'"),
        ({"allowed_hosts": ["*"]}, {}, "--allowed-hosts: '*' would allow every host: leave the option out"),
        ({"allowed_hosts": ["b\xfccher.example"]}, {}, "--allowed-hosts: 'b\xfccher.example' has other letters than "
         "browsers send: write 'xn--bcher-kva.example'"),
        ({"allow_websocket_origin": "a"}, {}, "--allow-websocket-origin: 'a' is not a list"),
        ({"prefix": "/a?b"}, {}, "--prefix: '/a?b' is not a path like /apps"),
        ({"prot": 1}, {}, "there is no setting prot; did you mean port?"),
        ({}, {"HOTSHOE_PORT": "many"}, f"environment variable HOTSHOE_PORT: 'many' {WHOLE} from 0 to 65535"),
        ({}, {"PORT": "tcp://10.0.0.1:80"}, f"environment variable PORT: 'tcp://10.0.0.1:80' {WHOLE} from 0 to 65535"),
        ({}, {"PORT": "70000"}, f"environment variable PORT: '70000' {WHOLE} from 0 to 65535"),
        ({}, {"HOTSHOE_SHOW": "maybe"}, "environment variable HOTSHOE_SHOW: 'maybe' is not yes or no"),
        ({}, {"BOKEH_PY_LOG_LEVEL": "loud"}, "environment variable BOKEH_PY_LOG_LEVEL: 'loud' is not trace, debug, "
                                             "info, warning, error, critical or None"),
    ]
    with every_case() as case:
        for explicit, environ, message in cases:
            with case(message):
                with pytest.raises(ConfigError) as caught:
                    load(explicit, environ)
                assert str(caught.value) == message


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    with every_case() as case:
        for text, message in [
            ("prefx = '/a'", "there is no setting prefx; did you mean prefix?"),
            ("port = '1'", f"port: '1' {WHOLE} from 0 to 65535"),
            ("log_format = '%(nothing)s'", "log-format: '%(nothing)s' is not a format of Python's logging"),
            ("port = ", "this is not valid TOML"),
            (f"args = {'[' * 5000}", "this is not valid TOML"),
            (r'"a\nb" = 1', r"there is no setting 'a\nb'"),
        ]:
            with case(text):
                file.write_text(text)
                with pytest.raises(ConfigError) as caught:
                    load(file=file)
                assert str(caught.value).startswith(f"{file}: {message}")
                assert "\n" not in str(caught.value)
        with case("missing"), pytest.raises(ConfigError, match=r"none\.toml: can't be read: No such file"):
            load(file=tmp_path / "none.toml")


def test_values_of_a_program_become_those_of_the_type() -> None:
    given: dict[str, Any] = {"allow_websocket_origin": ["a"], "log_level": "INFO"}
    assert Settings(**given) == Settings(allow_websocket_origin=("a",), log_level="info")


def test_replace() -> None:
    settings = Settings(port=1).replace(prefix="/a", allow_websocket_origin=["b"])
    assert (settings.port, settings.prefix, settings.allow_websocket_origin) == (1, "/a", ("b",))
    with pytest.raises(ConfigError, match="did you mean prefix"):
        settings.replace(prefx="/a")


def test_no_secret_is_printed() -> None:
    secrets = [row for row in TABLE if row.doc.secret]
    settings = Settings().replace(**{row.name: ("hush",) if row.is_list else "hush" for row in secrets})
    assert secrets
    assert "hush" not in repr(settings)
    assert repr(settings).startswith("Settings(port=5006, ")


def test_apps_may_have_values_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text('app-thread = "own"\n[apps.sales]\nthread = "loop"\n[apps."deep/app"]\nthread = "pool"\n')
    for found in (
        load(file=file), Settings(app_thread={"*": "own", "sales": "loop", "deep/app": "pool"}),  # type: ignore[arg-type]
        load(environ={"HOTSHOE_APP_THREAD": "own, sales=loop, /deep/app=pool"}),
        Settings(app_thread=("own", "sales=loop", "/deep/app=pool")),
    ):
        urls = "/sales", "/deep/app", "/other", "/"
        assert [value_for(found.app_thread, url) for url in urls] == ["loop", "pool", "own", "own"]
        assert apps_in(found.app_thread) == ["/sales", "/deep/app"]
    assert value_for(Settings().app_thread, "/sales") is None
    assert apps_in(Settings(app_thread=("*=own", "/=loop")).app_thread) == ["/"]


@pytest.mark.parametrize(("text", "error"), [
    ('[apps.sales]\nthread = "owm"\n', "[apps.sales] thread: 'sales=owm' is not pool, own or loop"),
    ('[apps.sales]\nthred = "own"\n', "[apps.sales] thred: apps have no such setting; did you mean thread?"),
    ("apps = 3\n", "apps: write a table for each app, like [apps.sales]"),
    ("app-thread = 3\n", "app-thread: 3 is not a list"),
])
def test_wrong_values_of_single_apps(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file=file)
    assert str(caught.value).startswith(f"{file}: {error}")


def test_switches_of_single_apps(tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text("all-bundles = true\nrunning-loop = false\n[apps.sales]\n"
                    "all-bundles = false\nrunning-loop = true\n")
    for found in (load(file=file), Settings(all_bundles={"*": True, "sales": False},  # type: ignore[arg-type]
                                            running_loop=["no", "sales=yes"])):  # type: ignore[arg-type]
        assert (found.all_bundles, found.running_loop) == (("yes", "sales=no"), ("no", "sales=yes"))
    assert load(environ={"HOTSHOE_ALL_BUNDLES": "sales=yes, other=no"}).all_bundles == ("sales=yes", "other=no")
    with pytest.raises(ConfigError, match="'yes' is not pool, own or loop"):
        Settings(app_thread=True)  # type: ignore[arg-type]

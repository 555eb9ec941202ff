"""Every setting does something: for each, the test that shows what. A setting without one fails here.

Tests that stand elsewhere are named by their places below ``tests/``; their files have to name the setting.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import server_thread
from tests.support.cases import every_case
from tests.support.command import hotshoe
from tests.support.named_tests import TESTS, check_place
from tests.support.waiting import wait_until
from websockets.sync.client import connect

from hotshoe import Server
from hotshoe.cli.serve import report_changes
from hotshoe.config import TABLE, Setting, Settings
from hotshoe.hosts.host import AppInfo

READY = "Starting Bokeh server with process id:"
PATIENCE_S = 60.0
RunHere = Callable[..., tuple[int, str, str]]
APP = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div(text='x'))\n"

HERE = "cli/test_effects.py"
LIMITS, PROVIDERS, HEADER = "real/test_limits.py", "auth/test_providers.py", "auth/test_header_login.py"
OIDC = f"{PROVIDERS}::test_every_setting_of_oidc_has_its_effect"
DISCLOSURE = "web/test_disclosure.py::test_named_headers_and_cookies"

EFFECTS = {
    "port": "cli/test_serve.py::test_port_in_use",
    "address": "cli/test_serve.py::test_address_not_available",
    "unix_socket": "real/test_listening.py::test_a_unix_socket",
    "unix_socket_mode": "real/test_listening.py::test_a_unix_socket",
    "ssl_certfile": "server/test_tls.py::test_the_whole_chain_is_sent",
    "ssl_keyfile": "server/test_tls.py::test_a_key_with_a_password",
    "ssl_password": "server/test_tls.py::test_a_key_with_a_password",
    "use_xheaders": "real/test_listening.py::test_only_trusted_proxies_are_believed",
    "trusted_proxies": "web/gate/test_proxies.py::test_settings",
    "prefix": "cli/test_serve.py::test_start_prints_what_tools_parse",
    "dev": "browser/test_reload.py::test_an_app_that_is_broken_at_start",
    "watch": f"{HERE}::test_other_files_are_watched",
    "show": "cli/test_serve.py::test_show_opens_each_app",
    "args": "cli/test_serve.py::test_args_reach_the_apps",
    "wsgi": "web/test_wrapping.py::test_a_site_that_a_setting_names",
    "glob": f"{HERE}::test_patterns_are_expanded",
    "all_bundles": "hosts/test_hosts.py::test_all_bundles_for_all_apps_or_some",
    "app_thread": "real/test_app_threads.py::test_each_app_has_the_thread_that_it_needs",
    "running_loop": "hosts/test_running_loop.py::test_it_does_not_where_the_app_wants_none",
    "loop": "real/test_running_loop.py::test_nest_asyncio",
    "index": "web/test_own_answers.py::test_a_template_for_stock",
    "disable_index": "web/test_front.py::test_index_settings",
    "disable_index_redirect": "web/test_front.py::test_index_settings",
    "ico_path": "web/test_front.py::test_an_icon_of_ones_own_or_none",
    "serve_dotfiles": "hosts/test_served_apps.py::test_names_with_a_leading_dot",
    "show_source": "web/test_front.py::test_the_source_is_shown_only_if_that_is_wanted",
    "num_procs": f"{HERE}::test_processes_that_are_asked_for_are_told",
    "threads": "real/test_isolation.py::test_nothing_that_is_raised_ends_anything",
    "keep_alive_milliseconds": f"{HERE}::test_pings",
    "check_unused_sessions_milliseconds": f"{HERE}::test_sessions_are_kept_as_long_as_it_says",
    "unused_session_lifetime_milliseconds": f"{HERE}::test_sessions_are_kept_as_long_as_it_says",
    "no_collapse": "real/test_collapse.py::test_fifty_moves_over_a_slow_callback",
    "busy_sign": "browser/test_signs.py::test_the_sign_can_be_turned_off",
    "allow_websocket_origin": "web/visits/test_websockets.py::test_admitted_origins",
    "allowed_hosts": "web/gate/test_host_names.py::test_another_name_gets_nothing",
    "session_ids": "web/test_session_ids.py::test_signed_takes_only_what_is_signed",
    "secret_key": "real/test_client_library.py::test_a_server_that_signs",
    "old_secret_keys": "web/test_session_ids.py::test_a_replaced_key_still_verifies",
    "server_name": "web/test_session_ids.py::test_one_secret_or_one_name_on_purpose",
    "secret_file": "web/gate/test_secret_keys.py::test_the_key_is_made_once_and_kept",
    "include_headers": DISCLOSURE,
    "exclude_headers": DISCLOSURE,
    "include_cookies": DISCLOSURE,
    "exclude_cookies": DISCLOSURE,
    "csp": "browser/test_policies.py::test_a_script_that_got_into_the_page_does_not_run",
    "strict_csp": "browser/test_policies.py::test_a_strict_policy_ends_custom_code_and_nothing_else",
    "frame_ancestors": "browser/test_policies.py::test_a_frame_is_refused_where_it_is_not_named",
    "hsts_max_age": "web/gate/test_headers.py::test_https_is_remembered",
    "session_token_expiration": f"{HERE}::test_tokens_expire_when_it_says",
    "auth": OIDC,
    "auth_module": "real/test_users.py::test_hooks_and_the_log_know_the_user",
    "cookie_secret": "auth/module/test_module_login.py::test_a_cookie_of_another_secret",
    "enable_xsrf_cookies": "auth/module/test_module_login.py::test_xsrf_cookies",
    "allow": "real/test_users.py::test_rules_of_flags_and_of_the_module",
    "public": "web/gate/test_gatekeeper.py::test_who_may_have_what",
    "login_lifetime": OIDC,
    "users_file": f"{PROVIDERS}::test_users_of_the_file_that_is_named",
    "oidc_issuer": OIDC,
    "oidc_tenant": f"{PROVIDERS}::test_providers_that_can_be",
    "oidc_client_id": OIDC,
    "oidc_client_secret": OIDC,
    "oidc_client_secret_file": f"{PROVIDERS}::test_a_secret_file_that_is_none",
    "oidc_scope": OIDC,
    "oidc_allowed_domain": OIDC,
    "oidc_redirect_url": OIDC,
    "user_claim": OIDC,
    "groups_claim": OIDC,
    "auth_header_user": f"{HEADER}::test_the_proxy_names_the_user",
    "auth_header_email": f"{HEADER}::test_the_proxy_names_the_user",
    "auth_header_groups": f"{HEADER}::test_the_proxy_names_the_user",
    "auth_header_separator": f"{HEADER}::test_the_separator_of_groups",
    "auth_header_jwt": f"{HEADER}::test_a_jwt_names_the_user",
    "auth_header_keys": f"{HEADER}::test_a_key_in_pem",
    "auth_header_audience": f"{HEADER}::test_claims_that_do_not_hold_name_nobody",
    "auth_header_issuer": f"{HEADER}::test_claims_that_do_not_hold_name_nobody",
    "auth_header_logout_url": f"{HEADER}::test_logout_is_where_the_settings_say",
    "max_sessions": "web/visits/test_capacity.py::test_one_visitor_too_many_is_told_so",
    "max_sessions_per_user": "web/visits/test_capacity.py::test_a_user_has_so_many",
    "max_sessions_per_address": f"{LIMITS}::test_sessions_of_an_address",
    "max_computing_per_user":
        "hosts/test_sharing.py::test_as_many_callbacks_of_a_user_compute_as_the_setting_says",
    "max_connections": f"{LIMITS}::test_connections_in_all",
    "max_connections_per_address": f"{LIMITS}::test_connections_of_an_address",
    "max_header_size": f"{LIMITS}::test_the_size_of_a_head",
    "max_body_size": f"{LIMITS}::test_the_size_of_a_body",
    "request_timeout": f"{LIMITS}::test_the_time_of_a_request",
    "websocket_max_message_size": "real/test_client_library.py::test_a_message_that_is_too_large_for_the_server",
    "websocket_compression_level": f"{LIMITS}::test_a_level_saves_bytes",
    "websocket_compression_mem_level": f"{LIMITS}::test_websockets_are_compressed_on_demand",
    "stats_log_frequency_milliseconds": "hosts/test_usage.py::test_statistics_at_debug_level",
    "mem_log_frequency_milliseconds": "hosts/test_usage.py::test_memory_at_info_level",
    "log_level": f"{HERE}::test_levels_of_the_log",
    "log_format": "cli/test_logs.py::test_a_format_of_ones_own",
    "log_json": "cli/test_logs.py::test_json_from_start_to_end",
    "log_file": "cli/test_serve.py::test_log_options",
    "use_config": f"{HERE}::test_a_file_of_bokehs_settings",
}


def test_every_setting_has_a_test_of_what_it_does() -> None:
    assert set(EFFECTS) == {row.name for row in TABLE}, "name the test of its effect in the table above"
    with every_case() as case:
        for row in TABLE:
            with case(row.name):
                check_place(EFFECTS[row.name])
                assert is_named(row, EFFECTS[row.name]), f"{EFFECTS[row.name]} is of another"


def is_named(row: Setting, place: str) -> bool:
    """Whether the file of the test has a name of the setting; this file has them all in its table."""
    file = place.partition("::")[0]
    source = (TESTS / file).read_text(encoding="utf-8")
    if file == HERE:
        source = source.replace(f'"{row.name}": ', "")
    words = (row.flag, *row.environment, row.name)
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", source) for word in words)


# -- those whose tests stand here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Server]]:
    """Serves the app with these settings."""
    servers: list[Server] = []

    def start(**settings: Any) -> Server:
        servers.append(Server(str(folder / "app.py"), port=0, address="127.0.0.1", **settings))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def token_of(server: Server) -> str:
    match = re.search(r'"token":"([^"]+)"', httpx.get(server.url("/app"), timeout=PATIENCE_S).text)
    assert match
    return match[1]


def test_sessions_are_kept_as_long_as_it_says(serve: Callable[..., Server]) -> None:
    brief = serve(check_unused_sessions_milliseconds=20, unused_session_lifetime_milliseconds=20)
    patient = serve(check_unused_sessions_milliseconds=20, unused_session_lifetime_milliseconds=600_000)
    rare = serve(check_unused_sessions_milliseconds=600_000, unused_session_lifetime_milliseconds=20)
    for server in (patient, rare, brief):
        token_of(server)
    wait_until(lambda: brief.statistics().sessions["/app"] == 0, PATIENCE_S)
    assert patient.statistics().sessions["/app"] == rare.statistics().sessions["/app"] == 1


@pytest.mark.parametrize("lifetime", [7, 100_000])
def test_tokens_expire_when_it_says(lifetime: int, serve: Callable[..., Server]) -> None:
    token = token_of(serve(session_token_expiration=lifetime)).partition(".")[0]
    before = time.time()
    claims = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert before + lifetime - PATIENCE_S < claims["session_expiry"] <= time.time() + lifetime + 1


def test_pings(serve: Callable[..., Server], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tests.pings")
    server = serve(keep_alive_milliseconds=30)
    with connect(server.url("/app/ws").replace("http", "ws", 1), ping_interval=None, open_timeout=PATIENCE_S,
                 subprotocols=["bokeh", token_of(server)], logger=logging.getLogger("tests.pings")):  # type: ignore[list-item]
        wait_until(lambda: sum("< PING" in line for line in caplog.messages) > 1, PATIENCE_S)


def test_processes_that_are_asked_for_are_told() -> None:
    assert list(report_changes(Settings())) == list(report_changes(Settings(num_procs=1))) == []
    (line,) = report_changes(Settings(num_procs=3), [AppInfo("/plain", "Plain")])
    assert line == "--num-procs asks for 3 processes, but hotshoe has no workers yet: this process serves alone"
    _, parked = report_changes(Settings(num_procs=3), [AppInfo("/asks", "Asks", has_process_request=True)])
    assert parked.startswith("/asks: if process_request returns more than a token can carry, that stays in one process")
    lines = list(report_changes(Settings(num_procs=0)))
    assert len(lines) == ((os.cpu_count() or 1) > 1)
    assert list(report_changes(Settings(num_procs=3, dev=True))) == [
        "Running in --dev mode. --num-procs is limited to 1."]


def test_changed_settings_are_told_in_stocks_words() -> None:
    lines = list(report_changes(Settings(
        keep_alive_milliseconds=1, check_unused_sessions_milliseconds=2, unused_session_lifetime_milliseconds=3,
        stats_log_frequency_milliseconds=4, mem_log_frequency_milliseconds=5, websocket_max_message_size=1048576)))
    assert lines == [
        "Keep-alive ping configured every 1 milliseconds",
        "Check for unused sessions every 2 milliseconds",
        "Unused sessions last for 3 milliseconds",
        "Log statistics every 4 milliseconds",
        "Log memory usage every 5 milliseconds",
        "Torndado websocket_max_message_size set to 1048576 bytes (1.00 MB)",
    ]
    assert list(report_changes(Settings(keep_alive_milliseconds=0))) == ["Keep-alive ping disabled"]
    login = Settings(auth_module="auth.py", enable_xsrf_cookies=True)
    assert list(report_changes(login)) == ["User authentication hooks provided", "XSRF cookie protection enabled"]


@pytest.mark.real
def test_patterns_are_expanded(folder: Path, run_here: RunHere) -> None:
    (folder / "apple.py").write_text(APP)
    with hotshoe("serve", "app*.py", "--glob", "--port", "0", "--num-procs", "2", cwd=folder) as command:
        command.wait_for(READY)
        assert [url.rpartition("/")[2] for url in command.urls()] == ["app", "apple"]
        assert "--num-procs asks for 2 processes" in command.log
    status, out, err = run_here("serve", "app*.py", "--port", "0")
    assert (status, out, err.count("\n")) == (1, "", 1)


@pytest.mark.real
def test_other_files_are_watched(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "numbers.csv").write_text("1\n")
    flags = ("--dev", "--watch", str(data), "--address", "127.0.0.1")
    with server_thread.serve(folder / "app.py", flags=flags) as server:
        (data / "numbers.csv").write_text("2\n")
        wait_until(lambda: "reloaded /app: numbers.csv changed" in server.log, PATIENCE_S)


@pytest.mark.real
def test_levels_of_the_log(folder: Path) -> None:
    def log(level: str) -> str:
        with hotshoe("serve", "app.py", "--port", "0", "--log-level", level, "--stats-log-frequency", "20",
                     "--mem-log-frequency", "20", "--show", cwd=folder,
                     environ={"BOKEH_BROWSER": "echo shown: %s"}) as command:
            command.wait_for("shown: ")
            if level != "warning":
                command.wait_for("Memory usage: ")
            if level == "debug":
                command.wait_for("clients connected")
            return command.log

    quiet, usual, chatty = log("warning"), log("info"), log("debug")
    assert quiet == ""
    assert READY in usual
    assert "clients connected" not in usual
    assert READY in chatty


@pytest.mark.real
def test_a_file_of_bokehs_settings(folder: Path, run_here: RunHere) -> None:
    (folder / "bokeh.yaml").write_text("minified: no\nlog_level: error\nico_path: none\nsimple_idz: no\n")
    environ = {"BOKEH_LOG_LEVEL": "debug", "BOKEH_ICO_PATH": "default"}
    with hotshoe("serve", "app.py", "--port", "0", "--use-config", "bokeh.yaml", cwd=folder,
                 environ=environ) as command:
        command.wait_for(READY)
        assert "Using override config file: bokeh.yaml" in command.log
        assert "bokeh.yaml: bokeh has no setting simple_idz; did you mean simple_ids?" in command.log
        page = httpx.get(command.urls()[0], timeout=PATIENCE_S)
        assert 'Bokeh.set_log_level("error")' in page.text
        assert "bokeh.min.js" not in page.text
        assert httpx.get(page.url.join("/favicon.ico")).status_code == 404
    (folder / "bokeh.yaml").write_text("log_level: [\n")
    status, out, err = run_here("serve", "app.py", "--use-config", "bokeh.yaml")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("ERROR: bokeh.yaml: this is not valid YAML: ")

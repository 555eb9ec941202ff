"""What does not pass of other projects' tests, and why.

    python -m tests.peers.expected

writes the tables of docs/peers.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Tests that fail for one reason."""

    reason: str
    tests: tuple[str, ...]
    """``file.py::test``; with a star at the end, all that begin so."""
    version: str = ""
    """How the version begins of the project (the installed one) with which they fail; empty: with each."""
    unsteady: bool = False
    """They may pass, too."""

    def meets(self, name: str, version: str) -> bool:
        """Whether the test is one of these."""
        return version.startswith(self.version) and any(
            name.startswith(test[:-1]) if test.endswith("*") else name == test for test in self.tests)


def find(shortfalls: Iterable[Shortfall], name: str, version: str) -> Shortfall | None:
    """Why a test is expected to fail; ``None`` if it is to pass."""
    return next((each for each in shortfalls if each.meets(name, version)), None)


BOKEH = (
    Shortfall(
        "they reach into the server (Tornado's parts, its list of connections, a session's methods)",
        ("test_server__server.py::test_use_xheaders",
         "test_tornado__server.py::test_default_resources",
         "test_tornado__server.py::test_env_resources",
         "test_tornado__server.py::test_dev_resources",
         "test_tornado__server.py::test_websocket_origins",
         "test_tornado__server.py::test_log_stats",
         "test_tornado__server.py::test_keep_alive_websocket_error",
         "test_multi_root_static_handler.py::test_multi_root_static_handler",
         "test_client_server.py::TestClientServer::test_ping",
         "test_client_server.py::test_server_changes_do_not_boomerang")),
    Shortfall(
        "they set `BOKEH_ALLOW_WS_ORIGIN` while the server runs; hotshoe reads it at startup",
        ("test_client_server.py::TestClientServer::test_allow_websocket_origin",)),
    Shortfall(
        "they replace functions of Tornado or Python by a mock, and check how it was called",
        ("test_server__server.py::test_ssl_args_plumbing",
         "test_server__server.py::test__server_multiple_processes")),
    Shortfall(
        "they look for headers and cookies in the token; hotshoe takes them from the websocket's own request",
        ("test_server__server.py::test__include_headers",
         "test_server__server.py::test__exclude_headers",
         "test_server__server.py::test__include_cookies",
         "test_server__server.py::test__exclude_cookies")),
    Shortfall(
        "they look for the reason of a refusal in the status line; hotshoe has it in the body",
        ("test_server__server.py::test__reject_unsigned_session_autoload",
         "test_server__server.py::test__reject_unsigned_token_autoload",
         "test_server__server.py::test__reject_unsigned_session_doc",
         "test_server__server.py::test__reject_unsigned_session_header_doc")),
    Shortfall(
        "they want unsigned ids that only others make; neither `--session-ids` nor `bokeh serve` has such a mode",
        ("test_server__server.py::test__no_generate_session_autoload",
         "test_server__server.py::test__no_generate_session_doc")),
    Shortfall(
        "they check the server's own signatures with its key; hotshoe derives a key for each app from it",
        ("test_server__server.py::test__autocreate_signed_session_autoload",
         "test_server__server.py::test__autocreate_signed_session_doc")),
    Shortfall(
        "they close a websocket as soon as it is open, and look for its session; hotshoe makes none for it",
        ("test_server__server.py::test__use_provided_session_websocket",
         "test_server__server.py::test__accept_session_websocket"),
        unsteady=True),
    Shortfall(
        "they use an expired token; with hotshoe it joins its session, if that is still alive",
        ("test_server__server.py::test__reject_expired_session_websocket",), unsteady=True),
    Shortfall(
        "they want `with_locked_document` to do nothing in `on_session_destroyed`; hotshoe runs it",
        ("test_server__server.py::test__lifecycle_hooks",)),
    Shortfall(
        "it needs the fixture `event_loop`, which pytest-asyncio has removed",
        ("test_server__server.py::test__existing_ioloop_with_multiple_processes_exception",)),
    Shortfall(
        "it tests a class of bokeh's own server, which has been renamed",
        ("test_tornado__server.py::Test_create_static_handler::test_app_static_path",), "3.10"),
    Shortfall(
        "they compare the whole line of an error; hotshoe's lines begin with `ERROR:`, then have the same words",
        ("test_serve.py::test_unix_socket_with_port",
         "test_serve.py::test_unix_socket_with_invalid_args")),
    Shortfall(
        "it removes the file of the Unix socket; hotshoe has removed it already",
        ("test_serve.py::test_unix_socket",)),
    Shortfall(
        "it wants other words in the error about a missing file; hotshoe's line begins with the file's name",
        ("test_serve.py::test_no_glob_by_default_on_filename_if_wildcard_in_quotes",)),
    Shortfall(
        "it wants words that bokeh's own server does not log any more, either",
        ("test_serve.py::test_auth_module_printed",)),
)

_ROUTES = (
    "test_server_root_handler_does_not_redirect_wildcard*", "test_server_route_params*",
    "test_server_route_context_size_is_capped*", "test_server_dynamic_ws_endpoint_resolution*",
    "test_server_dynamic_metadata_endpoint_resolution*", "test_server_dynamic_routes_with_prefix_endpoint_access*",
    "test_fastapi_synthetic_request_preserves_cookies", "test_server_request_preserves_cookies*",
    "test_server_app_url_context*",
)

PANEL = (
    Shortfall(
        "they want apps at URLs with parameters (`/user/{name}`), which hotshoe does not have",
        tuple(f"test_server.py::{name}" for name in _ROUTES)),
    Shortfall(
        "they use an icon that is not an `.ico` file; `--ico-path` does not accept one either",
        ("test_server.py::test_server_ico_*", "test_server.py::test_server_template_ico_handling*")),
    Shortfall(
        "they use `reuse_sessions`, which is part of Panel's own page handler",
        ("test_server.py::test_server_reuse_sessions*",)),
    Shortfall(
        "they test the admin page, autoreload and thread pool of Panel's own server",
        ("test_server.py::test_threaded_server_stop_runs_unload_hook",
         "test_server.py::test_threaded_server_stops_when_autoreload_failed",
         "test_server.py::test_server_thread_pool_is_loop_default_executor"), "1.10"),
    Shortfall(
        "they look for a tag for each style sheet; hotshoe has style sheets in the list of the page's files",
        ("test_server.py::test_server_component_css_with*",)),
    Shortfall(
        "they want a redirect from the prefix to the prefix with a slash; hotshoe serves both",
        ("test_server.py::test_server_prefix_root_redirect",)),
    Shortfall(
        "they want 403 (not allowed) for a client that is not logged in; hotshoe has 401 (log in first)",
        ("test_server.py::test_unauthenticated_websocket_returns_403",)),
)

PAGE = Path(__file__).parents[2] / "docs/peers.md"


def table(project: str, shortfalls: Sequence[Shortfall]) -> Iterator[str]:
    """The lines of a table of the page."""
    yield "| reason | tests |"
    yield "| --- | --- |"
    for each in shortfalls:
        names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in each.tests)
        notes = [f"{project} {each.version}"] * bool(each.version) + ["not always"] * each.unsteady
        yield f"| {each.reason} | {names}" + (f" ({'; '.join(notes)})" if notes else "") + " |"


def written(page: str) -> str:
    """The page with the tables of today."""
    for project, shortfalls in (("bokeh", BOKEH), ("panel", PANEL)):
        before, begin, rest = page.partition(f"<!-- {project} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        page = "".join([before, begin, *(f"{line}\n" for line in table(project, shortfalls)), end, after])
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

"""A plugin for pytest: other projects' tests of a running server meet hotshoe, behind the interface of stock's.

``bokeh.server.server.Server`` is replaced by ``StockServer``, and ``python -m bokeh serve`` in a subprocess by hotshoe.
It is one file, loaded by its name: those projects have packages named ``tests`` too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bokeh.server.server
from bokeh.settings import settings as bokeh_settings
from tornado.ioloop import IOLoop

from hotshoe import Server
from hotshoe.hosts.inline import InlineHost

_SAME = {
    "port", "address", "prefix", "use_xheaders", "unix_socket", "ssl_certfile", "ssl_keyfile", "ssl_password",
    "session_token_expiration", "check_unused_sessions_milliseconds", "unused_session_lifetime_milliseconds",
    "keep_alive_milliseconds", "include_headers", "exclude_headers", "include_cookies", "exclude_cookies",
    "cookie_secret",
}
_UNLIKE = {"allow_websocket_origin": "allow_websocket_origin", "websocket_max_message_size_bytes":
           "websocket_max_message_size", "xsrf_cookies": "enable_xsrf_cookies", "ico_path": "ico_path",
           "index": "index"}
_MEANINGLESS = {"cookie_path", "extra_websocket_origins", "absolute_url", "auth_provider", "extra_patterns",
                "num_procs", "io_loop", "secret_key", "sign_sessions", "generate_session_ids", "use_index",
                "redirect_root"}


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Stock's keyword arguments as hotshoe's settings. Raises ``TypeError`` for one that nobody knows."""
    chosen: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or name in _MEANINGLESS:
            continue
        if name not in _SAME and name not in _UNLIKE:
            raise TypeError(f"hotshoe has nothing like {name}={value!r}")
        chosen[_UNLIKE.get(name, name)] = str(value) if isinstance(value, Path) else value
    # Stock's applications and tests choose their own ids, unless they ask for signed ones.
    signs = options.get("sign_sessions", bokeh_settings.sign_sessions())
    external = options.get("generate_session_ids") is False
    chosen["session_ids"] = "external-signed" if signs and external else "signed" if signs else "unsigned"
    key = options.get("secret_key") or bokeh_settings.secret_key_bytes()
    if key is not None:
        chosen["secret_key"] = key.decode() if isinstance(key, bytes) else key
    chosen["disable_index"] = options.get("use_index") is False
    chosen["disable_index_redirect"] = options.get("redirect_root") is False
    return chosen


class StockServer:
    """What other projects' tests use of stock's server."""

    def __init__(self, applications: Any, **options: Any) -> None:
        self.io_loop: IOLoop = options.get("io_loop") or IOLoop.current()
        chosen = settings_of(options)
        self.index = options.get("index")
        if self.index is not None and not Path(self.index).exists():
            del chosen["index"]
        wanted = {} if applications in ({}, None) else applications
        self._server = Server(wanted, io_loop=self.io_loop, auth_provider=options.get("auth_provider"), **chosen)
        self._tornado = self
        self.start_listening()

    def start_listening(self) -> None:
        """Take the port at once, as stock does: its tests read it before they start the server."""
        self._server._listen()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def address(self) -> str | None:
        return self._server.address

    @property
    def prefix(self) -> str:
        return self._server.prefix

    def start(self) -> None:
        self._server.start()

    def stop(self, wait: bool = True) -> None:
        self._server.stop()

    def unlisten(self) -> None:
        """Stopping does it."""

    def run_until_shutdown(self) -> None:
        self._server.run()

    def show(self, app_path: str, browser: str | None = None, new: str = "tab") -> None:
        if not app_path.startswith("/"):
            raise ValueError("app_path must start with a /")
        self._server.show(app_path)

    @property
    def _host(self) -> InlineHost:
        host = self._server._host
        assert isinstance(host, InlineHost)
        return host

    def get_session(self, app_path: str, session_id: str) -> Any:
        session = self._host._registries[app_path].get(session_id)
        assert session is not None
        return session.stock

    def get_sessions(self, app_path: str | None = None) -> list[Any]:
        if app_path is not None and app_path not in self._server.apps:
            raise ValueError(f"Application {app_path} does not exist on this server")
        registries = self._host._registries if self._server._running is not None else {}
        wanted = registries.values() if app_path is None else [registries[app_path]] if registries else []
        return [session.stock for registry in wanted for session in registry.sessions]


bokeh.server.server.Server = StockServer  # type: ignore[assignment,misc]

_popen = subprocess.Popen.__init__


def _start(self: Any, args: Any, *rest: Any, **named: Any) -> None:
    if isinstance(args, list) and args[1:4] == ["-m", "bokeh", "serve"]:
        args = [sys.executable, "-m", "hotshoe", *args[3:]]
    _popen(self, args, *rest, **named)


subprocess.Popen.__init__ = _start  # type: ignore[method-assign]

_exit = subprocess.Popen.__exit__


def _leave(self: Any, kind: Any, *rest: Any) -> None:
    if kind is not None:
        self.kill()  # a test that fails waits for its server, for ever
    _exit(self, kind, *rest)


subprocess.Popen.__exit__ = _leave  # type: ignore[method-assign]

"""The private parts of uvicorn and websockets that we use, and a check at startup that they are still there.

Our limits hold only while these libraries call the methods that we override and have the attributes that we read. If
a library has changed inside, the server must not start without its limits, so ``check`` raises. The version ranges in
pyproject.toml (``extras.KNOWN``) normally prevent the installation of such a version.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from ..base.extras import wrong_version

try:
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
    from uvicorn.protocols.utils import ClientDisconnected
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from uvicorn.server import ServerState
except ImportError as error:
    raise wrong_version("uvicorn", str(error)) from error
try:
    from websockets.frames import CloseCode, Frame, Opcode
    from websockets.protocol import Protocol, State
    from websockets.server import ServerProtocol
    from websockets.streams import StreamReader
except ImportError as error:
    raise wrong_version("websockets", str(error)) from error

__all__ = ["ClientDisconnected", "CloseCode", "Config", "Frame", "HttpToolsProtocol", "Opcode", "RequestResponseCycle",
           "ServerProtocol", "ServerState", "State", "StreamReader", "WebSocketsSansIOProtocol", "check"]


@dataclass(frozen=True, slots=True)
class LibraryPart:
    """What we use of one class."""

    owner: type
    overridden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Methods that we override, with their parameters: exactly these, since the library passes them."""
    called: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Methods that we call, with the parameters that we pass; all others must have a default."""
    named: Mapping[str, set[str]] = field(default_factory=dict)
    """By method, names in its code: attributes that we read or set as well, and methods of ours that it must call."""


_CONNECTION = ("config", "server_state", "app_state", "_loop")

PARTS = (
    LibraryPart(
        HttpToolsProtocol,
        overridden={
            "__init__": _CONNECTION,
            "connection_made": ("transport",),
            "connection_lost": ("exc",),
            "pause_writing": (),
            "resume_writing": (),
            "data_received": ("data",),
            "on_message_begin": (),
            "on_header": ("name", "value"),
            "on_headers_complete": (),
            "on_body": ("body",),
            "on_message_complete": (),
            "_start_asgi_task": ("cycle", "app"),
            "on_response_complete": (),
            "handle_websocket_upgrade": (),
            "send_400_response": ("msg",),
        },
        called={"_unset_keepalive_if_required": (), "_should_upgrade": (), "shutdown": ()},
        named={
            "__init__": {
                "parser", "cycle", "transport", "loop", "logger", "access_log", "flow", "pipeline", "client", "headers",
                "scope", "timeout_keep_alive_task",
            },
            "connection_made": {"transport", "flow", "client"},
            "data_received": {
                "_unset_keepalive_if_required", "parser", "send_400_response", "handle_websocket_upgrade",
            },
            "handle_websocket_upgrade": {"ws_protocol_class", "connection_made", "data_received", "set_protocol"},
            "on_message_begin": {"url", "headers", "scope"},
            "on_header": {"headers"},
            "on_url": {"url"},
            "on_headers_complete": {
                "scope", "cycle", "_start_asgi_task", "pipeline", "on_response_complete", "parser", "get_http_version",
                "should_upgrade", "_should_upgrade",
            },
            "on_body": {"cycle", "flow", "pause_reading"},
            "on_response_complete": {"_start_asgi_task", "pipeline", "flow", "timeout_keep_alive_task"},
            "_start_asgi_task": {"run_asgi", "tasks"},
            "_unset_keepalive_if_required": {"timeout_keep_alive_task"},
        },
    ),
    LibraryPart(
        RequestResponseCycle,
        named={
            "__init__": {
                "disconnected", "keep_alive", "waiting_for_100_continue", "message_event", "response_started",
                "response_complete",
            },
            "send": {"disconnected", "keep_alive", "response_started", "response_complete", "on_response"},
            "receive": {"waiting_for_100_continue", "disconnected", "message_event"},
        },
    ),
    LibraryPart(FlowControl, called={"resume_reading": ()}, named={"__init__": {"read_paused"}}),
    LibraryPart(
        ServerState, called={"__init__": ()}, named={"__init__": {"connections", "tasks", "default_headers"}},
    ),
    LibraryPart(
        Config,
        called={
            "__init__": (
                "app", "http", "ws", "lifespan", "interface", "log_config", "server_header", "proxy_headers",
                "forwarded_allow_ips", "workers", "backlog", "timeout_keep_alive", "ws_max_size",
                "ws_per_message_deflate", "ws_ping_interval", "ws_ping_timeout",
            ),
            "load": (),
        },
        named={"load": {"http_protocol_class", "ws_protocol_class"}, "__init__": {"ws_max_size"}},
    ),
    LibraryPart(
        WebSocketsSansIOProtocol,
        overridden={
            "__init__": _CONNECTION,
            "connection_made": ("transport",),
            "connection_lost": ("exc",),
            "handle_connect": ("event",),
            "data_received": ("data",),
            "send_keepalive_ping": (),
            "handle_ping": (),
            "send_receive_event_to_app": (),
            "receive": (),
            "handle_parser_exception": (),
            "send": ("message",),
            "run_asgi": (),
            "shutdown": (),
        },
        called={"handle_events": (), "stop_keepalive": ()},
        named={
            "__init__": {
                "conn", "queue", "writable", "handshake_initiated", "handshake_complete", "close_sent", "disconnected",
                "close_timer", "close_timeout", "initial_response", "read_paused", "transport", "loop", "logger",
                "ping_timer", "client", "frames",
            },
            "connection_made": {"transport", "client"},
            "connection_lost": {"disconnected", "close_timer", "writable", "stop_keepalive"},
            "handle_events": {"handle_connect", "handle_ping", "conn"},
            "handle_connect": {"response", "scope", "handshake_initiated", "run_asgi"},
            "send": {
                "writable", "disconnected", "initial_response", "handshake_complete", "close_sent", "close_timer",
                "close_timeout", "read_paused", "conn",
            },
            "send_500_response": {"initial_response", "handshake_complete"},
            "handle_text": {"send_receive_event_to_app"},
            "send_receive_event_to_app": {"read_paused", "close_sent", "queue", "handle_parser_exception"},
            "receive": {"read_paused", "queue", "resume_reading"},
            "handle_cont": {"frames"},
            "run_asgi": {"handshake_complete", "close_timer", "send_500_response"},
            "schedule_ping": {"ping_timer", "send_keepalive_ping"},
            "send_keepalive_ping": {"ping_timer", "conn", "send_ping", "schedule_ping"},
            "stop_keepalive": {"ping_timer"},
        },
    ),
    LibraryPart(
        ServerProtocol,
        called={"__init__": ("extensions", "max_size", "logger"), "parse": ()},
        named={
            "__init__": {"available_extensions"},
            "parse": {"reader", "read_line", "handshake_exc", "parser", "parse"},
        },
    ),
    LibraryPart(
        Protocol,
        overridden={"fail": ("code", "reason"), "recv_frame": ("frame",)},
        called={"parse": (), "receive_data": ("data",), "data_to_send": (), "send_close": ("code", "reason")},
        named={
            "__init__": {
                "reader", "parser", "parse", "parser_exc", "handshake_exc", "extensions", "close_sent", "state",
                "writes",
            },
            "parse": {"reader", "parser_exc", "fail", "at_eof", "recv_frame"},
            "discard": {"reader", "at_eof"},
            "receive_data": {"reader", "feed_data", "parser"},
            "fail": {"close_sent", "state"},
        },
    ),
    LibraryPart(
        StreamReader,
        overridden={"at_eof": (), "read_exact": ("n",), "feed_data": ("data",), "discard": ()},
        called={"__init__": (), "read_line": ("m",), "read_exact": ("n",), "discard": ()},
        named={
            "__init__": {"buffer", "eof"}, "at_eof": {"buffer", "eof"}, "read_exact": {"buffer", "eof"},
            "feed_data": {"buffer"}, "discard": {"buffer"},
        },
    ),
    LibraryPart(Frame, called={"serialize": ("mask", "extensions")}),
)  # fmt: skip


def check() -> None:
    """Raise ``ConfigError`` if uvicorn or websockets lacks something that our protocols need."""
    for part in PARTS:
        if changed := next(_changes(part), None):
            library = part.owner.__module__.partition(".")[0]
            raise wrong_version(library, f"{part.owner.__name__}.{changed} has changed")


def _changes(part: LibraryPart) -> Iterator[str]:
    found = vars(part.owner)
    for name, parameters in part.overridden.items():
        if _parameters(found.get(name)) != list(parameters):
            yield name
    for name, parameters in part.called.items():
        if not _takes(found.get(name), parameters):
            yield name
    for name, inside in part.named.items():
        code = getattr(found.get(name), "__code__", None)
        if not isinstance(code, CodeType) or not inside <= set(code.co_names):
            yield name


def _parameters(function: Any) -> list[str] | None:
    return list(inspect.signature(function).parameters)[1:] if inspect.isfunction(function) else None


def _takes(function: Callable[..., Any] | None, passed: Sequence[str]) -> bool:
    """Whether a method can be called with exactly these keyword arguments."""
    if not inspect.isfunction(function):
        return False
    parameters = list(inspect.signature(function).parameters.values())[1:]
    needed = {each.name for each in parameters
              if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
    return needed <= set(passed) <= {each.name for each in parameters}

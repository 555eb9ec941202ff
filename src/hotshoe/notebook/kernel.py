"""The kernel in this process, and the apps that its cells show. When a cell runs again or is deleted, its earlier apps
end.

Each app has a server of its own: on loopback, below a secret path, for session ids that it has signed. All users of a
machine can reach its loopback address, so only the notebook's output, which has such an id, opens a session. There is
no origin list: the page's origin is the Jupyter server, whose address the kernel does not know.
"""

from __future__ import annotations

import atexit
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, Self, cast

from ..base.errors import BindError, ConfigError, UserError
from ..server.server import Server
from ..tokens import new_session_id

ADDRESS = "127.0.0.1"
_SECRET_BYTES = 16
_KEY_BYTES = 32
_OURS = frozenset({
    "address", "prefix", "allow_websocket_origin", "dev", "reloads", "show", "watch", "session_ids", "secret_key",
})


@dataclass(frozen=True, slots=True)
class KernelPlace:
    """Where a browser finds a server: its secret path and its port."""

    secret: str
    port: int = 0

    @classmethod
    def new(cls) -> Self:
        """Any free port, and a new secret."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES))


class KernelServer(Server):
    """Serves one app at ``place``. Its pages show the app's errors, as in dev mode, but no files are watched."""

    def __init__(self, app: Any, place: KernelPlace, *, name: str = "app", **settings: Any) -> None:
        if taken := sorted(_OURS & settings.keys()):
            raise ConfigError(f"show: {taken[0]} can't be set in a notebook; leave it out")
        key = secrets.token_hex(_KEY_BYTES)
        super().__init__(
            {f"/{name}": app}, **{"port": place.port, **settings}, address=ADDRESS, prefix=f"/{place.secret}",
            allow_websocket_origin=("*",), session_ids="external-signed", secret_key=key,
            guard=None,  # a site that the notebook makes does not guard its apps
            dev=True, reloads=False,
        )  # fmt: skip
        self._secret = place.secret
        self._key = key.encode()
        self.path = f"{self.prefix}/{name}"
        """The path of the app."""

    @property
    def place(self) -> KernelPlace:
        """Where it is. The port is known after the start."""
        return KernelPlace(self._secret, self.port)

    def new_session_id(self) -> str:
        """A new id that opens a session."""
        return new_session_id(key=self._key)


def start_server(app: Any, place: KernelPlace, *, name: str = "app", **settings: Any) -> KernelServer:
    """Start a server at ``place``, or below the same secret on another port if that port is taken.

    ``name`` is the app's name in logs and errors. Raises ``AppError``, ``ConfigError``, and ``BindError`` for a port in
    ``settings``.
    """
    server = KernelServer(app, place, name=name, **settings)
    try:
        server.start()
    except BindError:
        if not place.port or settings.get("port"):
            raise
        return start_server(app, KernelPlace(place.secret), name=name, **settings)
    return server


@dataclass(frozen=True, slots=True)
class CellRun:
    """One run of a cell, as the kernel's message describes it."""

    message: str
    """The id of the message: each run has another."""
    cell: str | None = None
    """The id of the cell: all its runs have the same. ``None`` if the notebook does not tell."""
    deleted: tuple[str, ...] = ()
    """The ids of deleted cells."""

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """Read the message. Fields that are not as in Jupyter are ignored."""
        header, metadata = request.get("header"), request.get("metadata")
        message = header.get("msg_id") if isinstance(header, Mapping) else None
        fields = metadata if isinstance(metadata, Mapping) else {}
        cell, deleted = fields.get("cellId"), fields.get("deletedCells")
        return cls(
            str(message),
            cell if isinstance(cell, str) else None,
            tuple(one for one in deleted if isinstance(one, str)) if isinstance(deleted, list) else (),
        )


@dataclass(slots=True)
class _Cell:
    message: str
    servers: list[KernelServer] = field(default_factory=list)
    before: tuple[KernelPlace, ...] = ()
    """The places of the servers of the last run."""


class Cells:
    """The servers of one kernel by the cells that show them."""

    def __init__(self) -> None:
        self._cells: dict[str, _Cell] = {}
        self._strays: list[KernelServer] = []

    @property
    def servers(self) -> list[KernelServer]:
        """All running servers."""
        return [*(server for cell in self._cells.values() for server in cell.servers), *self._strays]

    def begin(self, run: CellRun) -> None:
        """Note that a cell runs: end the apps of its earlier run, and those of deleted cells."""
        for deleted in run.deleted:
            if (gone := self._cells.pop(deleted, None)) is not None:
                _stop(gone.servers)
        cell = self._cells.get(run.cell or "")
        if cell is not None and run.cell is not None and cell.message != run.message:
            before = tuple(server.place for server in cell.servers)
            self._cells[run.cell] = _Cell(run.message, before=before or cell.before)
            _stop(cell.servers)

    def next_place(self, run: CellRun) -> KernelPlace:
        """The place for the next app of the cell: the place of its earlier app, so that browsers keep loaded files."""
        cell = self._cells.get(run.cell or "")
        if cell is None or len(cell.servers) >= len(cell.before):
            return KernelPlace.new()
        return cell.before[len(cell.servers)]

    def add(self, run: CellRun, server: KernelServer) -> None:
        """Note that the cell shows the app of this server."""
        if run.cell is None:
            self._strays.append(server)
        else:
            self._cells.setdefault(run.cell, _Cell(run.message)).servers.append(server)

    def close(self) -> None:
        """End all apps."""
        servers = self.servers
        self._cells.clear()
        self._strays.clear()
        _stop(servers)


def _stop(servers: Iterable[KernelServer]) -> None:
    for server in servers:
        server.stop()


class Events(Protocol):
    """The shell's registry of functions for its events."""

    def register(self, event: str, function: Any) -> None:
        """Have ``function`` called at each ``event``."""


class Shell(Protocol):
    """The part of ipykernel's shell that is used here."""

    events: Events

    def get_parent(self) -> Mapping[str, Any]:
        """The message that the kernel is handling."""


def shell() -> Shell:
    """The shell of the notebook's kernel. Raises ``UserError`` outside of a kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        found = None
    else:
        found = get_ipython()
    if not hasattr(found, "get_parent"):
        raise UserError("show(f) works only in a notebook; use `hotshoe serve` elsewhere")
    return cast(Shell, found)


@cache
def cells() -> Cells:
    """The cells of this kernel. From now on they note each run. Their apps end with the kernel at the latest."""
    kernel, known = shell(), Cells()

    def begin(info: object) -> None:
        known.begin(CellRun.of(kernel.get_parent()))

    kernel.events.register("pre_run_cell", begin)
    atexit.register(known.close)
    return known


def publish(data: Mapping[str, str]) -> None:
    """Show data, by MIME type, in the running cell."""
    from IPython.display import publish_display_data

    publish_display_data(dict(data))  # type: ignore[no-untyped-call]


def write_to(kernel: Shell, message: Mapping[str, Any]) -> None:
    """Have this context print and display in the cell of ``message`` from now on.

    With ipykernel before 7, output appears in the cell that ran last.
    """
    if (set_parent := getattr(kernel, "set_thread_parent", None)) is not None:
        set_parent(message)

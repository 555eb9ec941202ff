"""Which cell shows which apps: a cell that runs again, or is deleted, ends those that it showed before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .server import KernelServer, Place


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a cell, as the kernel was asked for it."""

    message: str
    """Another for each run."""
    cell: str | None = None
    """The same for each run of the cell; ``None`` if the notebook does not tell."""
    deleted: tuple[str, ...] = ()
    """Cells that are gone."""

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """Read the request; what is not as Jupyter has it is left out."""
        header, metadata = request.get("header"), request.get("metadata")
        message = header.get("msg_id") if isinstance(header, Mapping) else None
        told = metadata if isinstance(metadata, Mapping) else {}
        cell, deleted = told.get("cellId"), told.get("deletedCells")
        return cls(
            str(message),
            cell if isinstance(cell, str) else None,
            tuple(one for one in deleted if isinstance(one, str)) if isinstance(deleted, list) else (),
        )


@dataclass(slots=True)
class _Cell:
    message: str
    servers: list[KernelServer] = field(default_factory=list)
    before: tuple[Place, ...] = ()
    """Where the servers of the last run were."""


class Cells:
    """The servers of one kernel by the cells that show them."""

    def __init__(self) -> None:
        self._cells: dict[str, _Cell] = {}
        self._strays: list[KernelServer] = []

    @property
    def servers(self) -> list[KernelServer]:
        """All servers that run."""
        return [*(server for cell in self._cells.values() for server in cell.servers), *self._strays]

    def begin(self, run: Run) -> None:
        """A cell runs: what an earlier run of it showed ends, and what deleted cells showed."""
        for deleted in run.deleted:
            if (gone := self._cells.pop(deleted, None)) is not None:
                _stop(gone.servers)
        cell = self._cells.get(run.cell or "")
        if cell is not None and run.cell is not None and cell.message != run.message:
            before = tuple(server.place for server in cell.servers)
            self._cells[run.cell] = _Cell(run.message, before=before or cell.before)
            _stop(cell.servers)

    def next_place(self, run: Run) -> Place:
        """Where the next app of the cell goes: where its app was before, so that browsers keep what they loaded."""
        cell = self._cells.get(run.cell or "")
        if cell is None or len(cell.servers) >= len(cell.before):
            return Place.new()
        return cell.before[len(cell.servers)]

    def add(self, run: Run, server: KernelServer) -> None:
        """The cell shows the app of this server."""
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

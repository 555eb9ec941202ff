"""The kernel that this process is, by what IPython and ipykernel have in public."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, cast

from hotshoe.errors import UserError

from .cells import Cells, Run


class Events(Protocol):
    """What calls functions at turns of the shell's life."""

    def register(self, event: str, function: Any) -> None:
        """Have ``function`` called."""


class Shell(Protocol):
    """The part of ipykernel's shell that is used here."""

    events: Events

    def get_parent(self) -> Mapping[str, Any]:
        """The message that the kernel works on."""


def shell() -> Shell:
    """The shell of the notebook's kernel. Raises ``UserError`` if this is no kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        found = None
    else:
        found = get_ipython()
    if not hasattr(found, "get_parent"):
        raise UserError("show(f) shows an app in a notebook, and this is none; `hotshoe serve` serves it elsewhere")
    return cast(Shell, found)


@cache
def cells() -> Cells:
    """The cells of this kernel, told of each run from now on; their apps end with the kernel at the latest."""
    kernel, known = shell(), Cells()

    def begin(info: object) -> None:
        known.begin(Run.of(kernel.get_parent()))

    kernel.events.register("pre_run_cell", begin)
    atexit.register(known.close)
    return known


def publish(data: Mapping[str, str]) -> None:
    """Show something, in several forms, in the cell that runs."""
    from IPython.display import publish_display_data

    publish_display_data(dict(data))  # type: ignore[no-untyped-call]


def write_to(kernel: Shell, message: Mapping[str, Any]) -> None:
    """What this context prints and displays from now on belongs to the cell of ``message``.

    With ipykernel before 7 it belongs to the cell that ran last.
    """
    if (set_parent := getattr(kernel, "set_thread_parent", None)) is not None:
        set_parent(message)

"""A server that runs, wherever it does: in a process of its own or on a thread of this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Server(ABC):
    """Its addresses and its log. At its end the log must be without errors, unless these are expected."""

    urls: dict[str, str] = field(default_factory=dict)
    """The address of each app by its name."""
    errors_expected: bool = False

    @property
    @abstractmethod
    def log(self) -> str:
        """What it has logged so far."""

    @property
    def root(self) -> str:
        """The address of the index, with a slash at its end."""
        return next(iter(self.urls.values())).rpartition("/")[0] + "/"

    @property
    def port(self) -> int:
        return int(self.root.split(":")[2].partition("/")[0])

    @abstractmethod
    def stop(self) -> None:
        """Stop it, and check that it ends as it should."""

"""Who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A person or program that has logged in. Plain data: it travels to wherever sessions live."""

    name: str
    """What the user is called in logs, rules and limits; unique at its provider."""
    email: str = ""
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the provider says, as JSON data."""

    @property
    def username(self) -> str:
        """The name, as users of other frameworks have it."""
        return self.name

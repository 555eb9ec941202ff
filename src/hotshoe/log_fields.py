"""Where a log record was made: which session, app, user and request. Set once per context, read by log formats."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar, Token

FIELDS = ("session", "app", "user", "request_id", "error_id")
"""The attributes that every record has in hotshoe's log."""

UNKNOWN = "-"

_here: ContextVar[Mapping[str, str]] = ContextVar("hotshoe_log_fields", default={})  # noqa: B039 - never changed


def known() -> Mapping[str, str]:
    """What is known in this context."""
    return _here.get()


def note(**fields: str | None) -> Token[Mapping[str, str]]:
    """Let the records of this context carry these fields too; those that are ``None`` are left out."""
    return _here.set({**_here.get(), **{name: text for name, text in fields.items() if text is not None}})


def forget(token: Token[Mapping[str, str]]) -> None:
    """Take back what the call of ``note`` that gave ``token`` has added."""
    _here.reset(token)


class AddFields(logging.Filter):
    """Puts the fields on every record that passes. For handlers: they run in the context of who logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record. What the record says itself is stronger than its context."""
        here = known()
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, here.get(name, UNKNOWN))
        return True

"""What to say of an error that is not the visitor's, and where to find it in the log."""

from __future__ import annotations

import logging
import secrets

from ..apps.reports import describe
from ..errors import BuildError, CompileError, Report

_log = logging.getLogger(__name__)


def failure_of(error: Exception, path: str) -> tuple[str, str]:
    """What to tell the visitor of ``path``, and the id under which the error stands in the log."""
    match error:
        case BuildError(error_id=error_id):  # logged by the host, with the app's own traceback
            return "This app failed to build its page.", error_id
        case CompileError():
            return "This app failed to build its page.", logged(path)
    return "Something went wrong on the server.", logged(path)


def report_of(error: Exception) -> Report:
    """What dev mode says of an error."""
    return getattr(error, "report", None) or describe(error.__cause__ or error)


def logged(what: str) -> str:
    """Log the exception at hand under a new id."""
    error_id = secrets.token_hex(4)
    _log.exception("%r failed (error %s)", what, error_id)
    return error_id

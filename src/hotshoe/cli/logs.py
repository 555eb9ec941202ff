"""Python's logging as ``hotshoe serve`` sets it up: one line for each record, on stderr or in a file."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from bokeh.util.logconfig import basicConfig

from ..config import Settings
from ..errors import ConfigError
from ..log_fields import FIELDS, UNKNOWN, AddFields

TRACE = 9
"""bokeh's level below DEBUG."""

_LEVELS = {"trace": TRACE, "None": logging.INFO}


def configure(settings: Settings) -> None:
    """Send the log where the settings say. Raises ``ConfigError`` if the file can't be written.

    hotshoe and bokeh log from the chosen level on, other packages from WARNING on, as under ``bokeh serve``.
    """
    level = _LEVELS.get(settings.log_level) or logging.getLevelNamesMapping()[settings.log_level.upper()]
    basicConfig(handlers=[_handler(settings)])
    for name in ("hotshoe", "bokeh"):
        logging.getLogger(name).setLevel(level)
    # What it warns of are the mistakes of clients, which anybody can send.
    logging.getLogger("uvicorn").setLevel(logging.ERROR if level > logging.DEBUG else level)


def _handler(settings: Settings) -> logging.Handler:
    handler: logging.Handler = logging.StreamHandler()
    if settings.log_file is not None:
        try:
            handler = logging.FileHandler(settings.log_file, errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"The log can't be written to {settings.log_file}: {error.strerror}") from error
    handler.setFormatter(JsonFormatter() if settings.log_json else logging.Formatter(settings.log_format))
    handler.addFilter(AddFields())
    return handler


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, in ASCII: time (UTC), level, logger, message, then what is known of its place."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: text for name in FIELDS if (text := str(getattr(record, name, UNKNOWN))) != UNKNOWN}
        if (traceback := self._traceback(record)) is not None:
            line["traceback"] = traceback
            # Where logs are text, the traceback of an app's error stands below its message.
            line["message"] = line["message"].removesuffix(f"\n{traceback}")
        return json.dumps(line)

    def _traceback(self, record: logging.LogRecord) -> str | None:
        if (given := getattr(record, "traceback", None)) is not None:
            return str(given)
        parts = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
        return "\n".join([*parts, *([record.stack_info] if record.stack_info else [])]) or None

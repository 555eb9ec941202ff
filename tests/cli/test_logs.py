"""What stands on a line of the log."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.command import hotshoe

from hotshoe.base import logs
from hotshoe.base.errors import ConfigError
from hotshoe.cli.serve import JsonFormatter
from hotshoe.config import Settings
from hotshoe.sessions.failures import report

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the logger ``hotshoe`` has written as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(logs.AddFields())
    logger = logging.getLogger("hotshoe")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_line_has_what_is_known(lines: Lines) -> None:
    token = logs.note(request_id="r1", user=None, app="/outer")
    logging.getLogger("hotshoe.x").warning("two\nlines %s", "\udc80é", extra={"app": "/a"})
    logs.forget(token)
    logging.getLogger("hotshoe.x").warning("later")
    first, second = lines()
    assert first.pop("time")[-1] == "Z"
    assert first == {"level": "warning", "logger": "hotshoe.x", "message": "two\nlines \udc80é", "app": "/a",
                     "request_id": "r1"}
    assert set(second) == {"time", "level", "logger", "message"}


def test_the_traceback_is_a_field_of_its_own(lines: Lines) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        info = report(error, what="a callback", app="/a", session_id="s", user="ada")
        logging.getLogger("hotshoe.x").exception("ours")
    theirs, ours = lines()
    assert theirs["message"] == f"error {info.error_id} in a callback of app /a, session {logs.session_hash('s')}"
    assert theirs["traceback"].endswith("ZeroDivisionError: division by zero")
    assert (theirs["error_id"], theirs["user"]) == (info.error_id, "ada")
    assert (ours["message"], ours["traceback"][:9]) == ("ours", "Traceback")


def test_an_exception_that_is_not_there(lines: Lines) -> None:
    logging.getLogger("hotshoe.x").error("nothing", exc_info=sys.exc_info())
    assert "traceback" not in lines()[0]


def test_formats_may_name_the_fields() -> None:
    assert Settings(log_format="%(session)s %(request_id)s").log_json is False
    with pytest.raises(ConfigError):
        Settings(log_format="%(nothing)s")


APP = """\
from bokeh.io import curdoc
def fail():
    raise ValueError("boom")
if b"now" in curdoc().session_context.request.arguments.get("fail", []):
    fail()
"""


@pytest.mark.real
def test_json_from_start_to_end(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with hotshoe("serve", "app.py", "--port", "0", "--log-json", "--session-ids", "unsigned", cwd=tmp_path) as command:
        command.wait_for("Starting Bokeh server with process id:")
        started = [json.loads(line)["message"] for line in command.err]
        (url,) = [message.split()[-1] for message in started if "running at" in message]
        answer = httpx.get(f"{url}?fail=now", headers={"X-Request-ID": "from-the-proxy"})
        assert answer.status_code == 500
        httpx.get(f"{url}?fail=now", headers={"X-Request-ID": "evil id\twith spaces"})
        command.wait_for("boom")
        httpx.get(f"{url}?fail=now&bokeh-session-id=a-secret-id")
        command.wait_for(logs.session_hash("a-secret-id"))
        command.process.terminate()
        assert command.finish() == 0
    assert "a-secret-id" not in command.log, "the id opens the session"
    failures = [line for line in map(json.loads, command.err) if line["level"] == "error"]
    assert failures[0]["request_id"] == "from-the-proxy"
    assert failures[0]["error_id"] in answer.text
    assert failures[0]["app"] == "/app"
    assert failures[0]["traceback"].endswith("ValueError: boom")
    assert "\n" not in failures[0]["message"]
    assert len(failures[1]["request_id"]) == 16


@pytest.mark.real
def test_a_format_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    log_format = "%(levelname)s [%(request_id)s %(app)s %(user)s] %(message)s"
    with hotshoe("serve", "app.py", "--port", "0", "--log-format", log_format, cwd=tmp_path) as command:
        command.wait_for("Starting Bokeh server with process id:")
        httpx.get(f"{command.urls()[0]}?fail=now", headers={"X-Request-ID": "r1"})
        command.wait_for("ERROR [r1 /app -] error ")


SILENCING = """\
import logging, logging.config
from bokeh.io import curdoc
logging.config.dictConfig({"version": 1, "handlers": {"h": {"class": "logging.StreamHandler"}},
                           "root": {"handlers": ["h"], "level": "WARNING"}})
logging.disable(logging.ERROR)
raise ValueError("boom")
"""


@pytest.mark.real
def test_an_app_that_configures_logging_takes_no_id_from_the_log(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SILENCING)
    with hotshoe("serve", "app.py", "--port", "0", "--log-format", "mine: %(message)s", cwd=tmp_path) as command:
        command.wait_for("Starting Bokeh server with process id:")
        pages = [httpx.get(command.urls()[0]).text for _ in range(2)]
        command.process.terminate()
        assert command.finish() == 0
    ids = re.findall(r"^mine: error ([0-9a-f]{8}) in building a document of app /app,", command.log, flags=re.MULTILINE)
    assert [error_id in page for error_id, page in zip(ids, pages, strict=True)] == [True, True]
    assert command.log.count("ValueError: boom") == 2

"""What an app does to logging takes no line from the server's log. Run in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import io, json, logging, logging.config, pathlib, sys
from hotshoe.base import own_log
from hotshoe.base.log_writing import LogWriter
from hotshoe.base.logs import PacedLog

FILE = '''[loggers]
keys=root
[handlers]
keys=h
[formatters]
keys=
[logger_root]
level=CRITICAL
handlers=h
[handler_h]
class=NullHandler
args=()
'''


def everything():
    for logger in [logging.getLogger(), *map(logging.getLogger, list(logging.Logger.manager.loggerDict))]:
        logger.setLevel(logging.CRITICAL + 1)
        logger.handlers.clear()
        logger.propagate = False
        logger.disabled = True


SETUPS = {
    "dictConfig": lambda: logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL", "handlers": []}}),
    "incremental": lambda: logging.config.dictConfig(
        {"version": 1, "incremental": True, "loggers": {"hotshoe": {"level": 60}, "hotshoe.app": {"level": 60}}}),
    "fileConfig": lambda: logging.config.fileConfig(io.StringIO(FILE)),
    "disable": lambda: logging.disable(logging.CRITICAL),
    "force": lambda: logging.basicConfig(force=True, level=logging.CRITICAL, handlers=[logging.NullHandler()]),
    "level": lambda: logging.getLogger().setLevel(logging.CRITICAL),
    "handlers": lambda: logging.getLogger().handlers.clear(),
    "handler's level": lambda: [handler.setLevel(60) for handler in logging.getLogger().handlers],
    "handler's format": lambda: [h.setFormatter(logging.Formatter("odd")) for h in logging.getLogger().handlers],
    "everything": everything,
    "factory": lambda: logging.setLogRecordFactory(lambda *args, **options: 1 / 0),
}

text = io.StringIO()
writer = LogWriter(text)
writer.setFormatter(logging.Formatter("%(name)s %(message)s %(app)s", defaults={"app": "-"}))
paced = PacedLog(logging.getLogger("hotshoe.paced"))
plain = logging.getLogger("hotshoe.app")
own_log.keep_log(writer, logging.INFO)
logging.basicConfig(handlers=[own_log.SharedHandler(writer)])
for name, setup in {"none": lambda: None, **SETUPS}.items():
    setup()
    paced.error(name, extra={"app": "/a"})
    plain.info(name)
    plain.debug("never")
writer.flush()
sys.stdout.write(json.dumps([[*SETUPS], text.getvalue().splitlines()]))
"""


def run(program: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30,
                          check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def test_each_line_is_in_the_log_once_and_in_its_format() -> None:
    setups, lines = json.loads(run(PROGRAM).stdout)
    assert lines == [f"hotshoe.{log} {name} {app}" for name in ("none", *setups)
                     for log, app in (("paced", "/a"), ("app", "-"))]


CONSOLE = """
import logging, sys
from hotshoe.base import own_log
from hotshoe.base.log_writing import LogWriter

stream = sys.stderr if sys.argv[1] == "console" else open(sys.argv[1], "w")
writer = LogWriter(stream)
writer.setFormatter(logging.Formatter("server: %(message)s"))
shared = own_log.SharedHandler(writer)
shared.setFormatter(logging.Formatter("shared: %(message)s"))
logging.getLogger("hotshoe.x")
own_log.keep_log(writer, logging.INFO)
logging.basicConfig(handlers=[shared])
logging.getLogger("app").warning("first")
seen = []
report = logging.Logger.callHandlers
logging.Logger.callHandlers = lambda self, record: (seen.append(record.getMessage()), report(self, record))[1]
app_file = logging.FileHandler("app.log")
logging.basicConfig(force=True, format="app: %(message)s", handlers=[logging.StreamHandler(sys.stdout), app_file])
logging.getLogger("hotshoe.x").error("ours")
logging.getLogger("app").warning("theirs")
assert seen == ["ours", "theirs"], seen
own_log.flush_log()
"""


def test_the_handlers_of_an_app_get_the_lines_too_but_not_on_the_same_console(tmp_path: Path) -> None:
    done = run(CONSOLE, "console", cwd=tmp_path)
    assert done.stderr == "shared: first\nserver: ours\n"
    assert done.stdout == "app: theirs\n"
    assert (tmp_path / "app.log").read_text() == "app: ours\napp: theirs\n"
    done = run(CONSOLE, "server.log", cwd=tmp_path)
    assert (tmp_path / "server.log").read_text() == "shared: first\nserver: ours\n"
    assert done.stdout == "app: ours\napp: theirs\n"


EMBEDDED = """
import logging, logging.config
from hotshoe.base.logs import PacedLog

log = PacedLog(logging.getLogger("hotshoe.x"))
site = {"version": 1, "formatters": {"f": {"format": "site: %(message)s"}}, "root": {"handlers": ["h"]},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}}}
logging.config.dictConfig(site)
log.error("an error")
log.info("not wanted by the site")
logging.disable(logging.ERROR)
log.error("not wanted either")
"""


def test_inside_of_a_site_its_setup_decides_except_for_disabled_loggers() -> None:
    assert run(EMBEDDED).stderr == "site: an error\n"


FAILING = """
import logging, sys
from hotshoe.base import own_log
from hotshoe.base.log_writing import LogWriter

log = logging.getLogger("hotshoe.x")
if sys.argv[1] == "server":
    own_log.keep_log(LogWriter(sys.stderr), logging.INFO)
own_log.claim()

class Broken(logging.Handler):
    def emit(self, record):
        raise ValueError("broken")

def failing(record):
    raise KeyError("filter")

logging.getLogger().addHandler(Broken())
log.error("one")
log.addFilter(failing)
log.error("two")
own_log.flush_log()
"""


def test_a_handler_or_filter_that_fails_is_told_once_and_ends_nothing_of_the_server() -> None:
    told = "A handler or filter of logging has failed: ValueError: broken\n"
    assert run(FAILING, "server").stderr == f"one\n{told}two\n"
    assert run(FAILING, "site").stderr == f"hotshoe: {told}"


CLOSED = """
import logging, sys
from hotshoe.base import own_log
from hotshoe.base.log_writing import LogWriter

log = logging.getLogger("hotshoe.x")
own_log.keep_log(LogWriter(sys.stderr), logging.INFO)
sys.stderr.close()
log.error("an error")
own_log.flush_log()
"""


def test_an_app_may_close_stderr() -> None:
    assert run(CLOSED).stderr == "an error\n"


LEVELS = """
import logging, sys
from hotshoe.base import own_log
from hotshoe.base.log_writing import LogWriter

own_log.keep_log(LogWriter(sys.stdout), logging.INFO)
log = logging.getLogger("hotshoe.x")
own_log.claim()
logging.getLogger("hotshoe").setLevel(sys.argv[1])
log.debug("more")
log.info("as before")
own_log.flush_log()
"""


def test_an_app_may_ask_for_more_and_gets_no_less() -> None:
    assert run(LEVELS, "DEBUG").stdout == "more\nas before\n"
    assert run(LEVELS, "WARNING").stdout == "as before\n"

"""Every variable of bokeh's that a server reads has its meaning here: asked of servers that were started with them.

Servers are compared: one without variables, others in which several are set that do not disturb each other.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.util.settings import get_all_settings
from tests.support.command import Command, hotshoe
from tests.support.named_tests import check_places
from tests.support.ports import free_port
from websockets.sync.client import connect

from hotshoe.config import TABLE

RunHere = Callable[..., tuple[int, str, str]]
READY = "Starting Bokeh server with process id:"

APP = """\
import json
from bokeh.io import curdoc
from bokeh.models import Div, Slider
from bokeh.plotting import figure
slider = Slider(start=0, end=1, value=0)
try:
    slider.on_change("value", lambda: None)
    curdoc().title = "taken"
except ValueError:
    curdoc().title = "refused"
curdoc().add_root(slider)
curdoc().add_root(figure(name="empty"))
"""

MORE = {
    "BOKEH_LOG_LEVEL": "warn", "BOKEH_MINIFIED": "no", "BOKEH_PERFORM_ERROR_DIAGNOSTICS": "no",
    "BOKEH_PY_LOG_LEVEL": "debug", "BOKEH_SIMPLE_IDS": "no", "BOKEH_SERIALIZE_INCLUDE_DEFAULTS": "yes",
    "BOKEH_VALIDATE_DOC": "no", "BOKEH_ICO_PATH": "none", "HOTSHOE_STATS_LOG_FREQUENCY": "50",
}
OTHERS = {"BOKEH_RESOURCES": "cdn", "BOKEH_VALIDATION_LEVEL": "none", "BOKEH_DEV": "1"}
STRICT = {"BOKEH_VALIDATION_LEVEL": "all"}


@dataclass
class Site:
    """A server, and what it has answered."""

    environ: Mapping[str, str]
    command: Command
    page: httpx.Response

    @property
    def url(self) -> str:
        return self.command.urls()[0]

    def icon(self) -> int:
        return httpx.get(httpx.URL(self.url).join("/favicon.ico")).status_code

    def document(self) -> dict[str, Any]:
        """The document as it goes over the wire."""
        match = re.search(r'"token":"([^"]+)"', self.page.text)
        assert match
        with connect(self.url.replace("http", "ws", 1) + "/ws", subprotocols=["bokeh", match[1]],  # type: ignore[list-item]
                     max_size=None, open_timeout=60) as connection:
            for _ in range(3):  # ACK
                connection.recv(timeout=40)
            header = {"msgid": "1", "msgtype": "PULL-DOC-REQ"}
            for part in (header, {}, {}):
                connection.send(json.dumps(part))
            content: dict[str, Any] = {}
            while "doc" not in content:  # what a busy server says of itself may come first
                content = json.loads(connection.recv(timeout=40))
        return content["doc"]  # type: ignore[no-any-return]


@contextlib.contextmanager
def site(folder: Path, environ: Mapping[str, str], port: int = 0) -> Iterator[Site]:
    (folder / "app.py").write_text(APP)
    arguments = ["--port", "0"] if not port else []
    with hotshoe("serve", "app.py", *arguments, cwd=folder, environ={**environ, "HOME": str(folder)}) as command:
        command.wait_for(READY)
        yield Site(environ, command, httpx.get(command.urls()[0], timeout=60))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("plain"), {}) as found:
        yield found


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("more"), MORE) as found:
        yield found


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    with site(tmp_path_factory.mktemp("others"), {**OTHERS, "BOKEH_DEFAULT_SERVER_PORT": str(port)}, port) as found:
        yield found


def level(some: Site) -> str:
    match = re.search(r'Bokeh\.set_log_level\("(\w+)"\)', some.page.text)
    assert match
    return match[1]


def loaded(some: Site) -> str:
    match = re.search(r"bokeh(\.min)?\.js", some.page.text)
    assert match
    return match[0]


def title(some: Site) -> str:
    match = re.search(r"<title>(.*)</title>", some.page.text)
    assert match
    return match[1]


def ids_are_simple(some: Site) -> bool:
    return all(re.fullmatch(r"p\d+", root["id"]) for root in some.document()["roots"])


def tells_defaults(some: Site) -> bool:
    return "orientation" in some.document()["roots"][0]["attributes"]


def warns_of_document(some: Site) -> bool:
    if "BOKEH_VALIDATE_DOC" not in some.environ:
        some.command.wait_for("MISSING_RENDERERS")
    return "MISSING_RENDERERS" in some.command.log


def logs_debug(some: Site) -> bool:
    if "BOKEH_PY_LOG_LEVEL" in some.environ:
        some.command.wait_for("clients connected")
    return "clients connected" in some.command.log


Facet = Callable[[Site], Any]
EFFECTS: Mapping[str, tuple[Facet, Any, Any]] = {
    "BOKEH_LOG_LEVEL": (level, "info", "warn"),
    "BOKEH_MINIFIED": (loaded, "bokeh.min.js", "bokeh.js"),
    "BOKEH_PERFORM_ERROR_DIAGNOSTICS": (title, "refused", "taken"),
    "BOKEH_PY_LOG_LEVEL": (logs_debug, False, True),
    "BOKEH_SIMPLE_IDS": (ids_are_simple, True, False),
    "BOKEH_SERIALIZE_INCLUDE_DEFAULTS": (tells_defaults, False, True),
    "BOKEH_VALIDATE_DOC": (warns_of_document, True, False),
    "BOKEH_ICO_PATH": (Site.icon, 200, 404),
}


@pytest.mark.real
@pytest.mark.parametrize("variable", EFFECTS)
def test_a_variable_changes_what_it_is_about(variable: str, plain: Site, more: Site) -> None:
    facet, before, after = EFFECTS[variable]
    assert variable in MORE
    assert (facet(plain), facet(more)) == (before, after)


@pytest.mark.real
def test_bokehs_dev_mode(others: Site) -> None:
    assert level(others) == "debug"
    assert "Bokeh.settings.dev = true" in others.page.text
    assert re.search(r"cdn\.bokeh\.org/bokeh/[^\"]*bokeh-[\d.]+\.js", others.page.text), "not minified"


@pytest.mark.real
def test_resources_from_elsewhere(plain: Site, others: Site) -> None:
    assert "cdn.bokeh.org" not in plain.page.text
    assert "cdn.bokeh.org" in others.page.text


@pytest.mark.real
def test_validation_may_fail_an_app(tmp_path: Path) -> None:
    with site(tmp_path, STRICT) as found:
        assert found.page.status_code == 500
        found.command.wait_for("RuntimeError")


@pytest.mark.real
def test_the_default_port(others: Site) -> None:
    assert others.url == f"http://localhost:{others.environ['BOKEH_DEFAULT_SERVER_PORT']}/app"


def test_what_exports_read(tmp_path: Path, run_here: RunHere) -> None:
    def exported(command: str, *arguments: str, **environ: str) -> str:
        status, out, err = run_here(command, "data.py", "-o", "-", *arguments, **environ)
        assert status == 0, err
        return out

    (tmp_path / "data.py").write_text(
        "import numpy as np\nfrom bokeh.io import curdoc\nfrom bokeh.models import ColumnDataSource, DataTable\n"
        "curdoc().add_root(DataTable(source=ColumnDataSource({'x': np.zeros(100_000)})))\n")
    assert len(exported("json", BOKEH_COMPRESSION_LEVEL="0")) > 1_000_000
    assert len(exported("json", BOKEH_COMPRESSION_LEVEL="9")) < 10_000
    assert len(exported("json").splitlines()) == 1
    assert len(exported("json", BOKEH_PRETTY="yes").splitlines()) > 20
    assert len(exported("json", BOKEH_PRETTY="no").splitlines()) == 1
    assert "-3.8.0.min.js" in exported("html", "--resources", "cdn", BOKEH_CDN_VERSION="3.8.0")


@pytest.mark.real
def test_what_exports_read_when_bokeh_is_imported(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(APP)
    there = {"BOKEH_DEFAULT_SERVER_HOST": "over.there", "BOKEH_DEFAULT_SERVER_PORT": "99"}
    with hotshoe("html", "data.py", "-o", "-", "--resources", "server", cwd=tmp_path, environ=there) as process:
        assert process.finish() == 0, process.log
        assert "http://over.there:99/static/js/bokeh" in process.output


@pytest.mark.real
@pytest.mark.parametrize(("variable", "message"), [
    ("BOKEH_PRETTY", "BOKEH_PRETTY: 'perhaps' is not yes or no"),
    ("BOKEH_MINIFIED", "bokeh's BOKEH_MINIFIED: Cannot convert perhaps to boolean value"),
    ("BOKEH_DEV", "environment variable BOKEH_DEV: Cannot convert perhaps to boolean value"),
])
def test_a_switch_of_bokehs_that_says_neither(variable: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(APP)
    with hotshoe("json", "data.py", cwd=tmp_path, environ={variable: "perhaps"}) as process:
        assert process.finish() == 1
        assert process.log == f"ERROR: {message}\n"


@pytest.mark.real
@pytest.mark.parametrize("command", ["serve", "json", "html", "static"])
def test_a_level_that_bokehjs_does_not_know(command: str, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(APP)
    files = [] if command == "static" else ["data.py"]
    with hotshoe(command, *files, cwd=tmp_path, environ={"BOKEH_LOG_LEVEL": "loud"}) as process:
        assert process.finish() == 1
        assert process.log.startswith("ERROR: bokeh's BOKEH_LOG_LEVEL: Unknown log level 'loud'")
        assert process.log.count("\n") == 1


@pytest.mark.real
def test_a_no_is_not_warned_of_as_a_yes(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(APP)
    with hotshoe("json", "data.py", cwd=tmp_path, environ={"BOKEH_SIGN_SESSIONS": "no"}) as process:
        assert process.finish() == 0
        assert "BOKEH_SECRET_KEY" not in process.log


ELSEWHERE = {
    "BOKEH_BROWSER": "cli/test_serve.py::test_show_opens_each_app",
    "BOKEH_COMPRESSION_LEVEL": "cli/test_environment.py::test_what_exports_read",
    "BOKEH_CDN_VERSION": "cli/test_environment.py::test_what_exports_read",
    "BOKEH_DEFAULT_SERVER_HOST": "cli/test_environment.py::test_what_exports_read_when_bokeh_is_imported",
    "BOKEH_DEFAULT_SERVER_PORT": "cli/test_environment.py::test_the_default_port",
    "BOKEH_DEV": "cli/test_environment.py::test_bokehs_dev_mode",
    "BOKEH_NODEJS_PATH": "cli/test_looking.py::test_info_asks_the_node_that_is_set",
    "BOKEH_PRETTY": "cli/test_environment.py::test_what_exports_read",
    "BOKEH_RESOURCES": "cli/test_environment.py::test_resources_from_elsewhere",
    "BOKEH_VALIDATION_LEVEL": "cli/test_environment.py::test_validation_may_fail_an_app",
}
NOT_OF_SERVERS = {
    "BOKEH_CHROMEDRIVER_PATH", "BOKEH_DOCS_CDN", "BOKEH_DOCS_VERSION", "BOKEH_EXPORT_BACKEND",
    "BOKEH_IGNORE_FILENAME", "BOKEH_ROOTDIR",
}
"""For exporting pictures, making bokeh's own docs, and `output_file`."""


def test_every_variable_of_bokeh_has_a_test() -> None:
    names = {"BOKEH_DEV", *(setting.env_var or "" for setting in get_all_settings().values())}
    of_ours = {row.doc.bokeh for row in TABLE}
    assert names - NOT_OF_SERVERS - set(EFFECTS) - set(ELSEWHERE) - of_ours == set()


def test_the_tests_elsewhere_exist() -> None:
    check_places(ELSEWHERE.values())

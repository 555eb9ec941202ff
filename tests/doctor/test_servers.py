"""The servers themselves, without a proxy; and the command as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bokeh.embed import server_document
from tests.support.doctor import examined, lines_for, severities
from tests.support.doctor_servers import served, site
from tests.support.ports import free_port
from tests.support.proxies import Site, apache, nginx
from tests.support.running_server import Server

from hotshoe.cli.main import main
from hotshoe.doctor import DoctorOptions

pytestmark = pytest.mark.real


Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs the command in this process."""
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        try:
            status = main(["doctor", *arguments])
        except SystemExit as ending:  # of argparse
            status = int(ending.code or 0)
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run


def doctor_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hotshoe", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", ["/", "/amounts", "/amounts/"])
def test_hotshoe(path: str, hotshoe_server: Server, options: DoctorOptions) -> None:
    report = examined(f"http://localhost:{hotshoe_server.port}{path}", options)
    assert severities(report) == {}
    assert [sighting.kind.label for sighting in report.sightings] == ["hotshoe"]
    assert {"page.ok", "resources.ok", "websocket.ok", "buffering.ok", "backends.ok"} <= set(report.ids())


@pytest.mark.parametrize("path", ["/", "/amounts"])
def test_bokeh_serve(path: str, bokeh_server: Server, options: DoctorOptions) -> None:
    report = examined(f"http://localhost:{bokeh_server.port}{path}", options)
    assert severities(report) == {"resources.uncompressed": "warning"}
    assert report.status == 0
    assert [sighting.kind.label for sighting in report.sightings] == ["bokeh serve"]


def test_panel_serve(options: DoctorOptions, tmp_path: Path) -> None:
    own = tmp_path / "panes.py"
    own.write_text("import panel as pn\npn.extension()\npn.Column('# Hello', pn.widgets.IntSlider()).servable()\n")
    with served(own, program="panel serve") as server:
        upstream = f"http://127.0.0.1:{server.port}"
        upgrade = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
        behind = {"panel": Site(f"location / {{ proxy_pass {upstream}; proxy_http_version 1.1; {upgrade} "
                                "proxy_set_header Host $http_host; }")}
        by_apache = {"panel": Site(f"ProxyPass / {upstream}/ upgrade=websocket\nProxyPreserveHost On")}
        with nginx(behind) as one, apache(by_apache) as two:
            urls = (f"http://localhost:{server.port}/", one.url("panel"), two.url("panel", "/panes"))
            for url in urls:
                report = examined(url, options)
                assert severities(report) == {"resources.uncompressed": "warning"}, url
                assert report.sightings[-1].kind.label == "panel serve"


@pytest.mark.parametrize("program", ["bokeh serve", ""])
def test_a_page_that_embeds_with_the_script_of_bokeh(program: str, app: Path, options: DoctorOptions) -> None:
    with served(app, program=program, BOKEH_ALLOW_WS_ORIGIN="127.0.0.1:*") as server:
        with site(f"<html><body>{server_document(server.urls['amounts'])}</body></html>") as url:
            report = examined(url, options)
        assert severities(report) == ({"resources.uncompressed": "warning"} if program == "bokeh serve" else {})
        assert {"embedding.ok", "resources.ok", "websocket.ok"} <= set(report.ids())
        assert [sighting.kind.label for sighting in report.sightings] == [program or "hotshoe"]


def test_a_page_with_a_base(hotshoe_server: Server, options: DoctorOptions) -> None:
    """What the page refers to is below its base, ``autoload.js`` too."""
    script = str(server_document(hotshoe_server.urls["amounts"])).replace(hotshoe_server.root, "")
    assert "//" not in script.partition("autoload.js")[0].rpartition('"')[2]
    with site(f'<html><head><base href="{hotshoe_server.root}"></head><body>{script}</body></html>') as url:
        report = examined(url, options)
    [embedding] = [each for each in report.findings if each.id == "embedding.refused"]
    assert f":{hotshoe_server.port} does not allow" in embedding.seen


def test_a_page_that_may_not_embed(hotshoe_server: Server, options: DoctorOptions) -> None:
    element = f'<bokeh-app src="{hotshoe_server.urls["amounts"]}"></bokeh-app>'
    for inside in (element, str(server_document(hotshoe_server.urls["amounts"]))):
        with site(f"<html><body>{inside}</body></html>") as url:
            report = examined(url, options)
        assert set(severities(report)) & {"embedding.refused", "websocket.origin"}
        origin = url.split("/")[2]
        finding = report.problems[0].id
        assert lines_for(report, finding, "hotshoe") == [f"--allow-websocket-origin {origin}"]


def test_a_name_that_the_server_does_not_answer_to(app: Path, options: DoctorOptions) -> None:
    with served(app, "--allowed-hosts", "own.example") as server:
        report = examined(f"http://localhost:{server.port}/amounts", options)
    assert severities(report) == {"page.host-name": "problem"}
    assert lines_for(report, "page.host-name", "hotshoe") == ["--allowed-hosts localhost"]


def test_an_index_of_several(app: Path, options: DoctorOptions, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(app.read_text())
    with served(app, str(other)) as server:
        report = examined(server.root, options)
    assert report.status == 0
    [index] = [each for each in report.findings if each.id == "page.index"]
    assert "/other" in index.change


def test_a_login_in_the_way(doctor: Doctor, app: Path, options: DoctorOptions, tmp_path: Path) -> None:
    auth = tmp_path / "auth.py"
    auth.write_text("def get_user(handler):\n    return handler.get_cookie('who')\nlogin_url = '/enter'\n"
                    "from tornado.web import RequestHandler\nclass LoginHandler(RequestHandler):\n"
                    "    def get(self):\n        self.write('<html><input type=password></html>')\n")
    with served(app, "--auth-module", str(auth), program="bokeh serve") as server:
        url = f"http://localhost:{server.port}/amounts"
        refused = doctor(url)
        assert refused.returncode == 1
        assert "A login is required before the app" in refused.stdout
        passed = doctor(url, "--cookie", "who=ada")
        assert passed.returncode == 0, passed.stdout


def test_json(hotshoe_server: Server) -> None:
    answer = doctor_process(f"localhost:{hotshoe_server.port}/amounts", "--json")
    assert answer.returncode == 0
    report = json.loads(answer.stdout)
    assert report["status"] == 0
    assert report["recognised"] == [{"kind": "hotshoe", "by": "its page"}]
    assert {"id", "hop", "severity", "seen", "change", "remedies"} == set(report["findings"][0])


def test_a_wrong_command_line_ends_the_process() -> None:
    answer = doctor_process("localhost", "--timeout", "0")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)


def test_nobody_there(doctor: Doctor) -> None:
    answer = doctor(f"127.0.0.1:{free_port()}")
    assert answer.returncode == 3
    assert "Nothing listens" in answer.stdout
    unknown = doctor("https://nobody.invalid/app")
    assert unknown.returncode == 3
    assert "has no address" in unknown.stdout


@pytest.mark.parametrize("arguments", [
    ["ftp://example.org"], ["http://"], [], ["localhost", "--timeout", "0"], ["localhost", "--header", "none"],
    ["localhost", "--header", "A: b\r\nC: d"], ["localhost", "--cookie", "none"], ["localhost", "--http-port", "70000"],
    ["localhost", "--from", "example.org"], ["localhost", "--proxy", "squid"], ["http://a:b@localhost"],
])
def test_a_wrong_command_line(doctor: Doctor, arguments: list[str]) -> None:
    answer = doctor(*arguments)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1


def test_a_file_of_authorities_that_is_not_there(doctor: Doctor) -> None:
    answer = doctor("https://localhost:1", "--cafile", "/nowhere.pem")
    assert answer.returncode == 1
    assert answer.stderr.startswith("ERROR: --cafile: /nowhere.pem can't be read")

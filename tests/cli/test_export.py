"""`hotshoe json` and `hotshoe html`: files of apps, written without a server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotshoe.cli import main

APP = """\
import sys
from bokeh.io import curdoc
from bokeh.models import Div, Slider
def moved(attr, old, new): pass
slider = Slider(start=0, end=3, value=1, name="the <slider>")
slider.on_change("value", moved)
curdoc().add_root(slider)
curdoc().add_root(Div(text=" ".join(sys.argv[1:]) + "|" + str(curdoc().session_context.request.arguments)))
curdoc().add_periodic_callback(lambda: None, 100)
curdoc().title = "A <title>"
"""
PLAIN = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div(text='plain'))\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "plain.py").write_text(PLAIN)
    return tmp_path


def test_json_of_each_app(folder: Path) -> None:
    assert main(["json", "app.py", "plain.py", "-o", "first.json", "--args", "--indent", "2"]) == 0
    first, second = (json.loads((folder / name).read_text()) for name in ("first.json", "plain.json"))
    assert first["title"] == "A <title>"
    assert [root["name"] for root in first["roots"]] == ["Slider", "Div"]
    assert first["roots"][1]["attributes"]["text"] == "--indent 2|{}"
    assert second["roots"][0]["attributes"]["text"] == "plain"
    assert len((folder / "plain.json").read_text().splitlines()) == 1


def test_json_to_the_standard_output(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["json", "plain.py", "-o", "-", "--indent", "3"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["roots"][0]["name"] == "Div"
    assert '\n   "' in printed
    assert not list(folder.glob("*.json"))


@pytest.mark.parametrize("command", ["json", "html"])
def test_what_can_not_be_written_is_named_in_one_line(
        capsys: pytest.CaptureFixture[str], folder: Path, command: str) -> None:
    (folder / "bad.py").write_text("from decimal import Decimal\n" + PLAIN.replace("text='plain'", "tags=[Decimal(1)]"))
    assert main([command, "bad.py"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: Div.tags[0] (id ")
    assert "decimal.Decimal" in line


def test_html_is_a_page_and_names_what_does_not_run(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["html", "app.py", "--resources", "cdn", "--args", "one"]) == 0
    page = (folder / "app.html").read_text()
    assert "<title>A &lt;title&gt;</title>" in page
    assert "cdn.bokeh.org" in page
    assert "one|{}" in page
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "app.html: without a server, these Python callbacks do not run:"
    assert re.fullmatch(r"  Slider 'the <slider>': value -> moved \(.*app\.py:4\)", others[0])
    assert re.fullmatch(r"  PeriodicCallback -> <lambda> \(.*app\.py:9\)", others[1])


def test_html_with_all_of_bokehjs_inside_and_no_warning(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    template = folder / "frame.html"
    template.write_text("{% block preamble %}<!-- mine {{ title }} -->{% endblock %}")
    assert main(["html", "plain.py", "--resources", "inline", "--title", "T & U", "--template", "frame.html"]) == 0
    page = (folder / "plain.html").read_text()
    assert len(page) > 500_000
    assert "<!-- mine T & U -->" in page
    assert "<title>T &amp; U</title>" in page
    assert not re.search(r'<script[^>]* src="http', page)
    assert capsys.readouterr().err == ""


def test_the_environment_says_where_bokehjs_comes_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKEH_RESOURCES", "inline")
    assert main(["html", "plain.py"]) == 0
    assert "cdn.bokeh.org/bokeh/release" not in (folder / "plain.html").read_text()


def test_html_of_a_directory_has_its_template(folder: Path) -> None:
    (folder / "house/templates").mkdir(parents=True)
    (folder / "house/main.py").write_text(PLAIN)
    (folder / "house/templates/index.html").write_text(
        "{% extends base %}{% block preamble %}<!-- house -->{% endblock %}")
    assert main(["html", "house"]) == 0
    assert "<!-- house -->" in (folder / "house.html").read_text()


def test_html_of_hostile_texts(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    hostile = "</script></title><script>alert(1)</script><!--<script>"
    title = ascii("a\ud800" + hostile)
    (folder / "plain.py").write_text(PLAIN.replace("'plain'", repr(hostile)) + f"curdoc().title = {title}\n")
    assert main(["html", "plain.py", "--resources", "cdn"]) == 0
    page = (folder / "plain.html").read_text(encoding="utf-8")
    assert "a?&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert main(["html", "plain.py", "-o", "-"]) == 0
    assert "a?&lt;/script&gt;" in capsys.readouterr().out


def test_no_app_is_overwritten_by_its_page(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "link").symlink_to("plain.py")
    for words in (["app.py", "plain.py", "-o", "new.html", "-o", "./plain.py"], ["app.py", "plain.py", "-o", "link"]):
        assert main(["html", *words]) == 1
        assert capsys.readouterr().err == f"ERROR: --output: {words[-1]} is the app itself; give another name\n"
    assert (folder / "plain.py").read_text() == PLAIN
    assert not list(folder.glob("*.html"))


def test_html_shows_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("bokeh.util.browser.view", lambda url, new: shown.append(url))
    assert main(["html", "plain.py", "--show"]) == 0
    assert shown == [(folder / "plain.html").as_uri()]


def test_html_of_panel_is_whole(folder: Path) -> None:
    # In a process of its own: bokeh compiles every custom model that it knows of, also those of other tests' apps.
    (folder / "pan.py").write_text(
        "import panel as pn\npn.extension()\n"
        "pn.Column(pn.widgets.IntSlider(value=1)).servable(title='Pan')\n")
    done = subprocess.run([sys.executable, "-m", "hotshoe", "html", "pan.py", "--resources", "inline"], cwd=folder,
                          capture_output=True, text=True, check=True)
    page = (folder / "pan.html").read_text()
    assert "<title>Pan</title>" in page
    assert "data:text/css;base64," in page
    assert "static/extensions/panel/css" not in page
    assert done.stderr.splitlines()[1:] == ["  Panel's own, when its parts change"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["json", "plain.py", "-o", "a", "-o", "b"], "ERROR: --output is given 2 times for 1 app; give it once for"),
    (["json", "plain.py", "-o", "no/where.json"], "ERROR: --output: no/where.json can't be written: No such file or"),
    (["json", "none.py"], "ERROR: {folder}/none.py: no such file or directory"),
    (["html", "empty.py"], "ERROR: the app's document is empty: use curdoc().add_root() or .servable()"),
    (["html", "plain.py", "--template", "none.html"], "ERROR: --template: none.html can't be read: No such file"),
    (["html", "plain.py", "--template", "bad.html"], "ERROR: bad.html: "),
    (["html", "plain.py", "--template", "latin.html"], "ERROR: --template: latin.html can't be read: it is not UTF-8"),
])
def test_mistakes_are_one_line(
        arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty.py").touch()
    (folder / "bad.html").write_text("{% if %}")
    (folder / "latin.html").write_bytes(b"\xe9")
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message.format(folder=folder))


def test_an_app_that_fails_shows_its_traceback(
        folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    (folder / "bad.py").write_text("1 / 0\n")
    assert main(["json", "bad.py"]) == 1
    assert capsys.readouterr().err == "ERROR: the app /bad failed; its traceback is above\n"
    assert "ZeroDivisionError" in caplog.text
    assert not (folder / "bad.json").exists()

"""What README and docs say is true: their Python runs, their flags exist, their links lead somewhere.

Code that calls ``curdoc()`` is an app, and is served; other code is a program, and is run.
"""

from __future__ import annotations

import re
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.command_line import parse

import hotshoe
from hotshoe.cli.main import COMMANDS, module_of
from hotshoe.config import Settings, SettingSources

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/README.md"]
SPEAK_OF_OTHERS = {"README.md", "deviations.md", "panel.md"}
"""Pages that name flags of `bokeh serve` or `panel serve`."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

APP = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div())\n"


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def _blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(source):
        yield Block(page, source.count("\n", 0, match.start()) + 2, match[1], match[2])


def _commands(start: str = "hotshoe serve") -> list[tuple[Block, str]]:
    shells = blocks("", "sh")
    return [(block, line) for block in shells for line in block.text.splitlines() if line.startswith(start)]


def _other_commands() -> list[tuple[Block, str]]:
    return [(block, line) for block, line in _commands("hotshoe ") if not line.startswith("hotshoe serve")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the apps are that the pages name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "weather").mkdir()
    (tmp_path / "weather/main.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python(block: Block, folder: Path) -> None:
    if "curdoc()" not in block.text:
        exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
        return
    (folder / "page.py").write_text(block.text)
    with hotshoe.Server({"/": folder / "page.py"}, port=0, address="127.0.0.1") as server:
        with urllib.request.urlopen(server.url(), timeout=20) as answer:
            assert b"bokeh" in answer.read()
        assert server.statistics().sessions == {"/": 1}


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{block} {line}") for block, line in _commands()])
def test_commands(line: str, folder: Path) -> None:
    words = re.sub(r"\s{2,}.*", "", line).split()
    files, _ = parse(words[2:], {})
    assert not [file for file in files if file.startswith("-")]


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{block} {line}") for block, line in _other_commands()])
def test_other_commands(line: str) -> None:
    _, name, *words = re.sub(r"\s{2,}.*", "", line).partition(" >")[0].split()
    assert module_of(name).make_parser().parse_intermixed_args(words)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_files(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "hotshoe.toml"
    file.write_text(block.text)
    assert SettingSources({}, {}, file).settings() != Settings()
    assert tomllib.loads(block.text)


def test_every_flag_that_is_named_exists() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name not in SPEAK_OF_OTHERS)
    named = set(re.findall(r"`(--(?!hotshoe-)[a-z][a-z-]+)", text))
    parsers = [module_of(command).make_parser() for command in COMMANDS]
    assert named <= {option for parser in parsers for action in parser.actions for option in action.option_strings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        target, _, anchor = (match[1] or match[2]).partition("#")
        if "://" in target:
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in map(_anchor, _HEADING.findall(file.read_text(encoding="utf-8"))), anchor


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_in_the_list() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    names = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert not {name for name in names if f"({name})" not in listed}


def test_pictures_are_light() -> None:
    assert all(picture.stat().st_size <= 150_000 for picture in (ROOT / "docs/images").iterdir())
    thumbnails = [*(ROOT / "examples").glob("thumbnails/*"), *(ROOT / "examples").glob("*/thumbnail.*")]
    assert thumbnails
    assert all(picture.stat().st_size <= 25_000 for picture in thumbnails)

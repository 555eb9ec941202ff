"""The site of the docs: a broken link is an error, it needs no other server, and its navigation is the docs' index."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tests.support.cases import every_case

ROOT = Path(__file__).parents[1]

_spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts/docs_site.py")
assert _spec is not None
assert _spec.loader is not None
site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(site)

INDEX = "# Index\n\n[a page](page.md)\n\n```{toctree}\npage\n```\n"
BUILD = "import sys; from pathlib import Path; import docs_site; sys.exit(docs_site.build(*map(Path, sys.argv[1:])))"
"""In a process of its own: Sphinx builds once in a process."""


def build(folder: Path, page: str) -> tuple[int, str]:
    """Status and errors of building a site of an index and this page."""
    source = folder / "source"
    source.mkdir()
    (source / "site.css").touch()
    (source / "mark.svg").touch()
    (source / "index.md").write_text(INDEX)
    (source / "page.md").write_text(f"# Page\n\n{page}\n\n## A part\n")
    done = subprocess.run([sys.executable, "-c", BUILD, source, folder / "output"], cwd=ROOT / "scripts", text=True,
                          stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr


def test_broken_links_and_missing_pictures_are_errors(tmp_path: Path) -> None:
    broken = ["gone.md", "index.md#lost", "#missing", "nowhere/"]
    status, errors = build(tmp_path, "\n\n".join([*(f"[a link]({link})" for link in broken), "![it](unseen.png)"]))
    assert status != 0
    with every_case() as case:
        for name in ("gone.md", "lost", "missing", "nowhere/", "unseen.png"):
            with case(name):
                assert name in errors


def test_a_site_without_mistakes_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = "[the index](index.md#index), [a part](#a-part), [elsewhere](https://example.org)"
    assert build(tmp_path, page) == (0, "")
    pages = [*(tmp_path / "output").glob("*.html")]
    assert len(pages) > 2
    loaded = [address for page in pages for tag in re.findall(r"<(?:link|script|img|iframe)[^>]*>", page.read_text())
              for address in re.findall(r'(?:href|src)="([^"]*)"', tag)]
    styles = [address for style in (tmp_path / "output").rglob("*.css")
              for address in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]*)", style.read_text())]
    assert loaded
    assert not [address for address in [*loaded, *styles] if re.match(r"(https?:)?//", address)]


def test_links_lead_to_pages_of_the_site() -> None:
    page = ROOT / "docs/apps.md"
    for link, target in {
        "library.md#a-server": "library.md#a-server",
        "README.md": "index.md",
        "../README.md": "index.md",
        "../benchmarks/README.md": "performance.md",
        "../examples/integrations/flask": "example-flask.md",
        "https://example.org/x.md": "https://example.org/x.md",
        "#apps": "#apps",
    }.items():
        assert site.with_links(f"[x]({link})", page) == f"[x]({target})"


def test_a_picture_for_each_theme() -> None:
    picture = ('<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="images/a-dark.png">\n'
               '  <img src="images/a.png" alt="A" width="5">\n</picture>')
    assert site.with_links(picture, ROOT / "docs/apps.md") == \
        "![A](images/a.png){.only-light} ![A](images/a-dark.png){.only-dark}"


def test_code_is_left_alone() -> None:
    page = ROOT / "docs/embedding.md"
    before, after = (re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)
                     for text in (page.read_text(encoding="utf-8"), site.page_of(page)))
    assert before
    assert before == after


def test_the_navigation_is_the_index() -> None:
    tree = site.navigation("# Index\n\n## One\n\n| page | |\n| --- | --- |\n| [A](a.md) | of [B](b.md) |\n\n## Two\n")
    assert ":caption: One\n\nA <a>\n```" in tree
    assert ":caption: Two" in tree
    assert "<b>" not in tree

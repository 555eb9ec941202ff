"""Build the site of the docs: Sphinx reads the Markdown pages as they are on GitHub, Furo is the theme.

The site is in build/docs. A link to a page or heading that does not exist is an error. The site needs no other machine:
no font, script or picture comes from elsewhere. It also works when it is opened as files.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
OUTPUT = ROOT / "build" / "docs"

NAMES = {
    **{page: page.stem for page in sorted(DOCS.glob("*.md"))},
    DOCS / "README.md": "index",
    ROOT / "README.md": "index",
    ROOT / "CHANGELOG.md": "changelog",
    ROOT / "benchmarks/README.md": "performance",
    EXAMPLES / "README.md": "examples",
    **{page: f"example-{page.parent.name}" for page in sorted(EXAMPLES.glob("*/**/README.md"))},
}
"""The Markdown files of the repository, by their names in the site."""

SHOWN = {".css": "css", ".html": "html", ".js": "js", ".py": "python", ".yaml": "yaml"}
"""The files of an example that its page shows, and their languages."""

OPTIONS = {
    "project": "hotshoe",
    "extensions": ["myst_parser"],
    "root_doc": "index",
    "html_theme": "furo",
    "html_title": "hotshoe",
    "html_logo": "mark.svg",
    "html_favicon": "mark.svg",
    "html_static_path": ["site.css"],
    "html_css_files": ["site.css"],
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_use_index": False,
    "html_theme_options": {
        "light_css_variables": {"color-brand-primary": "#a63a00", "color-brand-content": "#a63a00"},
        "dark_css_variables": {"color-brand-primary": "#ff9d5c", "color-brand-content": "#ff9d5c"},
    },
    "highlight_language": "text",
    "myst_heading_anchors": 4,
    "myst_enable_extensions": ["attrs_inline"],
    # A block that its lexer does not understand, such as Python with "…" in it, is shown without colours.
    "suppress_warnings": ["misc.highlighting_failure"],
}

STYLE = """
.sidebar-logo-container { margin: 0; }
.sidebar-logo { margin: 0; width: 3rem; }
.sidebar-brand-text { font-size: 1.5rem; font-weight: 700; }
article img { border-radius: 8px; }
@media (min-width: 46em) { p code .pre, li code .pre { white-space: nowrap; } }
table.docutils { margin-left: 0; margin-right: 0; }
table.docutils th { text-align: left; }
table.docutils td { min-width: 7rem; }
table.docutils td code { overflow-wrap: anywhere; white-space: normal; }
"""

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)\s#]+)")
_LISTED = re.compile(r"^\| \[([^]]+)\]\(([\w-]+)\.md\)", re.MULTILINE)
_PICTURE = re.compile(r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
                      r'<img src="([^"]+)" alt="([^"]+)"[^>]*>\s*</picture>')


def write_source(folder: Path) -> None:
    """Write the pages as Sphinx wants them: in one folder, with the tree of the navigation."""
    shutil.copytree(DOCS / "images", folder / "images")
    shutil.copy(ROOT / "src/hotshoe/pages/templates/mark.svg", folder)
    (folder / "site.css").write_text(STYLE, encoding="utf-8")
    for page, name in NAMES.items():
        if page != ROOT / "README.md":
            (folder / f"{name}.md").write_text(page_of(page), encoding="utf-8")


def page_of(page: Path) -> str:
    """A page with its links and pictures as the site has them, and what only the site has."""
    parts = _FENCE.split(page.read_text(encoding="utf-8"))
    text = "".join(part if part.startswith("```") else with_links(part, page) for part in parts)
    if page == DOCS / "README.md":
        return text + navigation(text)
    if page == EXAMPLES / "README.md":
        return text + toctree([name for name in NAMES.values() if name.startswith("example-")], "Examples")
    return text + sources(page.parent) if page.is_relative_to(EXAMPLES) else text


def with_links(text: str, page: Path) -> str:
    """Links lead to pages of the site; a picture with a dark form becomes two, of which the theme shows one."""
    pictures = _PICTURE.sub(r"![\3](\2){.only-light} ![\3](\1){.only-dark}", text)
    return _LINK.sub(lambda match: _target(page.parent / match[1]), pictures)


def _target(path: Path) -> str:
    path = Path(os.path.normpath(path))
    if path.is_dir():
        path /= "README.md"
    return f"{NAMES[path]}.md" if path in NAMES else os.path.relpath(path, DOCS)


def navigation(index: str) -> str:
    """What stands beside each page: the chapters of the index, and the pages in their tables."""
    chapters = [chapter.partition("\n") for chapter in index.split("\n## ")[1:]]
    return "".join(toctree([f"{title} <{name}>" for title, name in _LISTED.findall(table)], caption)
                   for caption, _, table in chapters)


def toctree(pages: list[str], caption: str) -> str:
    """A part of the navigation."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def sources(folder: Path) -> str:
    """The files of an example, one after the other."""
    files = [file for file in sorted(folder.rglob("*"))
             if file.suffix in SHOWN and file.stat().st_size and "migrations" not in file.parts]
    return "".join(f"\n## {file.relative_to(folder)}\n\n````{SHOWN[file.suffix]}\n{file.read_text('utf-8')}````\n"
                   for file in files)


def build(source: Path, output: Path) -> int:
    """Build the site; 0 if nothing is wrong."""
    app = Sphinx(source, None, output, source / ".doctrees", "html", OPTIONS, status=None, warningiserror=True)
    app.build()
    return app.statuscode


def main() -> int:
    """Build the site anew: a page that has not changed would not warn again of a broken link."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="hotshoe-docs-") as folder:
        write_source(Path(folder))
        status = build(Path(folder), OUTPUT)
    if status == 0:
        print(OUTPUT / "index.html")
    return status


if __name__ == "__main__":
    sys.exit(main())

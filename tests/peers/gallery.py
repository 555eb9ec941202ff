"""Panel's notebooks and how-to pages, from a checkout, on `panel serve` and on hotshoe: what runs there must run here.

    python -m tests.peers.gallery FOLDER [NAME...]

FOLDER holds a checkout of Panel, as `panel`; a NAME is a notebook (Button.ipynb), a page (async.md) or a folder
(widgets). A page runs as a notebook of its texts and its code. One process of each server has some notebooks. Chromium,
without a network, looks at each, clicks its first button and drags its first slider. Notebooks that need the network or
a library that is not installed fail on both servers alike.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from tests.peers.visit import Patches, without_ids
from tests.support.browser.chromium import FLAGS
from tests.support.browser.chromium import program as browser_program
from tests.support.browser.tab import IN_PAGE, Tab
from tests.support.server_process import ServerProcess, start, wait_until_started

NOTEBOOKS = "panel/examples/reference"
PAGES = "panel/doc/how_to"
STOCK, OURS = "panel serve", "hotshoe serve"
OPEN_TIMEOUT_MS, DRAWN_TIMEOUT_MS = 60_000, 60_000
QUIET_MS, MOST_QUIET_CHECKS = 400, 8
"""A page has settled once its texts are the same for a while."""
PART = 30
"""Notebooks of one process."""
LOOKS = 2
"""What is not the same is looked at again: texts that come late, or with the time, differ by chance."""

IDLE_MS = 15_000
"""A document that is not drawn by then waits for the network, or is that of an app that has failed."""

_DRAWN = f"""documents().length > 0 && (performance.now() > {IDLE_MS}
|| documents().every((doc) => doc.roots().length > 0 && doc.is_idle))"""
_TEXTS = """
(() => {
  const texts = [], views = new Map()
  // `panel serve` makes a column without anything in it for each cell that shows nothing.
  const is_empty = (kind, node) => kind.endsWith("Column") && !node.shadowRoot.querySelector("[class*=bk-]")
  const walk = (node) => {
    if (node.nodeType == Node.TEXT_NODE) {
      const text = node.textContent.trim().replace(/\\s+/g, " ")
      if (text) texts.push(text)
      return
    }
    if (["STYLE", "SCRIPT", "LINK", "NOSCRIPT", "TEMPLATE"].includes(node.nodeName)) return
    if (node.shadowRoot) {
      const kind = [...node.classList].find((name) => name.startsWith("bk-"))
      if (kind && !is_empty(kind, node)) views.set(kind, (views.get(kind) ?? 0) + 1)
      node.shadowRoot.childNodes.forEach(walk)
    }
    node.childNodes.forEach(walk)
  }
  walk(document.body)
  return {texts, views: Object.fromEntries(views)}
})()
"""
_VOLATILE = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\bp\d{3,}\b|\d{1,2}:\d\d(:\d\d)?|\d+\.\d+|"
                       r"\b\d{6,}\b|\b[0-9A-F]{32}: .*|bokeh_app_\w+|:\d{4,5}/")

_BLOCK = re.compile(r"^( *)(`{3,})(.*)\n((?:.*\n)*?) *\2`* *$", re.MULTILINE)
_CODE = {"python", "{pyodide}", "{code-block} python"}
_ELSEWHERE = re.compile(r"\bpn\.serve\(|\.show\(|\.run\(|\binput\(|_server\(")
"""Code that starts a server of its own, or is for a terminal."""


def as_notebook(page: str) -> dict[str, Any] | None:
    """A page of Markdown as a notebook: texts, and the blocks of Python. ``None`` if it has none that can run."""
    cells: list[dict[str, Any]] = []
    place = 0
    for block in _BLOCK.finditer(page):
        code = dedent(block[4])
        if block[3].strip() in _CODE and _runs(code):
            cells += [_cell("markdown", page[place:block.start()]), _cell("code", code)]
            place = block.end()
    if not cells:
        return None
    return {"cells": [*cells, _cell("markdown", page[place:])], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _runs(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return not _ELSEWHERE.search(code)


def _cell(kind: str, source: str) -> dict[str, Any]:
    outputs: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"id": uuid4().hex[:8], "cell_type": kind, "metadata": {}, "source": source, **outputs}


@dataclass
class Seen:
    """What a browser saw of a notebook."""

    status: int = 0
    drawn: bool = False
    problems: list[str] = field(default_factory=list)
    strangers: int = 0
    texts: list[str] = field(default_factory=list)
    views: dict[str, int] = field(default_factory=dict)
    clicked: list[str] = field(default_factory=list)
    """Which of click and drag were possible, and the new texts after both."""
    received: int = 0
    sent: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        return self.status == 200 and self.drawn

    @property
    def summary(self) -> str:
        if not self.status:
            return "no answer"
        if not self.runs:
            return f"HTTP {self.status}, {'drawn' if self.drawn else 'empty'}"
        return f"{sum(self.views.values())} views, {len(self.problems)} problems, {self.received} in, {self.sent} out"


class Look:
    """One look at a notebook: opens its page; the log of the server is part of what was seen."""

    def __init__(self, file: Path, server: ServerProcess, context: BrowserContext) -> None:
        self._server, self._log_before = server, len(server.log)
        self._tab = Tab(context)
        self._patches = Patches(self._tab.page)
        self._statuses: list[int] = []
        self._tab.page.on("response", lambda answer: _note(answer, self._tab.page, self._statuses))
        self._failure = ""
        try:
            self._tab.page.goto(server.urls[file.stem], wait_until="commit", timeout=OPEN_TIMEOUT_MS)
        except PlaywrightError as error:
            self._failure = _first_line(error)

    def finish(self) -> Seen:
        """Wait until the page has settled, click, drag, and close it."""
        seen = Seen()
        try:
            # 202 is a page that waits for the app, and then asks again.
            if self._statuses and self._statuses[-1] < 300:
                _use(self._tab, seen)
        except PlaywrightError as error:
            self._failure = _first_line(error)
        finally:
            self._tab.page.close()
        seen.status = self._statuses[-1] if self._statuses else 0
        seen.problems = sorted({_first_words(problem) for problem in self._tab.problems})
        seen.problems += [f"browser: {self._failure}"] * bool(self._failure)
        seen.strangers = len(self._tab.strangers)
        seen.received, seen.sent = self._patches.received, self._patches.sent
        seen.log = [line[:300] for line in self._server.log[self._log_before:].splitlines()
                    if re.match(r"[\w.]*(Error|Exception)\b|.*\bERROR\b", line)]
        return seen


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:80]


def _first_words(problem: str) -> str:
    """The problem without its traceback, and without what differs from run to run."""
    return _VOLATILE.sub("#", without_ids(problem.splitlines()[0]))


def _note(answer: Response, page: Page, statuses: list[int]) -> None:
    if answer.request.is_navigation_request() and answer.frame == page.main_frame:
        statuses.append(answer.status)


def _use(tab: Tab, seen: Seen) -> None:
    with suppress(PlaywrightError):
        tab.page.wait_for_function(f"() => {{ {IN_PAGE} return ({_DRAWN}) }}", timeout=DRAWN_TIMEOUT_MS)
    seen.drawn = bool(tab.ask("documents().some((doc) => doc.roots().length > 0)"))
    seen.texts, seen.views = _settled(tab)
    seen.drawn = seen.drawn or bool(seen.views)
    for what, action in (("click", _click), ("drag", _drag)):
        try:
            if action(tab):
                seen.clicked.append(what)
        except PlaywrightError as error:
            seen.clicked.append(f"{what}: {_first_line(error)}")
    if seen.clicked:
        texts, _ = _settled(tab)
        seen.clicked += sorted(Counter(texts) - Counter(seen.texts))


def _settled(tab: Tab) -> tuple[list[str], dict[str, int]]:
    last: Any = None
    for _ in range(MOST_QUIET_CHECKS):
        tab.page.wait_for_timeout(QUIET_MS)
        now = tab.page.evaluate(_TEXTS)
        if now == last:
            break
        last = now
    return [_VOLATILE.sub("#", text) for text in last["texts"]], last["views"]


def _click(tab: Tab) -> bool:
    buttons = tab.page.locator(".bk-Button button:visible, button.bk-btn:visible")
    if not buttons.count():
        return False
    buttons.first.click(timeout=3000, no_wait_after=True)
    return True


def _drag(tab: Tab) -> bool:
    handles = tab.page.locator(".noUi-handle:visible")
    if not handles.count():
        return False
    tab.drag(handles.first, 60)
    return True


def differences(stock: Seen, ours: Seen) -> Iterator[str]:
    """In what hotshoe shows something else than `panel serve`."""
    if stock.log and ours.status == 500:
        yield f"its code fails: {stock.summary} | an error page; {stock.log[-1][:90]}"
        return
    if (stock.status, stock.drawn) != (ours.status, ours.drawn):
        yield f"{'drawn only here' if ours.runs else 'status'}: {stock.summary} | {ours.summary}"
        return
    yield from (f"only here: {problem}" for problem in ours.problems if problem not in stock.problems)
    yield from (f"only there: {problem}" for problem in stock.problems if problem not in ours.problems)
    if stock.views != ours.views:
        kinds = sorted({*stock.views, *ours.views})
        changed = [f"{kind} {stock.views.get(kind, 0)}→{ours.views.get(kind, 0)}" for kind in kinds
                   if stock.views.get(kind) != ours.views.get(kind)]
        yield f"views: {', '.join(changed)}"
    if ours.strangers > stock.strangers:
        yield f"only here: {ours.strangers} requests to other machines, {stock.strangers} there"
    for what, mine, other in (("texts", ours.texts, stock.texts), ("after use", ours.clicked, stock.clicked)):
        less, more = Counter(other) - Counter(mine), Counter(mine) - Counter(other)
        if less or more:
            yield f"{what}: only there {_some(less)}, only here {_some(more)}"
    if bool(stock.sent) != bool(ours.sent) or bool(stock.received) != bool(ours.received):
        yield f"patches: {stock.received} in, {stock.sent} out | {ours.received} in, {ours.sent} out"


def _some(texts: Counter[str]) -> str:
    return str([text[:60] for text in list(texts)[:4]])


Served = tuple[ServerProcess, BrowserContext]


class NotStarted(Exception):
    """The server has ended, or serves nothing."""

    def __init__(self, log: str) -> None:
        super().__init__(log[-200:])
        self.log = log


@contextmanager
def _serving(files: list[Path], program: str, browser: Browser) -> Iterator[Served]:
    """A server of these, and a context of the browser, which keeps the server's files from page to page."""
    with tempfile.TemporaryDirectory() as folder:
        server = start([str(file) for file in files], (), Path(folder) / "log", program)
        try:
            try:
                wait_until_started(server, len(files))
            except AssertionError as error:
                raise NotStarted(server.log) from error
            context = browser.new_context(viewport={"width": 1100, "height": 900})
            yield server, context
            context.close()
        finally:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(15)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


def main() -> int:
    """Look at all, print a table of differences; 1 if there are any problems that only hotshoe has."""
    parser = argparse.ArgumentParser(prog="make peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the checkout of Panel")
    parser.add_argument("names", nargs="*", help="some notebooks or folders, say Button.ipynb (default: all)")
    parser.add_argument("--json", type=Path, help="write all that was seen into this file, one line each")
    arguments = parser.parse_args()
    worse = 0
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        files = [*_chosen(arguments.folder / NOTEBOOKS, ".ipynb", arguments.names),
                 *_made(_chosen(arguments.folder / PAGES, ".md", arguments.names), Path(made))]
        if not files:
            parser.error(f"no such notebooks in {arguments.folder}: give the folder that holds a checkout of Panel")
        browser = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
        for part in parts(files):
            for file, stock, ours in _looks(part, browser):
                worse += _report(file, stock, ours, arguments.json)
        browser.close()
    print(f"{len(files)} notebooks and pages, {worse} with problems that only hotshoe has")
    return 1 if worse else 0


def _chosen(root: Path, suffix: str, names: list[str]) -> list[Path]:
    return sorted(path for path in root.rglob(f"*{suffix}")
                  if not names or {path.name, path.parent.name} & set(names))


def _made(pages: list[Path], folder: Path) -> Iterator[Path]:
    for page in pages:
        if (notebook := as_notebook(page.read_text(encoding="utf-8"))) is not None:
            made = folder / page.parent.name / f"{page.stem}.ipynb"
            made.parent.mkdir(exist_ok=True)
            made.write_text(json.dumps(notebook), encoding="utf-8")
            yield made


def parts(files: list[Path]) -> Iterator[list[Path]]:
    """The notebooks in parts, each for one process. Two notebooks of one name would have one URL: not in one part."""
    part: list[Path] = []
    for file in files:
        if len(part) == PART or file.stem in {other.stem for other in part}:
            yield part
            part = []
        part.append(file)
    if part:
        yield part


def _looks(files: list[Path], browser: Browser) -> Iterator[tuple[Path, Seen, Seen]]:
    """What was seen of each. A notebook with which a server does not start is served alone."""
    try:
        with _serving(files, STOCK, browser) as stock, _serving(files, OURS, browser) as ours:
            for file in files:
                yield file, *_compared(file, stock, ours)
    except NotStarted as error:
        alone = [file for file in files if len(files) == 1 or str(file) in error.log] or files[:1]
        for file in alone:
            yield file, _look_alone(file, STOCK, browser), _look_alone(file, OURS, browser)
        if rest := [file for file in files if file not in alone]:
            yield from _looks(rest, browser)


def _look_alone(file: Path, program: str, browser: Browser) -> Seen:
    try:
        with _serving([file], program, browser) as (server, context):
            return Look(file, server, context).finish()
    except NotStarted as error:
        return Seen(log=error.log.splitlines()[-1:])


def _compared(file: Path, stock: Served, ours: Served) -> tuple[Seen, Seen]:
    for _ in range(LOOKS):
        looks = Look(file, *stock), Look(file, *ours)
        seen = looks[0].finish(), looks[1].finish()
        if not seen[0].runs or not any(differences(*seen)):
            break
    return seen


def _report(file: Path, stock: Seen, ours: Seen, log: Path | None) -> bool:
    found = list(differences(stock, ours))
    print(f"{file.parent.name}/{file.stem:24} {stock.summary:44} {ours.summary}", flush=True)
    print("".join(f"    {what}\n" for what in found), end="", flush=True)
    if log is not None:
        with log.open("a") as lines:
            print(json.dumps({"file": str(file), "stock": asdict(stock), "ours": asdict(ours)}), file=lines)
    return any(what.startswith(("only here", "status")) for what in found)


if __name__ == "__main__":
    sys.exit(main())

"""What a browser sees of an app that a server serves: drawn or not, what goes wrong, how much it talks."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, WebSocket
from playwright.sync_api import Error as PlaywrightError
from tests.support.browser.tab import Tab
from tests.support.server_process import ServerProcess, start, wait_until_started

WATCH_MS = 1500
"""How long a page is watched, first untouched, then after its widgets were moved."""
STOP_TIMEOUT_S = 20

_PATCH = re.compile(r'"msgtype":\s*"PATCH-DOC"')
_MISTAKE = re.compile(r"^(?:[\w.]*(?:Error|Exception)\b.*|error .*)$", re.MULTILINE)
_IDLE = "documents().length > 0 && documents().every((doc) => doc.roots().length > 0 && doc.is_idle)"
_MOVE_WIDGETS = """
let left = 8
for (const widget of documents().flatMap((doc) => [...doc._all_models.values()])) {
  if (left == 0) break
  left -= 1
  switch (widget.type) {
    case "Slider": {
      const up = widget.value + widget.step
      widget.value = widget.value_throttled = up <= widget.end ? up : widget.value - widget.step
      break
    }
    case "Select": {
      const values = [...widget.options].map((option) => typeof option == "string" ? option : option[0])
      widget.value = values[(values.indexOf(widget.value) + 1) % values.length]
      break
    }
    case "CheckboxGroup": case "CheckboxButtonGroup":
      widget.active = widget.active.length > 1 ? widget.active.slice(1) : [...widget.labels.keys()]
      break
    case "RadioGroup": case "RadioButtonGroup":
      widget.active = ((widget.active ?? -1) + 1) % widget.labels.length
      break
    case "TextInput":
      widget.value = `${widget.value} `
      break
    default:
      left += 1
  }
}
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of it. A ``status`` of 0: asked for the page, the server ended; None: it ended before it served."""

    status: int | None = None
    drawn: bool = False
    problems: frozenset[str] = frozenset()
    """Console errors and failed requests, but for requests to other machines, of which there are none."""
    received: int = 0
    sent: int = 0
    """PATCH-DOC messages."""
    mistakes: tuple[str, ...] = ()
    """The lines of the log that name an exception."""
    exit_code: int = 0

    @property
    def runs(self) -> bool:
        return self.status == 200 and self.drawn

    def __str__(self) -> str:
        if self.status is None:
            return "does not start"
        if self.status == 0:
            return "server ends"
        if not self.runs:
            return "200, empty page" if self.status == 200 else f"HTTP {self.status}"
        wrong = len(self.problems) + len(self.mistakes)
        state = f"{wrong} error{'s' * (wrong > 1)}" if wrong else "ok"
        return f"{state}, {self.received} in, {self.sent} out"


def visit(app: Path, program: str, browser: Browser) -> Visit:
    """Serve one app, look at it, and stop the server."""
    with tempfile.TemporaryDirectory() as folder:
        server = start([str(app)], (), Path(folder) / "log", program)
        try:
            wait_until_started(server, 1)
        except AssertionError:
            _stop(server)
            return Visit(mistakes=_mistakes(server), exit_code=server.process.returncode)
        try:
            seen = _look(next(iter(server.urls.values())), browser)
        finally:
            _stop(server)
        status, drawn, problems, received, sent = seen
        return Visit(status, drawn, problems, received, sent, _mistakes(server), server.process.returncode)


def _look(url: str, browser: Browser) -> tuple[int, bool, frozenset[str], int, int]:
    context = browser.new_context()
    try:
        tab = Tab(context)
        patches = Patches(tab.page)
        status = _status(tab.page, url)
        drawn = status == 200 and _is_drawn(tab)
        if drawn:
            tab.page.wait_for_timeout(WATCH_MS)
            tab.do(_MOVE_WIDGETS)
            tab.page.wait_for_timeout(WATCH_MS)
        problems = frozenset() if status != 200 else frozenset(without_ids(problem) for problem in tab.problems)
        return status, drawn, problems, patches.received, patches.sent
    finally:
        context.close()


def _status(page: Page, url: str) -> int:
    try:
        answer = page.goto(url)
    except PlaywrightError:
        return 0
    assert answer is not None
    return answer.status


def _is_drawn(tab: Tab) -> bool:
    try:
        tab.wait(_IDLE)
    except PlaywrightError:
        return bool(tab.ask("documents().some((doc) => doc.roots().length > 0)"))
    return True


class Patches:
    """Counts the PATCH-DOC messages of a page's websocket."""

    def __init__(self, page: Page) -> None:
        self.received = self.sent = 0
        page.on("websocket", self._on_websocket)

    def _on_websocket(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._on_received)
        socket.on("framesent", self._on_sent)

    def _on_received(self, frame: str | bytes) -> None:
        self.received += _is_patch(frame)

    def _on_sent(self, frame: str | bytes) -> None:
        self.sent += _is_patch(frame)


def _is_patch(frame: str | bytes) -> bool:
    return isinstance(frame, str) and len(frame) < 300 and _PATCH.search(frame) is not None


def without_ids(problem: str) -> str:
    """The problem without what differs from run to run: ports, versions, places in a file."""
    return re.sub(r"\s*\(https?://[^)]*\)|:\d+", "", problem)


def _mistakes(server: ServerProcess) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_MISTAKE.findall(server.log)))


def _stop(server: ServerProcess) -> None:
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()

"""A browser's tab that remembers what goes wrong in it, and reaches into the Bokeh document that it shows."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Request, Response
from playwright.sync_api import Error as PlaywrightError

TIMEOUT_MS = 60_000

IN_PAGE = """
const documents = () => window.Bokeh?.documents ?? [];
const models = (type) => documents().flatMap((doc) => [...doc._all_models.values()]).filter((m) => m.type == type);
const model = (type) => models(type)[0];
const named = (name) => documents().map((doc) => doc.get_model_by_name(name)).find((m) => m);
const column = (name) =>
  models("ColumnDataSource").map((source) => source.get_column(name)).find((values) => values != null);
"""
"""What scripts of the tests may use: ``model("Slider").value``, ``column("x").length``."""


class Tab:
    """One page of one browser context.

    ``problems`` are console errors, uncaught exceptions, failed requests and answers from 400 on. ``strangers`` are
    the addresses on other machines that the page has asked for; there is no network, so those requests fail.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.problems: list[str] = []
        self.strangers: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("requestfailed", self._on_failure)
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _is_stranger(message.location["url"]):
            self.problems.append(f"console: {message.text} ({message.location['url']})")

    def _on_failure(self, request: Request) -> None:
        if _is_stranger(request.url):
            self.strangers.append(request.url)
        else:
            self.problems.append(f"failed: {request.url} ({request.failure})")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def open(self, url: str) -> None:
        """Goes to a page and waits until its Bokeh document is drawn."""
        self.page.goto(url)
        self.wait_until_drawn()

    def wait_until_drawn(self) -> None:
        self.wait("documents().length > 0 && documents().every((doc) => doc.is_idle)")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        self.page.wait_for_function(f"() => {{ {IN_PAGE} return ({condition}) }}", timeout=TIMEOUT_MS)

    def wait_here(self, condition: Callable[[], object]) -> None:
        """Waits until a condition holds in this process, while the browser's events come in."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            self.page.wait_for_timeout(20)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.page.evaluate(f"() => {{ {IN_PAGE} return ({expression}) }}")

    def do(self, statement: str) -> None:
        self.page.evaluate(f"() => {{ {IN_PAGE} {statement} }}")

    def wait_for_text(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def loaded(self, name: str) -> bool:
        """Whether the page has loaded a file whose address contains ``name``."""
        urls: list[str] = self.ask("performance.getEntriesByType('resource').map((entry) => entry.name)")
        return any(name in url for url in urls)

    def figure(self, number: int = 0) -> Locator:
        return self.page.locator(".bk-Figure").nth(number)

    def assert_painted(self, number: int = 0) -> None:
        """The figure soon has ink: many colours, on more than a sliver of it."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while not self._is_painted(number):
            assert time.monotonic() < deadline, "an empty figure"

    def _is_painted(self, number: int) -> bool:
        try:
            picture = Image.open(io.BytesIO(self.figure(number).screenshot())).convert("RGB")
        except PlaywrightError:  # the app has just replaced it
            return False
        pixels = picture.width * picture.height
        colours = picture.getcolors(pixels) or []
        return len(colours) > 20 and max(count for count, _ in colours) < 0.99 * pixels

    def drag(self, start: Locator, dx: float, dy: float = 0) -> None:
        """Drags the middle of an element with the mouse."""
        start.scroll_into_view_if_needed()
        box = start.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.draw([(x, y), (x + dx, y + dy)])

    def draw(self, points: list[tuple[float, float]]) -> None:
        """Moves the mouse along points of the viewport with its button held down."""
        mouse = self.page.mouse
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point, steps=6)
        mouse.up()


@contextmanager
def tabs(browser: Browser, *, ignore_https_errors: bool = False) -> Iterator[Callable[[], Tab]]:
    """Makes tabs of one browser context; at the end none of them may have had a problem or left the machine."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, ignore_https_errors=ignore_https_errors)
    made: list[Tab] = []

    def make() -> Tab:
        made.append(Tab(context))
        return made[-1]

    yield make
    problems = [problem for tab in made for problem in tab.problems + tab.strangers]
    context.close()
    assert not problems, problems


def _is_stranger(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and parts.hostname not in {"localhost", "127.0.0.1", "::1"}

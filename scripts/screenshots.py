"""Take the pictures of the gallery: thumbnails of the examples, and the screenshots that the docs show.

Needs Chromium. Run it with the Python of an environment that `scripts/setup` has made, then commit what changed.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
IMAGES = ROOT / "docs" / "images"
HOTSHOE = str(Path(sys.executable).parent / "hotshoe")
THUMBNAIL = (640, 400)
RATIO = THUMBNAIL[0] / THUMBNAIL[1]
WHOLE = {"weather", "selections"}
"""Apps of which the thumbnail shows the page; of the others it shows the plot."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
Scheme = Literal["light", "dark"]
SCHEMES: dict[Scheme, str] = {"light": "", "dark": "-dark"}
"""The colours of screenshots, and the ends of their names."""
DRAWN = "() => window.Bokeh?.documents?.length > 0 && Bokeh.documents.every((doc) => doc.is_idle)"


def apps() -> list[Path]:
    """The examples, as `scripts/demo` serves them."""
    return sorted(
        path for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"} or (path / "main.py").exists()
    )


@contextmanager
def server(*flags: str) -> Iterator[str]:
    """The examples on a free port; the address of the index."""
    command = [HOTSHOE, "serve", *map(str, apps()), "--port", "0", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"Bokeh app running at: (http://[^/]+/)", line):
                    yield found[1]
                    return
            raise SystemExit("the server did not start")
        finally:
            process.terminate()


def compute(page: Page) -> None:
    page.get_by_role("button", name="Compute").click()
    page.get_by_text("resamples:").wait_for()
    page.wait_for_timeout(1200)


def ask_services(page: Page) -> None:
    page.get_by_role("button", name="Ask all").click()
    page.wait_for_timeout(1300)


def wait_longer(page: Page) -> None:
    page.wait_for_timeout(12_000)


def quake(page: Page) -> None:
    page.wait_for_timeout(8000)
    page.get_by_role("button", name="Earthquake").click()
    page.wait_for_timeout(4000)


def select(page: Page) -> None:
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 30)
    page.mouse.down()
    for x, y in ((0.7, 0.1), (0.7, 0.55), (0.25, 0.55)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)


ACTIONS: dict[str, Callable[[Page], None]] = {
    "bootstrap": compute,
    "reaction": wait_longer,
    "seismograph": quake,
    "selections": select,
    "services": ask_services,
}


def open_app(browser: Browser, url: str, size: tuple[int, int], *, act: bool = True) -> Page:
    """The app, drawn and, if it is to act, set in motion."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(url)
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(1000)
    if act and (action := ACTIONS.get(url.rpartition("/")[2])):
        action(page)
    return page


def plot_of(browser: Browser, url: str) -> bytes:
    """The app's first plot, in a window so wide that it has the shape of a thumbnail."""
    page = open_app(browser, url, (960, 800), act=False)
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    page = open_app(browser, url, (round(box["height"] * RATIO + 960 - box["width"]), 800))
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    width, height = min(box["width"], box["height"] * RATIO), min(box["height"], box["width"] / RATIO)
    left, top = box["x"] + (box["width"] - width) / 2, box["y"] + (box["height"] - height) / 2
    return page.screenshot(clip={"x": left, "y": top, "width": width, "height": height})


def save_thumbnail(png: bytes, app: Path) -> None:
    """A WebP of at most 25 KB beside the app, where the index looks for it."""
    place = app / "thumbnail.webp" if app.is_dir() else app.parent / "thumbnails" / f"{app.stem}.webp"
    place.parent.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB").resize(THUMBNAIL, Image.Resampling.LANCZOS)
    for quality in range(88, 20, -8):
        picture.save(place, quality=quality, method=6)
        if place.stat().st_size <= 25_000:
            return


def save_screenshot(page: Page, name: str) -> None:
    """A PNG of 160 colours in docs/images."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(160, kmeans=4, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def gallery(browser: Browser, root: str, scheme: Scheme) -> Page:
    """The index, with all its thumbnails loaded."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1160, "height": 1000})
    page.goto(root)
    for picture in page.locator(".card img").all():
        picture.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("[...document.images].every((picture) => picture.complete)")
    page.wait_for_timeout(300)
    return page


def save_login(browser: Browser) -> None:
    """The login page, on the way to an app."""
    with tempfile.TemporaryDirectory() as folder:
        users = f"{folder}/users"
        subprocess.run([HOTSHOE, "user", "add", "alice", "--password-stdin", "--users-file", users], check=True,
                       input="correct horse battery staple\n", text=True, stdout=subprocess.DEVNULL)
        with server("--auth", "basic", "--users-file", users) as root:
            for scheme, name in SCHEMES.items():
                page = browser.new_page(color_scheme=scheme, viewport={"width": 860, "height": 560})
                page.goto(f"{root}weather")
                page.locator("input[autocomplete=username]").fill("alice")
                page.wait_for_timeout(300)
                save_screenshot(page, f"login{name}")


def main() -> None:
    """Thumbnails first (of the apps that are named, or all): the screenshot of the gallery shows them."""
    wanted = set(sys.argv[1:])
    IMAGES.mkdir(parents=True, exist_ok=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with server("--show-source") as root:
            for app in apps():
                if wanted and app.stem not in wanted:
                    continue
                url = root + app.stem
                png = open_app(browser, url, (960, 600)).screenshot() if app.stem in WHOLE else plot_of(browser, url)
                save_thumbnail(png, app)
        with server("--show-source") as root:  # it looks for thumbnails when it starts
            for scheme, name in SCHEMES.items():
                save_screenshot(gallery(browser, root, scheme), f"gallery{name}")
        save_login(browser)
        browser.close()


if __name__ == "__main__":
    main()

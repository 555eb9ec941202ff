"""Bokeh's own example apps, from a checkout, on `bokeh serve` and on hotshoe: what runs there must run here.

    python -m tests.peers FOLDER [NAME...]

FOLDER holds a checkout of bokeh, as `bokeh`. Both servers serve each app by themselves; Chromium, without a network,
looks at it and moves its widgets. The examples are those of another version of bokeh and some need the network, so that
not all run in stock; those must end well here: with an error page, or one line at the start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.peers.visit import Visit, visit
from tests.support.browser.chromium import FLAGS, program

APPS = "bokeh/examples/server/app"
STOCK, OURS = "bokeh serve", "hotshoe serve"


def examples(folder: Path) -> list[Path]:
    """The apps in a folder: scripts, and directories with a main.py or one script."""
    found = (path for path in sorted(folder.iterdir()) if not path.name.startswith("_"))
    return [path if path.suffix == ".py" or (path / "main.py").exists() else path / "app.py"
            for path in found if path.suffix == ".py" or path.is_dir()]


def name_of(app: Path) -> str:
    """The name of an example, as bokeh's documentation has it."""
    return app.parent.name if app.name == "app.py" else app.name


def shortcomings(stock: Visit, ours: Visit) -> Iterator[str]:
    """In what hotshoe does worse than stock."""
    if ours.status is None:
        if stock.status is not None and stock.runs:
            yield "hotshoe does not start"
        elif ours.exit_code != 1:
            yield f"a start that fails ends with {ours.exit_code}"
        return
    if ours.exit_code != 0:
        yield f"stopping ends with {ours.exit_code}"
    if not ours.runs:
        if stock.runs:
            yield f"stock draws it, hotshoe has: {ours}"
        elif ours.status != 500:
            yield f"an app that fails has {ours} instead of an error page"
        return
    if not stock.runs:
        return
    yield from (f"only here: {problem}" for problem in sorted(ours.problems - stock.problems))
    if not stock.mistakes:
        yield from (f"only in this log: {mistake}" for mistake in ours.mistakes)
    if stock.received and not ours.received:
        yield "no patches from the server"
    if stock.sent and not ours.sent:
        yield "no patches from the page"


def main() -> int:
    """Visit all; 1 if hotshoe is worse anywhere."""
    parser = argparse.ArgumentParser(prog="make peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the checkout of bokeh")
    parser.add_argument("names", nargs="*", help="some of the examples, say sliders.py (default: all)")
    arguments = parser.parse_args()
    apps = arguments.folder / APPS
    if not apps.is_dir():
        parser.error(f"{apps} is no directory: give the folder that holds a checkout of bokeh")
    chosen = [app for app in examples(apps) if not arguments.names or name_of(app) in arguments.names]
    worse = 0
    print(f"{'example':26} {'bokeh serve':32} hotshoe serve", flush=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        for app in chosen:
            stock, ours = visit(app, STOCK, browser), visit(app, OURS, browser)
            found = list(shortcomings(stock, ours))
            worse += bool(found)
            print(f"{name_of(app):26} {stock!s:32} {ours}", flush=True)
            print("".join(f"    WORSE: {what}\n" for what in found), end="")
            for mistake in dict.fromkeys([*stock.mistakes, *ours.mistakes]):
                print(f"    log: {mistake[:200]}")
        browser.close()
    print(f"{len(chosen)} examples, {worse} worse than stock")
    return 1 if worse or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

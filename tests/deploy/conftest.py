"""A certificate for localhost, Chromium that takes it, and apps that say which process they run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser.tab import Tab, tabs
from tests.support.certificates import Authority
from tests.support.deployed import Certificate


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[[], Tab]]:
    """Tabs that take the tests' certificate."""
    with tabs(chromium, ignore_https_errors=True) as make:
        yield make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of an authority of its own, with the names of this machine."""
    authority = Authority()
    return Certificate(authority.both(tmp_path_factory.mktemp("certificate")), authority.client)


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an app, ``dial.py``, and a site for it, ``shop.py``."""
    folder = tmp_path_factory.mktemp("apps")
    (folder / "dial.py").write_text(DIAL)
    (folder / "shop.py").write_text(SHOP)
    return folder


DIAL = """
import os
from pathlib import Path
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Div, Slider

with Path("built").open("a") as file:
    file.write(f"{os.getpid()}\\n")
request = curdoc().session_context.request
scheme = request.headers.get("X-Forwarded-Proto")
slider, text = Slider(start=0, end=10, value=1, title="dial"), Div(text="at 1")
slider.on_change("value", lambda attr, old, new: text.update(text=f"at {new} in {os.getpid()}"))
curdoc().add_root(column(slider, text, Div(text=f"by {scheme} from {request.remote_ip}")))
"""

SHOP = """
from flask import Flask, request, url_for
from hotshoe.embed import app_tag

app = Flask(__name__, static_folder=None)


@app.get("/")
def home():
    return f"<!doctype html><link rel=icon href='data:,'><h1>Shop</h1>{app_tag(request.script_root + '/dial')}"


@app.get("/static/logo.txt")
def logo():
    return "of the site"


@app.get("/favicon.ico")
def icon():
    return "", 204


@app.get("/where")
def where():
    return {"url": url_for("home", _external=True), "address": request.remote_addr}
"""

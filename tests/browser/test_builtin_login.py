"""Logging in with a password and at a provider: real servers, a real provider, Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.accounts import write_users
from tests.support.browser.tab import TIMEOUT_MS
from tests.support.nginx import nginx
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, PeerProcess, running
from tests.support.running_server import Server
from tests.support.server_thread import serve

from hotshoe.auth.accounts import Account
from hotshoe.auth.basic.passwords import hash_password
from hotshoe.cli.main import main

pytestmark = pytest.mark.real

PASSWORD = "correct horse"
APP = """
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div

context = curdoc().session_context
echo = Div(text=f"Hello {context.user.name} of {','.join(sorted(context.user.groups))}")
asked = Div(text=f"asked for {context.request.arguments}")
seen = (context.request.cookies, context.request.headers.get("Cookie"))
assert "hotshoe_" not in repr(seen), seen
button = Button(label="press")
button.on_click(lambda: echo.update(text=f"pressed by {context.user.email}"))
link = Div(text=f'<a href="{context.logout_url}">leave</a>')
curdoc().add_root(column(echo, asked, button, link))
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "hello.py"
    file.write_text(APP)
    return file


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=True)
    found = context.new_page()
    found.set_default_timeout(TIMEOUT_MS)
    yield found
    context.close()


@contextmanager
def with_users(app: Path, *flags: str) -> Iterator[Server]:
    file = app.parent / "users"
    write_users(file, Account("ada", hash_password(PASSWORD), "ada@example.org", frozenset({"staff"})))
    with serve(app, flags=("--auth", "basic", "--users-file", str(file), *flags)) as server:
        yield server


def fill_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def uses_app(page: Page) -> None:
    expect(page.get_by_text("asked for {'x': [b'1 2']}")).to_be_visible(timeout=TIMEOUT_MS)
    page.get_by_role("button", name="press").click()
    expect(page.get_by_text("pressed by ada@example.org")).to_be_visible(timeout=TIMEOUT_MS)


@pytest.mark.parametrize("flags", [(), ("--prefix", "/in/here")])
def test_a_password_leads_to_the_app(app: Path, page: Page, flags: tuple[str, ...]) -> None:
    """Also below a prefix, and below one that a proxy cuts off."""
    with with_users(app, *flags) as server, nginx(server.root, "/out") as outside:
        asked = f"{outside}hello?x=1%202"
        page.goto(asked)
        assert urlsplit(page.url).path == f"{urlsplit(outside).path}login"
        fill_in(page, "wrong password")
        expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
        fill_in(page)
        expect(page.get_by_text("Hello ada of staff")).to_be_visible(timeout=TIMEOUT_MS)
        assert page.url == asked
        uses_app(page)
        assert "A login as 'ada' from" in server.log
        assert PASSWORD not in server.log
        assert "wrong password" not in server.log


def test_the_login_page_needs_no_script(app: Path, chromium: Browser) -> None:
    with with_users(app) as server:
        context = chromium.new_context(java_script_enabled=False)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{server.root}hello")
        radius = page.evaluate("getComputedStyle(document.querySelector('main')).borderRadius")
        assert radius == "14px", "its style counts"
        fill_in(page)
        page.wait_for_url(re.compile("/hello$"))
        assert not said
        context.close()


def test_a_link_logs_out_all_tabs(app: Path, page: Page) -> None:
    with with_users(app) as server:
        page.goto(f"{server.root}hello?x=1%202")
        fill_in(page)
        uses_app(page)
        other = page.context.new_page()
        other.goto(f"{server.root}hello")
        expect(other.get_by_text("Hello ada")).to_be_visible(timeout=TIMEOUT_MS)
        other.get_by_role("link", name="leave").click()
        expect(other.get_by_text("You are logged out.")).to_be_visible(timeout=TIMEOUT_MS)
        expect(page.get_by_text("You are not logged in any more")).to_be_visible(timeout=TIMEOUT_MS)
        page.reload()
        assert urlsplit(page.url).path == "/login"
        other.close()


def test_who_is_removed_loses_their_tabs(app: Path, page: Page) -> None:
    with with_users(app) as server:
        page.goto(f"{server.root}hello?x=1%202")
        fill_in(page)
        uses_app(page)
        with ThreadPoolExecutor(1) as pool:  # on this thread, Playwright leaves an event loop running
            remove = pool.submit(main, ["user", "remove", "ada", "--users-file", str(app.parent / "users")])
        assert remove.result() == 0
        expect(page.get_by_text("You are not logged in any more")).to_be_visible(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def peer() -> Iterator[PeerProcess]:
    with running() as found:
        yield found


@contextmanager
def with_provider(app: Path, peer: PeerProcess, *flags: str) -> Iterator[Server]:
    secret = app.parent / "secret"
    secret.write_text(CLIENT_SECRET)
    given = ("--auth", "oidc", "--oidc-issuer", peer.url, "--oidc-client-id", CLIENT_ID, "--oidc-client-secret-file",
             str(secret), "--user-claim", "preferred_username", *flags)
    with serve(app, flags=given) as server:
        yield server


@pytest.mark.parametrize("prefix", ["", "/in/here"])
def test_a_provider_leads_to_the_app(app: Path, page: Page, peer: PeerProcess, prefix: str) -> None:
    with with_provider(app, peer, "--prefix", prefix, "--allow", "/hello=staff") as server:
        asked = f"{server.root}hello?x=1%202"
        page.goto(asked)
        assert page.url.startswith(f"{peer.url}/authorize?")
        page.get_by_label("User").fill("ada")
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_text("Hello ada of admins,staff")).to_be_visible(timeout=TIMEOUT_MS)
        assert page.url == asked
        uses_app(page)
        page.goto(f"{server.root}logout")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_text("Logged out at the provider")).to_be_visible(timeout=TIMEOUT_MS)
        page.goto(asked)
        assert page.url.startswith(f"{peer.url}/authorize?")
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_text("The login provider refused your login.")).to_be_visible(timeout=TIMEOUT_MS)
        page.get_by_role("link", name="Try again").click()
        assert page.url.startswith(f"{peer.url}/authorize?")
        assert not [secret for secret in (CLIENT_SECRET, *peer.seen()["made"]) if secret in server.log]


def test_two_tabs_log_in_at_once(app: Path, page: Page, peer: PeerProcess) -> None:
    with with_provider(app, peer) as server:
        pages = [page, page.context.new_page()]
        for number, each in enumerate(pages):
            each.goto(f"{server.root}hello?x={number}")
        for number, each in reversed(list(enumerate(pages))):
            each.get_by_label("User").fill("ada")
            each.get_by_role("button", name="Allow").click()
            expect(each.get_by_text(f"asked for {{'x': [b'{number}']}}")).to_be_visible(timeout=TIMEOUT_MS)


def test_who_is_in_no_group_is_told_so(app: Path, page: Page, peer: PeerProcess) -> None:
    with with_provider(app, peer, "--allow", "/hello=staff") as server:
        answers: list[int] = []
        page.on("response", lambda response: answers.append(response.status))
        page.goto(f"{server.root}hello")
        page.get_by_label("User").fill("eve")
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_text("You are logged in as eve. This user may not open this app.")).to_be_visible(
            timeout=TIMEOUT_MS)
        assert answers[-1] == 403

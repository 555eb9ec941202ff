"""The example site of Django under the servers that its README names: in Chromium, with a login, and a database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.browser.tab import Tab
from tests.support.examples import FOLDER, Site, run
from tests.support.needs import need_module
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

COMMANDS = {
    "runserver": "python -u manage.py runserver --nothreading 8000",
    "uvicorn": "uvicorn --port 8000 project.asgi:application",
    "gunicorn": "gunicorn -k uvicorn_worker.UvicornWorker -w 1 -b 127.0.0.1:8000 project.asgi",
    "hotshoe": "hotshoe serve --wsgi project.asgi:application --address 127.0.0.1 --port 8000",
}
_PREPARE = """
from django.core.management import call_command
import django
django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Group, User
User.objects.create_user("ada", password="secret").groups.add(Group.objects.create(name="writers"))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with its tables, and a user."""
    need_module("django")
    folder = tmp_path_factory.mktemp("django") / "site"
    shutil.copytree(FOLDER / "django", folder, ignore=shutil.ignore_patterns("__pycache__", "db.sqlite3"))
    subprocess.run([sys.executable, "-c", _PREPARE], cwd=folder, check=True, timeout=100,
                   env={**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"})
    return folder


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(project, tmp_path / "site"))


def connections(site: Site) -> int:
    """How many connections to the database the site's processes have open."""
    count = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.getpgid(int(process.name)) == site.process.pid:
                count += sum(str(file.readlink()).endswith("db.sqlite3") for file in (process / "fd").iterdir())
        except OSError:  # it has ended, or closed the file
            continue
    return count


def wait_for_text(tab: Tab, pattern: str) -> None:
    tab.page.get_by_text(re.compile(pattern)).first.wait_for()


@pytest.mark.parametrize("server", [name for name in COMMANDS if name != "runserver"])
def test_apps_with_a_database_and_a_login(server: str, folder: Path, tab: Tab) -> None:
    with run(COMMANDS[server], folder) as site:
        visit(site, tab)


def visit(site: Site, tab: Tab) -> None:
    """Use both apps, one after a login; no connection to the database stays open."""
    tab.open(f"{site.root}/")
    wait_for_text(tab, r"The guest book has 0 entries\.")
    for count in (1, 2):
        tab.page.get_by_role("button", name="Leave an entry").click()
        wait_for_text(tab, rf"The guest book has {count} entries\.")

    tab.page.goto(f"{site.root}/apps/welcome")
    assert tab.page.url == f"{site.root}/login/?next=/apps/welcome/"
    tab.page.get_by_label("Username").fill("ada")
    tab.page.get_by_label("Password").fill("secret")
    tab.page.get_by_role("button", name="Log in").click()
    wait_for_text(tab, r"Welcome, ada\. You are in: writers\.")
    tab.page.get_by_role("button", name="Count").click()
    wait_for_text(tab, r"ada, there are 2 entries\.")

    tab.open(f"{site.root}/")
    wait_for_text(tab, r"The guest book has 2 entries\.")
    wait_for_text(tab, r"Welcome, ada\.")

    wait_until(lambda: connections(site) == 0, 60, lambda: site.log)
    assert not re.search(r"\bERROR\b|Traceback|SynchronousOnly", site.log), site.log


def test_runserver(folder: Path, tab: Tab) -> None:
    with run(COMMANDS["runserver"], folder) as site:
        # Django says it once the server listens, so that an answer may be there before.
        starts = r"Starting .*development server at http://127\.0\.0\.1:\d+/"
        wait_until(lambda: re.search(starts, site.log) is not None, 60, lambda: site.log)
        assert "--primary" in site.get("/static/admin/css/base.css")
        wait_until(lambda: '"GET /static/admin/css/base.css HTTP/1.1" 200' in site.log, 60, lambda: site.log)
        visit(site, tab)
        tab.page.goto("about:blank")
        script, urls = folder / "guestbook/welcome.py", folder / "guestbook/urls.py"
        good = urls.read_text()
        change(site, script, script.read_text() + "\n# changed\n")
        change(site, urls, "def broken(:\n")
        wait_until(lambda: "SyntaxError" in site.log, 60, lambda: site.log)
        change(site, urls, good.replace("entries/", "all/"))
        wait_until(lambda: is_there(site, "/apps/all/"), 60, lambda: site.log)


def change(site: Site, file: Path, text: str) -> None:
    """Write a file until Django has seen it: what is written before it first looks, it does not see."""
    said = f"{file.name} changed, reloading"
    count = site.log.count(said)
    for _ in range(20):
        file.write_text(text)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if site.log.count(said) > count:
                return
            time.sleep(0.05)
    raise AssertionError(f"{file} was changed, and nothing happened:\n{site.log}")


def is_there(site: Site, path: str) -> bool:
    try:
        return "<title>" in site.get(path)
    except OSError:
        return False



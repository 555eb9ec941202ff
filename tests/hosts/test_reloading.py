"""Apps that are replaced while they are served."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import watchfiles
from bokeh.document import Document
from bokeh.models.widgets import Div
from tests.support.hosts import MakeHost, inline_of, join, page_of, until_changed
from tests.support.needs import need_module

from hotshoe.apps import App, Hooks, Request
from hotshoe.base.errors import BuildError, ConfigError, SessionGone
from hotshoe.config import Settings
from hotshoe.hosts import reloading
from hotshoe.hosts.host import AppsChanged, Event, Host, OpenRequest
from hotshoe.hosts.reloading import load_apps


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path) -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def make(make: MakeHost) -> MakeHost:
    """In dev mode; what is given as a mapping has no files to watch."""
    async def make_in_dev(apps: Any, **options: Any) -> Host:
        return await make(apps, reloads=not isinstance(apps, dict), **{"dev": True, **options})

    return make_in_dev


def app_of(text: str, hooks: Hooks | None = None) -> App:
    def build(document: Document) -> None:
        document.add_root(Div(text=text))

    return App(build, hooks=hooks or Hooks())


async def html(host: Host, session_id: str) -> str:
    await host.open(OpenRequest("/a", Request(), session_id))
    return await page_of(host, "/a", session_id)


async def texts(host: Host) -> list[str]:
    """What the first root of each live session says."""
    found: list[str] = []

    def ask(document: Document) -> None:
        root = document.roots[0]
        assert isinstance(root, Div)
        found.append(root.text)

    await inline_of(host).update("/a", ask)
    return found


async def soon(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_new_sessions_are_of_the_new_app_and_old_ones_end_unseen(make: MakeHost) -> None:
    ended: list[str] = []

    def hooks(name: str) -> Hooks:
        return Hooks(session_destroyed=lambda context: ended.append(f"{name} {context.id}"))

    host = await make({"/a": app_of("one", hooks("one"))})
    await host.open(OpenRequest("/a", Request(), "unseen"))
    await host.open(OpenRequest("/a", Request(), "seen"))
    attachment = await join(host, "/a", "seen")
    await inline_of(host)._served.replace("/a", app_of("two", hooks("two")))
    for session_id in ("seen", "unseen"):
        with pytest.raises(SessionGone):
            await page_of(host, "/a", session_id)
    await soon(lambda: ended == ["one unseen"])
    await host.open(OpenRequest("/a", Request(), "seen"))
    assert await texts(host) == ["two"]
    assert (await host.statistics()).sessions == {"/a": 1}
    attachment.detach()
    await host.stop()
    assert sorted(ended) == ["one seen", "one unseen", "two seen"]


async def test_a_session_that_is_built_meanwhile_is_not_found(make: MakeHost) -> None:
    gate = asyncio.Event()

    async def created(context: Any) -> None:
        await gate.wait()

    host = await make({"/a": app_of("one", Hooks(session_created=created))})
    opening = asyncio.create_task(host.open(OpenRequest("/a", Request(), "s")))
    await asyncio.sleep(0.05)
    await inline_of(host)._served.replace("/a", app_of("two"))
    gate.set()
    await opening
    with pytest.raises(SessionGone):
        await page_of(host, "/a", "s")


async def test_the_front_is_told_which_app_has_another_version(make: MakeHost) -> None:
    host = await make({"/a": app_of("one"), "/b": app_of("one")})
    before, events = host.apps, list[Event]()
    host.listen(events.append)
    await inline_of(host)._served.replace("/a", None)
    await soon(lambda: events)
    assert events == [AppsChanged(host.apps)]
    assert host.apps is not before
    assert host.apps["/a"].version != before["/a"].version
    assert host.apps["/b"] == before["/b"]


async def test_the_hooks_of_the_servers_life_run_only_if_they_are_others(make: MakeHost) -> None:
    ran: list[str] = []

    def hooks(name: str) -> Hooks:
        return Hooks(lambda context: ran.append(f"+{name}"), lambda context: ran.append(f"-{name}"))

    first = app_of("one", hooks("one"))
    host = await make({"/a": first})
    await inline_of(host)._served.replace("/a", replace(app_of("two"), hooks=first.hooks))
    assert ran == ["+one"]
    await inline_of(host)._served.replace("/a", app_of("three", hooks("three")))
    assert ran == ["+one", "-one", "+three"]
    await host.stop()
    assert ran == ["+one", "-one", "+three", "-three"]


async def test_a_load_hook_that_fails_breaks_its_app_only(make: MakeHost) -> None:
    def loaded(context: Any) -> None:
        number = 0
        1 / number

    host = await make({"/a": app_of("one", Hooks(server_loaded=loaded)), "/b": app_of("b")})
    with pytest.raises(BuildError) as caught:
        await html(host, "s")
    assert caught.value.report is not None
    failure = caught.value.report.failures[0]
    assert failure.kind == "ZeroDivisionError"
    assert ("number", "0") in failure.frames[-1].variables
    await host.open(OpenRequest("/b", Request(), "s"))
    await inline_of(host)._served.replace("/a", app_of("two"))
    assert "hotshoe-dev" in await html(host, "s")


async def test_nothing_leaks_in_production(make: MakeHost) -> None:
    def build(document: Document) -> None:
        raise ValueError("secret")

    host = await make({"/a": App(build), "/b": app_of("b")}, dev=False)
    with pytest.raises(BuildError) as caught:
        await html(host, "s")
    assert caught.value.report is None
    assert host.apps["/a"].version == ""
    await host.open(OpenRequest("/b", Request(), "s"))
    assert "hotshoe-dev" not in await page_of(host, "/b", "s")


SCRIPT = "from bokeh.io import curdoc\nfrom bokeh.models import Div\nimport {0}\n" \
         "curdoc().add_root(Div(text={0}.text))\n"


async def test_files_are_watched_and_reloads_said_in_a_line(
    make: MakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    need_module("watchfiles")
    caplog.set_level(logging.INFO, "hotshoe.dev")
    script, helper = tmp_path / "a.py", tmp_path / "mod_watched.py"
    script.write_text(SCRIPT.format("mod_watched"))
    helper.write_text("text = 'one'\n")
    host = await make(str(script))
    await host.open(OpenRequest("/a", Request(), "s"))
    for content, said in (("text = 'two'\n", "reloaded /a: mod_watched.py changed ("), ("if:\n", "/a is broken: "),
                          ("text = 'three'\n", "reloaded /a: ")):
        caplog.clear()
        version = host.apps["/a"].version
        helper.write_text(content)
        await until_changed(host, "/a", version)
        await soon(lambda: caplog.records)
        assert caplog.records[0].message.startswith(said)
        assert "\n" not in caplog.records[0].message
    await host.open(OpenRequest("/a", Request(), "t"))
    assert await texts(host) == ["three"]


async def test_files_that_change_without_end_are_not_loaded_without_end(
    make: MakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a session writes beside its app: each reload makes a page reload, which makes a session."""
    monkeypatch.setattr(reloading, "RELOADS_IN_S", 3600.0)
    caplog.set_level(logging.INFO)
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("")
    await make([folder])
    number = 0

    def write_again() -> bool:
        nonlocal number
        number += 1
        (folder / "report.html").write_text(str(number))
        return any("let it write to another folder" in message for message in caplog.messages)

    async with asyncio.timeout(60):
        while not write_again():
            await asyncio.sleep(0.05)
    lines = [message for message in caplog.messages if message.startswith("reloaded")]
    assert len(lines) == reloading.RELOADS_MOST


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
async def test_folders_with_links_in_a_circle_and_pipes(make: MakeHost, tmp_path: Path,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is opened or walked for ever."""
    caplog.set_level(logging.INFO)
    folder = tmp_path / "app"
    (folder / "below").mkdir(parents=True)
    (folder / "main.py").write_text("")
    (folder / "broken.py").write_text("import (")
    links = {"up": "..", "self": "self", "one": "other", "other": "one", "below/down": "../below"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.yaml")
    await make([folder])
    (folder / "x.html").write_text("x")
    await soon(lambda: any("x.html changed" in message for message in caplog.messages))


@pytest.mark.parametrize("error", [OSError("no more watches"), RuntimeError("inside"), FileNotFoundError("gone")])
async def test_without_events_files_are_looked_at(
    error: Exception, make: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    need_module("watchfiles")
    true_awatch = watchfiles.awatch
    failures = [error]

    def awatch(*folders: Path, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return true_awatch(*folders, **options)

    monkeypatch.setattr("watchfiles.awatch", awatch)
    monkeypatch.setattr("hotshoe.hosts.reloading.LOOK_EVERY_MS", 50)
    script = tmp_path / "a.py"
    script.write_text("")
    host = await make(script)
    await asyncio.sleep(0.1)
    version = host.apps["/a"].version
    script.write_text("x = 1\n")
    await until_changed(host, "/a", version)
    assert ("No file notifications" in caplog.text) == (not isinstance(error, FileNotFoundError))


async def test_a_new_folder_is_watched(make: MakeHost, tmp_path: Path) -> None:
    need_module("watchfiles")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/main.py").write_text("")
    host = await make(tmp_path / "a")
    for name in ("static/deep/x.css", "static/deep/y.css", "templates/index.html"):
        version = host.apps["/a"].version
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text("")
        await until_changed(host, "/a", version)


async def test_stopping_leaves_no_task(make: MakeHost, tmp_path: Path) -> None:
    need_module("watchfiles")
    before = asyncio.all_tasks()
    (tmp_path / "a.py").write_text("")
    host = await make(tmp_path / "a.py")
    await asyncio.sleep(0.2)
    await host.stop()
    assert asyncio.all_tasks() <= before


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotshoe.base.extras.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'hotshoe\[dev\]'"):
        load_apps(None, Settings(dev=True))
    assert load_apps(None, Settings())[1] is None


@pytest.mark.parametrize(("dev", "reloads"), [(False, True), (True, False)])
def test_dev_mode_that_does_not_reload_watches_nothing(dev: bool, reloads: bool, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("")
    apps, sources = load_apps([app], Settings(dev=dev), reloads=reloads)
    assert [*apps] == ["/app"]
    assert sources is None

"""Apps that come and go while a host runs, their files, and what a host tells of its sessions."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from tests.support.hosts import MakeHost, inline_of, join, open_session, page_of

from hotshoe.apps import App, Hooks, Request
from hotshoe.base.errors import AppError, ConfigError, RequestError, SessionGone
from hotshoe.hosts.host import AppInfo, AppsChanged, Event, FileInfo, FileName, Host, SessionEnded
from hotshoe.wire import Close

MAIN = "from bokeh.io import curdoc\ncurdoc().title = {text!r}\n"
HOOKS = """
from pathlib import Path

def note(word):
    with Path({notes!r}).open("a") as file:
        file.write(word + " ")

def on_server_loaded(context):
    note("load-{name}")

def on_server_unloaded(context):
    note("unload-{name}")

def on_session_destroyed(context):
    note("end-{name}")
"""


@pytest.fixture(autouse=True)
def _paths() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """What the hooks of directories have noted."""
    (tmp_path / "notes").write_text("")
    return tmp_path / "notes"


def noted(notes: Path) -> list[str]:
    return notes.read_text().split()


def remove(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()


async def until_stopping(host: Host) -> None:
    """Until apps can't be added to it any more."""
    async with asyncio.timeout(20):
        while inline_of(host)._served._new_registry is not None:
            await asyncio.sleep(0)


def empty(document: Document) -> None:
    """There is nothing to see."""


def directory(tmp_path: Path, name: str, hooks: str = HOOKS) -> Path:
    folder = tmp_path / name
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "own.css").write_text("p {}")
    (folder / "main.py").write_text(MAIN.format(text=f"this is {name}"))
    (folder / "app_hooks.py").write_text(hooks.format(notes=str(tmp_path / "notes"), name=name))
    return folder


async def test_an_app_is_served_and_withdrawn_again(make: MakeHost, tmp_path: Path, notes: Path) -> None:
    host = await make({"/first": App(empty)})
    events: list[Event] = []
    host.listen(events.append)
    before = host.apps
    await host.serve_app("new/", str(directory(tmp_path, "new")))
    assert [*before] == ["/first"], "a snapshot never changes"
    assert [*host.apps] == ["/first", "/new"]
    info = host.apps["/new"]
    assert info == AppInfo("/new", "New", has_static=True, source="main.py", origin=info.origin)
    await open_session(host, "/new", "a")
    assert "this is new" in await page_of(host, "/new", "a")
    attachment = await join(host, "/new", "a")
    await attachment.receive()
    serving = host.apps
    await host.withdraw_app("/new")
    assert [*host.apps] == ["/first"]
    async with asyncio.timeout(20):
        while not isinstance(await attachment.receive(), Close):
            pass
    assert noted(notes) == ["load-new", "end-new", "unload-new"]
    assert events == [AppsChanged(serving), AppsChanged(host.apps), SessionEnded("/new", "a")]
    for open_request in (open_session(host, "/new", "b"), host.withdraw_app("/new"), host.metadata("/new")):
        with pytest.raises(RequestError) as caught:
            await open_request
        assert caught.value.status == 404
    await open_session(host, "/first", "c")


async def test_an_app_takes_the_place_of_another(make: MakeHost, tmp_path: Path, notes: Path) -> None:
    host = await make([str(directory(tmp_path, "one"))])
    await open_session(host, "/one", "seen")
    attachment = await join(host, "/one", "seen")
    await host.serve_app("/one", str(directory(tmp_path, "two")))
    assert noted(notes) == ["load-one", "load-two", "unload-one"]
    with pytest.raises(SessionGone):
        await page_of(host, "/one", "seen")
    await open_session(host, "/one", "seen")
    assert "this is two" in await page_of(host, "/one", "seen")
    attachment.detach()
    await host.stop()
    assert sorted(noted(notes)[3:]) == ["end-one", "end-two", "unload-two"]


@pytest.mark.parametrize("url", ["new", "/new/", "//new"])
async def test_each_spelling_of_a_url_serves_and_withdraws(make: MakeHost, tmp_path: Path, url: str) -> None:
    host = await make({"/first": App(empty)})
    await host.serve_app(url, str(directory(tmp_path, "new")))
    assert [*host.apps] == ["/first", "/new"]
    await host.withdraw_app(url)
    assert [*host.apps] == ["/first"]


async def test_no_app_is_served_if_its_load_hook_fails(make: MakeHost, tmp_path: Path) -> None:
    host = await make({"/first": App(empty)})
    broken = directory(tmp_path, "broken", hooks="def on_server_loaded(context): 1 / 0\n")
    for url in ("/new", "/first"):
        with pytest.raises(AppError, match=f"on_server_loaded of the app at {url} failed: ZeroDivisionError"):
            await host.serve_app(url, str(broken))
    assert [*host.apps] == ["/first"]
    await open_session(host, "/first", "a")
    assert "this is" not in await page_of(host, "/first", "a")


@pytest.mark.parametrize(("url", "content", "words"), [
    ("/new", None, "no such file or directory"),
    ("/new", "if:\n", "app.py:1: invalid syntax"),
    ("/_hotshoe/new", "", "an app can't have the URL /_hotshoe/new"),
])
async def test_what_is_no_app_is_refused(make: MakeHost, url: str, content: str | None, words: str,
                                         tmp_path: Path) -> None:
    host = await make({"/first": App(empty)})
    if content is not None:
        (tmp_path / "app.py").write_text(content)
    with pytest.raises(AppError, match=words):
        await host.serve_app(url, str(tmp_path / "app.py"))
    assert [*host.apps] == ["/first"]


async def test_a_host_that_does_not_run_serves_no_app(make: MakeHost, tmp_path: Path) -> None:
    host = await make({"/first": App(empty)})
    await host.stop()
    with pytest.raises(RequestError) as caught:
        await host.serve_app("/new", str(directory(tmp_path, "new")))
    assert caught.value.status == 503


async def test_an_app_goes_although_its_withdrawal_is_cancelled(make: MakeHost, tmp_path: Path, notes: Path) -> None:
    host = await make([str(directory(tmp_path, "one"))])
    await open_session(host, "/one", "a")
    withdrawal = asyncio.create_task(host.withdraw_app("/one"))
    async with asyncio.timeout(20):
        while "/one" in host.apps:
            await asyncio.sleep(0)
    withdrawal.cancel()
    await host.stop()
    assert noted(notes) == ["load-one", "end-one", "unload-one"]


async def test_an_app_that_came_later_is_reloaded_and_one_that_went_is_not(make: MakeHost, tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    host = await make({}, dev=True)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(MAIN.format(text=f"first {name}"))
        await host.serve_app(f"/{name}", str(tmp_path / name / "app.py"))
    await host.withdraw_app("/b")
    version = host.apps["/a"].version
    for name in ("b", "a"):
        (tmp_path / name / "app.py").write_text(MAIN.format(text=f"second {name}"))
    async with asyncio.timeout(20):
        while host.apps["/a"].version == version:
            await asyncio.sleep(0.01)
    await open_session(host, "/a", "s")
    assert "second a" in await page_of(host, "/a", "s")
    assert "/b" not in host.apps


async def content(host: Host, name: FileName, most: int = 4) -> tuple[FileInfo, bytes]:
    info, data = await host.file(name), b""
    while part := await host.read_file(name, info.identity, len(data), most):
        assert len(part) <= most
        data += part
    return info, data


async def test_files_are_found_by_name(make: MakeHost, tmp_path: Path) -> None:
    folder = directory(tmp_path, "app", hooks="")
    (folder / "thumbnail.png").write_bytes(b"a picture")
    (tmp_path / "note.ipynb").write_text('{"cells": [{"cell_type": "code", "metadata": {}, "outputs": [], "source": '
                                         '"answer = 42", "execution_count": null}], "metadata": {}, "nbformat": 4, '
                                         '"nbformat_minor": 5}')
    host = await make([str(folder), str(tmp_path / "note.ipynb")])
    assert host.apps["/app"].thumbnail == "thumbnail.png"
    info, data = await content(host, FileName("/app", "static", "own.css"))
    assert (info.name, info.size, data) == ("own.css", 4, b"p {}")
    assert (await content(host, FileName("/app", "thumbnail")))[1] == b"a picture"
    assert (await content(host, FileName("/app", "source")))[1] == (folder / "main.py").read_bytes()
    info, data = await content(host, FileName("/note", "source"))
    assert (info.name, info.size) == ("note.ipynb", len(data))
    assert b"answer = 42" in data
    assert b"cell_type" not in data


@pytest.mark.parametrize(("name", "status"), [
    (FileName("/app", "static", "../main.py"), 403), (FileName("/app", "static", "none.css"), 404),
    (FileName("/app", "static", "outside"), 403), (FileName("/app", "static", ""), 403),
    (FileName("/app", "thumbnail"), 404), (FileName("/none", "static", "own.css"), 404),
    (FileName("/first", "source"), 404), (FileName("/first", "static", "own.css"), 404)])
async def test_other_files_are_not(make: MakeHost, tmp_path: Path, name: FileName, status: int) -> None:
    folder = directory(tmp_path, "app", hooks="")
    (folder / "static" / "outside").symlink_to(folder / "main.py")
    host = await make({"/app": str(folder), "/first": App(empty)})
    for ask in (lambda: host.file(name), lambda: host.read_file(name, "", 0, 10)):
        with pytest.raises(RequestError) as caught:
            await ask()
        assert caught.value.status == status


@pytest.mark.parametrize("name", [".env", ".git/config", ".well-known/acme-challenge/a", "./.env", "a/../.env"])
async def test_names_with_a_leading_dot(make: MakeHost, tmp_path: Path, name: str) -> None:
    folder = directory(tmp_path, "app", hooks="")
    file = folder / "static" / name.removeprefix("a/../")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("secret")
    for serve_dotfiles, status in ((False, 404), (True, None)):
        host = await make([str(folder)], serve_dotfiles=serve_dotfiles)
        if status is None and ".." not in name:
            assert (await content(host, FileName("/app", "static", name)))[1] == b"secret"
            continue
        with pytest.raises(RequestError) as caught:
            await host.file(FileName("/app", "static", name))
        assert caught.value.status == (403 if ".." in name else 404)
        with pytest.raises(RequestError):
            await host.read_file(FileName("/app", "static", name), "", 0, 10)


async def test_a_link_to_a_name_with_a_leading_dot(make: MakeHost, tmp_path: Path) -> None:
    """As Kubernetes mounts files: file -> ..data/file, and ..data -> ..2026_11_29."""
    folder = directory(tmp_path, "app", hooks="")
    (folder / "static" / "..2026").mkdir()
    (folder / "static" / "..2026" / "file.txt").write_text("mounted")
    (folder / "static" / "..data").symlink_to("..2026")
    (folder / "static" / "file.txt").symlink_to("..data/file.txt")
    host = await make([str(folder)])
    assert (await content(host, FileName("/app", "static", "file.txt"), 100))[1] == b"mounted"


async def test_no_content_is_of_two_files(make: MakeHost, tmp_path: Path) -> None:
    folder = directory(tmp_path, "app", hooks="")
    host = await make([str(folder)])
    own, source = FileName("/app", "static", "own.css"), FileName("/app", "source")
    infos = {name: await host.file(name) for name in (own, source)}
    for file in (folder / "static" / "own.css", folder / "main.py"):
        (tmp_path / "other").write_text("other")
        (tmp_path / "other").rename(file)
    for name, info in infos.items():
        with pytest.raises(RequestError) as caught:
            await host.read_file(name, info.identity, 0, 10)
        assert caught.value.status == 503
    with (folder / "static" / "own.css").open("a") as log:
        identity = (await host.file(own)).identity
        log.write(" and more")
    assert await host.read_file(own, identity, 5, 100) == b" and more", "a log that grows is the same file"


async def test_sessions_are_described_and_closed(make: MakeHost) -> None:
    ended: list[str] = []
    hooks = Hooks(session_destroyed=lambda context: ended.append(context.id))
    host = await make({"/a": App(empty, hooks=hooks), "/b": App(empty)})
    await open_session(host, "/a", "one", Request(user="ada"))
    await open_session(host, "/a", "two")
    await open_session(host, "/b", "three")
    attachment = await join(host, "/a", "two")
    found = await host.sessions()
    assert [(each.id, each.app, each.user, each.connections, each.memory_bytes) for each in found] == [
        ("one", "/a", "ada", 0, None), ("two", "/a", None, 1, None), ("three", "/b", None, 0, None)]
    assert found[0].age_s >= found[1].age_s >= found[2].age_s >= 0
    assert await host.close("/a", "two")
    async with asyncio.timeout(20):
        while not isinstance(await attachment.receive(), Close):
            pass
    assert ended == ["two"]
    assert not await host.close("/a", "two")
    assert [each.id for each in await host.sessions()] == ["one", "three"]
    with pytest.raises(RequestError):
        await host.close("/none", "one")


def set_text(document: Document, text: str, number: int = 0) -> None:
    """What ``update`` is given by its name."""
    document.title = f"{text} {number}"


def fail(document: Document) -> None:
    raise ValueError("no text")


async def test_sessions_are_updated_by_a_function_that_is_named(make: MakeHost) -> None:
    host = await make({"/a": App(empty)})
    for session_id in ("one", "two"):
        await open_session(host, "/a", session_id)
    await host.update("/a", f"{__name__}:set_text", "updated", 3)
    for session_id in ("one", "two"):
        assert "updated 3" in await page_of(host, "/a", session_id)
    for name, words in (("no_such_module:f", "No module named"), (f"{__name__}:no_such", "no_such"),
                        (__name__, "is not the name of a function"), ("", "is not the name of a function")):
        with pytest.raises(ConfigError, match=words):
            await host.update("/a", name)
    with pytest.raises(Exception, match=r"no text|error"):
        await host.update("/a", f"{__name__}:fail")


async def test_a_host_that_stops_withdraws_no_app(make: MakeHost) -> None:
    """Each unload hook runs once, also that of an app which is replaced at that moment."""
    unloading, go_on = asyncio.Event(), asyncio.Event()
    unloaded: list[str] = []

    def app(name: str) -> App:
        async def unload(context: object) -> None:
            unloading.set()
            await go_on.wait()
            unloaded.append(name)

        return App(build=empty, hooks=Hooks(server_unloaded=unload))

    host = await make({"/first": app("first"), "/second": app("second")})
    replacing = asyncio.create_task(inline_of(host).serve_app("/second", app("new second")))
    await unloading.wait()
    stopping: Any = asyncio.create_task(host.stop())
    await until_stopping(host)
    withdrawing = asyncio.create_task(host.withdraw_app("/first"))
    await asyncio.sleep(0.01)  # it would fail later, too
    go_on.set()
    await asyncio.gather(replacing, stopping)
    with pytest.raises(RequestError, match="stopping"):
        await withdrawing
    assert unloaded == ["second", "first", "new second"]
    assert list(host.apps) == ["/first", "/second"]


async def test_stopping_waits_for_an_app_that_is_being_loaded(make: MakeHost, tmp_path: Path) -> None:
    host = await make({"/first": App(empty)})
    if not inline_of(host)._settings.threads:
        pytest.skip("without threads nothing can come between")
    gate = tmp_path / "gate"
    slow = f"import time\nfrom pathlib import Path\n\ndef on_server_loaded(context):\n" \
           f"    Path({str(tmp_path / 'begun')!r}).touch()\n" \
           f"    while not Path({str(gate)!r}).exists(): time.sleep(0.01)\n\n" \
           f"def on_server_unloaded(context):\n    Path({str(tmp_path / 'unloaded')!r}).touch()\n"
    folder = directory(tmp_path, "new", hooks=slow.replace("{", "{{"))
    serving = asyncio.create_task(host.serve_app("/new", str(folder)))
    async with asyncio.timeout(20):
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
    stopping: Any = asyncio.create_task(host.stop())
    await until_stopping(host)
    gate.touch()
    with pytest.raises(RequestError, match="stopping"):
        await serving
    await stopping
    assert "/new" not in host.apps
    assert (tmp_path / "unloaded").exists(), "what was loaded is unloaded"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
async def test_a_source_that_has_gone_is_not_waited_for(make: MakeHost, tmp_path: Path) -> None:
    """Four requests for a pipe would occupy all threads for files."""
    folder = directory(tmp_path, "app", hooks="")
    host = await make([str(folder)])
    main, name = folder / "main.py", FileName("/app", "source")
    for put, status in ((Path.mkdir, 403), (os.mkfifo, 404), (None, 404)):
        remove(main)
        if put is not None:
            put(main)
        async with asyncio.timeout(20):
            for wish in (host.file(name), host.read_file(name, "any", 0, 10)):
                with pytest.raises(RequestError) as caught:
                    await wish
                assert caught.value.status == status
    assert (await host.file(FileName("/app", "static", "own.css"))).size == 4


async def test_what_comes_while_the_host_stops_is_refused(make: MakeHost, tmp_path: Path, notes: Path) -> None:
    """Each app is unloaded once, and no app is loaded any more."""
    waits = HOOKS.replace('note("unload-{name}")', 'import time; time.sleep(0.2); note("unload-{name}")')
    folders = {f"/{name}": str(directory(tmp_path, name, hooks=waits)) for name in ("one", "two")}
    new = str(directory(tmp_path, "new"))
    host = await make(folders)
    stopping = asyncio.create_task(host.stop())
    await until_stopping(host)
    changes = [host.serve_app("/new", new), host.serve_app("/two", new), *map(host.withdraw_app, folders)]
    results = await asyncio.gather(*changes, return_exceptions=True)
    await stopping
    assert [str(result) for result in results] == ["the server is stopping"] * 4
    assert noted(notes) == ["load-one", "load-two", "unload-one", "unload-two"]
    assert [*host.apps] == ["/one", "/two"]


async def test_a_stop_while_an_app_is_loaded(make: MakeHost, tmp_path: Path) -> None:
    host = await make({"/first": App(empty)})
    if not inline_of(host)._settings.threads:
        pytest.skip("without threads nothing can come between")
    folder = directory(tmp_path, "new", hooks="import time\nfrom pathlib import Path\n"
                       f"Path({str(tmp_path / 'begun')!r}).touch()\n"
                       f"while not Path({str(tmp_path / 'gate')!r}).exists(): time.sleep(0.01)\n"
                       f"def on_server_loaded(context): Path({str(tmp_path / 'loaded')!r}).touch()\n"
                       .replace("{", "{{"))
    serving = asyncio.create_task(host.serve_app("/new", str(folder)))
    async with asyncio.timeout(20):
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
    stopping = asyncio.create_task(host.stop())
    await until_stopping(host)
    (tmp_path / "gate").touch()
    with pytest.raises(RequestError, match="the server is stopping"):
        await serving
    await stopping
    assert not (tmp_path / "loaded").exists()


async def test_the_apps_that_a_module_belongs_to(make: MakeHost, tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "deep/main.py", "deep/lib/site-packages/z.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    host = await make({"/a": tmp_path / "a.py", "/b": tmp_path / "b.py", "/deep": tmp_path / "deep"})
    served = inline_of(host)._served
    for module, apps in (("a.py", ["/a"]), ("parts.py", ["/a", "/b"]), ("parts/x/y.py", ["/a", "/b"]),
                         ("deep/parts.py", ["/deep"]), ("deep/main.py", ["/deep"]),
                         ("deep/lib/site-packages/z.py", ["/a", "/b", "/deep"]),
                         ("../elsewhere/parts.py", ["/a", "/b", "/deep"])):
        assert list(served.apps_with((tmp_path / module).resolve())) == apps, module

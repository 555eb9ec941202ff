"""Storms on files: one app's slow disk, or a hundred large files of it, delay nobody else, and take little memory."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from starlette.requests import HTTPConnection
from tests.support.fake_host import FileApp
from tests.support.front_site import MakeSite, Site
from tests.support.size import full_size
from tests.support.waiting import until

from hotshoe.base import disks
from hotshoe.base.files import find_regular
from hotshoe.hosts import app_files
from hotshoe.hosts.host import FILE_CHUNK_BYTES
from hotshoe.web.files import bodies, static
from hotshoe.web.files.negotiation import Encoding, compress
from hotshoe.web.gate.auth_options import AuthOptions

BOKEHJS = "/static/js/bokeh.min.js"
BR = {"Accept-Encoding": "br"}
PLAIN = {"Accept-Encoding": "identity"}
LARGE_BYTES = 4_000_000 if full_size() else 400_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow").mkdir()
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "own.css").write_text("p {}")
    return tmp_path


@pytest.fixture
def site(folder: Path, make_site: MakeSite) -> Site:
    return make_site(FileApp("/slow", static_dir=folder / "slow"), FileApp("/fast", static_dir=folder / "fast"))


class SlowDisk:
    """Makes the app ``/slow`` wait for its disk: when it looks for files, or when it reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.back = threading.Event()
        self.paths: list[str] = []

        def find_slowly(root: Path, relative: str, **more: Any) -> tuple[Path, os.stat_result]:
            if root.name == "slow":
                self.paths.append(relative)
                assert self.back.wait(60)
            return find_regular(root, relative, **more)

        monkeypatch.setattr(app_files, "find_regular", find_slowly)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.back.set()


@pytest.fixture
async def tasks() -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Requests that need not end; they are cancelled."""
    made: list[asyncio.Task[Any]] = []
    yield made
    for task in made:
        task.cancel()
    for task in made:
        with suppress(asyncio.CancelledError):
            await task


async def test_a_slow_disk_delays_only_its_own_app(site: Site, slow_disk: SlowDisk,
                                                   tasks: list[asyncio.Task[httpx.Response]]) -> None:
    names = [*(f"f{number}.txt" for number in range(30)), "js/bokeh.min.js", "js/bokeh-gl.min.js"]
    tasks += [asyncio.create_task(site.get(f"/slow/static/{name}")) for name in names]
    await until(lambda: len(slow_disk.paths) == disks.THREADS)
    async with asyncio.timeout(60):
        for path in ("/fast/static/own.css", BOKEHJS, "/fast/static/js/bokeh.min.js", "/fast"):
            assert (await site.get(path)).status_code == 200, path
    assert not any(task.done() for task in tasks)
    slow_disk.back.set()
    assert [answer.status_code for answer in await asyncio.gather(*tasks)] == [404] * 30 + [200] * 2


class Nobody:
    """A provider that knows nobody."""

    endpoints: Mapping[str, Any] = {}
    logout_path = None

    async def user_of(self, connection: HTTPConnection) -> None:
        return None

    async def login_path(self, connection: HTTPConnection) -> None:
        return None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


async def test_no_disk_is_touched_for_a_client_without_access(folder: Path, make_site: MakeSite,
                                                              slow_disk: SlowDisk) -> None:
    site = make_site(FileApp("/slow", static_dir=folder / "slow", thumbnail=folder / "slow" / "pic.png"),
                     auth_options=AuthOptions(auth=Nobody()))
    async with asyncio.timeout(60):
        for name in ("f.txt", "js/none.js", "%2e%2e/main.py", ".env", "extensions/none/x.js"):
            assert (await site.get(f"/slow/static/{name}")).status_code == 401, name
        assert (await site.get("/_hotshoe/thumbnails/slow")).status_code == 401
        # BokehJS is for everybody. Whether the app has a file of this name in its place, a stranger does not learn.
        answer = await site.get("/slow/static/js/bokeh.min.js")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert slow_disk.paths == []


class Compressors:
    """Counts what is compressed, and holds it until it is released, but for BokehJS."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = 0

    def __call__(self, data: bytes, encoding: Encoding) -> bytes:
        if b"tile" in data[:20]:
            self.begun += 1
            assert self.go_on.wait(60)
        return compress(data, encoding)


@pytest.fixture
def compressors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compressors]:
    held = Compressors()
    monkeypatch.setattr(bodies, "compress", held)
    yield held
    held.go_on.set()


def write_tiles(folder: Path, count: int) -> list[str]:
    for number in range(count):
        (folder / f"{number}.json").write_text(f'"tile {number}' + "x" * LARGE_BYTES + '"')
    return [f"/slow/static/{number}.json" for number in range(count)]


async def test_a_storm_of_large_files_keeps_bokehjs_from_nobody(
        site: Site, folder: Path, compressors: Compressors, monkeypatch: pytest.MonkeyPatch,
        tasks: list[asyncio.Task[httpx.Response]]) -> None:
    paths = write_tiles(folder / "slow", 100 if full_size() else 40)
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.5)
    tasks += [asyncio.create_task(site.get(path, headers=BR)) for path in paths]
    await until(lambda: compressors.begun == bodies.COMPRESSORS)
    async with asyncio.timeout(60):
        monkeypatch.setattr(bodies, "PATIENCE_S", 60.0)
        answer = await site.get(BOKEHJS, headers=BR)
        assert answer.headers["content-encoding"] == "br"
        monkeypatch.setattr(bodies, "PATIENCE_S", 0.05)
        tasks += [asyncio.create_task(site.get(path, headers=BR)) for path in paths]
        answers = await asyncio.gather(*tasks[len(paths):])
        assert not any("content-encoding" in answer.headers for answer in answers), "they are sent plain"
    assert compressors.begun == bodies.COMPRESSORS, "nothing is compressed for nobody"
    compressors.go_on.set()
    answers = await asyncio.gather(*tasks)
    assert {answer.status_code for answer in answers} == {200}
    assert [len(answer.text) for answer in answers[-9:]] == [(folder / "slow" / f"{number}.json").stat().st_size
                                                             for number in range(len(paths) - 9, len(paths))]


async def test_what_was_sent_plain_is_compressed_later(site: Site, folder: Path) -> None:
    [path] = write_tiles(folder / "slow", 1)
    site.front._static._bodies["app"]._compressions = bodies.COMPRESSORS + bodies.WAITING_MOST
    plain = await site.get(path, headers=BR)
    assert "content-encoding" not in plain.headers
    site.front._static._bodies["app"]._compressions = 0
    again = await site.get(path, headers=BR)
    assert again.headers["content-encoding"] == "br"
    assert again.content == plain.content


async def test_files_of_apps_do_not_drive_bokehjs_out_of_memory(site: Site, folder: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[int] = []

    def counting(data: bytes, encoding: Encoding) -> bytes:
        compressed.append(len(data))
        return bytes(brotli.compress(data, quality=1))

    monkeypatch.setattr(bodies, "compress", counting)
    site.front._static = static.StaticFiles(memory_bytes=8 * 2**20)
    assert (await site.get(BOKEHJS, headers=BR)).status_code == 200
    for path in write_tiles(folder / "slow", 30):
        assert (await site.get(path, headers=PLAIN)).status_code == 200
    count = len(compressed)
    assert (await site.get(BOKEHJS, headers=BR)).headers["content-encoding"] == "br"
    assert len(compressed) == count


async def test_bodies_that_slow_clients_keep_from_memory_are_bounded(
        site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[Any]]) -> None:
    monkeypatch.setattr(static, "SENDING_BYTES", 3 * LARGE_BYTES)
    paths = [path.removeprefix("/slow") for path in write_tiles(folder / "slow", 20)]
    read, sent = asyncio.Event(), dict[str, list[bytes]]()

    async def ask(path: str) -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(event: Any) -> None:
            if event["type"] == "http.response.body":
                sent.setdefault(path, []).append(event["body"])
                await read.wait()  # as a server does while the client reads nothing

        scope = {"type": "http", "method": "GET", "path": f"/slow{path}", "headers": [], "query_string": b""}
        await site.front(scope, receive, send)

    tasks += [asyncio.create_task(ask(path)) for path in paths]
    await until(lambda: len(sent) == len(paths), 60)
    assert site.front._static._sending_bytes <= 3 * LARGE_BYTES
    assert all(len(chunk) <= FILE_CHUNK_BYTES for chunks in sent.values() for chunk in chunks)
    read.set()
    await asyncio.gather(*tasks)
    assert site.front._static._sending_bytes == 0
    for path, chunks in sent.items():
        assert b"".join(chunks) == (folder / "slow" / path.rpartition("/")[2]).read_bytes()


async def test_a_file_that_changes_is_not_sent_from_the_disk_as_another(
        site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "SENDING_BYTES", 0)
    [path] = write_tiles(folder / "slow", 1)
    assert (await site.get(path, headers=PLAIN)).status_code == 200
    (folder / "slow" / "0.json").write_text("y" * LARGE_BYTES)  # within the time that it is assumed to be unchanged
    assert (await site.get(path, headers=PLAIN)).status_code == 503


async def test_ten_thousand_files(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not full_size():
        monkeypatch.setattr(static, "MOST_FINDINGS", 50)
    count = 10_000 if full_size() else 200
    for number in range(count):
        (folder / "slow" / f"{number}.txt").write_text(f"{number}")
    async with site.client() as client:
        for number in range(count):
            assert (await client.get(f"/slow/static/{number}.txt")).text == f"{number}"
    assert len(site.front._static._findings) <= static.MOST_FINDINGS
    assert len(site.front._static._sharing._running) == 0

import asyncio
import gzip
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import brotli  # type: ignore[import-untyped]
import pytest
from tests.support.waiting import until

from hotshoe.apps import App
from hotshoe.base import disks
from hotshoe.base.files import WHOLE_BYTES
from hotshoe.hosts.app_files import AppFiles
from hotshoe.hosts.host import FileInfo, FileName, Host
from hotshoe.pages.assets import file_version
from hotshoe.web.files import bodies, static
from hotshoe.web.files.negotiation import Encoding, compress
from hotshoe.web.files.requested_files import AppFile
from hotshoe.web.files.static import StaticFiles

SCRIPT = b"const answer = 42; // a line that repeats\n" * 200


class Reply:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        self.messages = messages


class FileHost:
    """A host of one app, as far as files go: on this machine, or elsewhere."""

    def __init__(self, *, is_elsewhere: bool = False) -> None:
        self.is_elsewhere = is_elsewhere
        self.root = Path()
        self.files = AppFiles()

    @property
    def _app(self) -> App:
        return App(lambda document: None, static_dir=self.root)

    async def file(self, name: FileName) -> FileInfo:
        info = await self.files.describe(self._app, name)
        return replace(info, path=None) if self.is_elsewhere else info

    async def read_file(self, name: FileName, identity: str, start: int, size: int) -> bytes:
        return await self.files.read(self._app, name, identity, start, size)


_host: FileHost


@pytest.fixture(params=["here", "elsewhere"])
def both(request: pytest.FixtureRequest, _files_of_apps: None) -> None:
    """The test is run with files on this machine, and with files that a host elsewhere reads."""
    _host.is_elsewhere = request.param == "elsewhere"


@pytest.fixture(autouse=True)
def _files_of_apps() -> Iterator[None]:
    global _host
    _host = FileHost()
    yield
    _host.files.close()


def file_below(root: Path, relative: str) -> AppFile:
    _host.root = root
    return AppFile(cast("Host", _host), FileName("/app", "static", relative))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "js").mkdir(parents=True)
    (root / "js" / "app.js").write_bytes(SCRIPT)
    (root / "tiny.css").write_bytes(b"p {}")
    (root / "empty.txt").write_bytes(b"")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return root


@pytest.fixture
async def files() -> AsyncIterator[StaticFiles]:
    served = StaticFiles()
    yield served
    served.close()


async def test_of_long_names_nothing_is_remembered(files: StaticFiles) -> None:
    async def look() -> str:
        return "found"

    for number in range(10):
        assert await files.find(("app static", "/app", str(number) * 1000), look) == "found"
        assert await files.find(("app static", "/app", "short"), look) == "found"
    assert list(files._findings) == [("app static", "/app", "short")]


async def test_a_client_that_leaves_while_the_disk_hangs_delays_nobody(
    files: StaticFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (root / "large.bin").open("wb") as file:
        file.truncate(WHOLE_BYTES + 1)
    reading, go_on = threading.Event(), threading.Event()

    class Hanging(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            reading.set()
            go_on.wait(20)
            return super().readinto(buffer)

    opened: list[io.BufferedReader] = []

    def open_hanging(path: Path) -> io.BufferedReader:
        opened.append(io.BufferedReader(Hanging(path)))
        return opened[-1]

    monkeypatch.setattr(static, "open_regular", open_hanging)
    asking = asyncio.create_task(ask(files, root, "large.bin"))
    await asyncio.to_thread(reading.wait, 20)
    began_s = time.monotonic()
    asking.cancel()
    await asyncio.wait([asking])
    assert time.monotonic() - began_s < 10
    go_on.set()
    await until(lambda: opened[0].closed)


async def ask(
    files: StaticFiles, root: Path, relative: str, method: str = "GET", query: str = "", **headers: str
) -> Reply:
    messages: list[Any] = []
    forever = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await forever.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw, "query_string": query.encode()}
    await files.respond(scope, receive, send, file_below(root, relative))
    return Reply(messages)


@pytest.mark.usefixtures("both")
async def test_serves_a_file_with_validators(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js")
    assert reply.status == 200
    assert reply.body == SCRIPT
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["content-length"] == str(len(SCRIPT))
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["etag"].startswith('"')
    assert "last-modified" in reply.headers


IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.mark.usefixtures("both")
async def test_a_file_asked_for_by_its_version_is_immutable(root: Path) -> None:
    files = StaticFiles(fresh_s=0)
    version = file_version(root / "js" / "app.js")  # as pages have it, and stock's
    assert (await ask(files, root, "js/app.js", query=f"v={version}")).headers["cache-control"] == IMMUTABLE
    (root / "js" / "app.js").write_bytes(SCRIPT + b"// changed")
    assert (await ask(files, root, "js/app.js", query=f"v={version}")).headers["cache-control"] == "no-cache"
    files.close()


@pytest.mark.parametrize("query", ["v=abc", "v=", "w=1", "v={version}&v=abc", "V={version}", "v=%00"])
async def test_any_other_version_is_not(files: StaticFiles, root: Path, query: str) -> None:
    query = query.format(version=file_version(root / "js" / "app.js"))
    reply = await ask(files, root, "js/app.js", query=query)
    assert reply.headers["cache-control"] == "no-cache"
    again = await ask(files, root, "js/app.js", query=query, if_none_match=reply.headers["etag"])
    assert (again.status, again.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.usefixtures("both")
async def test_head_has_the_headers_of_get_and_no_body(files: StaticFiles, root: Path) -> None:
    for accepted in ("identity", "br"):
        head = await ask(files, root, "js/app.js", "HEAD", accept_encoding=accepted)
        got = await ask(files, root, "js/app.js", accept_encoding=accepted)
        assert (head.status, head.body) == (200, b"")
        assert got.headers == head.headers


async def test_other_methods_are_not_allowed(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js", "POST")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("accepted", ["br", "gzip", "gzip, deflate, br;q=0.1", "identity"])
async def test_encodes_and_answers_304_for_every_encoding(files: StaticFiles, root: Path, accepted: str) -> None:
    reply = await ask(files, root, "js/app.js", accept_encoding=accepted)
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[reply.headers.get("content-encoding")]
    assert decode(reply.body) == SCRIPT
    again = await ask(files, root, "js/app.js", accept_encoding=accepted, if_none_match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == reply.headers["etag"]
    assert again.headers["vary"] == "Accept-Encoding"


async def test_encodings_have_etags_of_their_own(files: StaticFiles, root: Path) -> None:
    replies = [await ask(files, root, "js/app.js", accept_encoding=name) for name in ("br", "gzip", "identity")]
    assert len({reply.headers["etag"] for reply in replies}) == 3


async def test_what_is_small_or_packed_is_not_encoded(files: StaticFiles, root: Path) -> None:
    (root / "photo.png").write_bytes(bytes(5000))
    for name in ("tiny.css", "photo.png", "empty.txt"):
        reply = await ask(files, root, name, accept_encoding="br, gzip")
        assert reply.status == 200
        assert "content-encoding" not in reply.headers


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been compressed, each time that it was."""
    texts: list[bytes] = []

    def counting(data: bytes, encoding: Encoding) -> bytes:
        texts.append(data)
        time.sleep(0.05)  # long enough for others to ask meanwhile
        return compress(data, encoding)

    monkeypatch.setattr(bodies, "compress", counting)
    return texts


async def test_a_body_is_compressed_once(files: StaticFiles, root: Path, compressed: list[bytes]) -> None:
    replies = await asyncio.gather(*(ask(files, root, "js/app.js", accept_encoding="br") for _ in range(20)))
    replies.append(await ask(files, root, "js/app.js", accept_encoding="br"))
    assert {brotli.decompress(reply.body) for reply in replies} == {SCRIPT}
    assert compressed == [SCRIPT]


@pytest.mark.usefixtures("both")
async def test_what_memory_has_dropped_is_compressed_again(root: Path, compressed: list[bytes]) -> None:
    files = StaticFiles(memory_bytes=0)
    for _ in range(2):
        reply = await ask(files, root, "js/app.js", accept_encoding="br")
        assert brotli.decompress(reply.body) == SCRIPT
    assert compressed == [SCRIPT] * 2
    files.close()


async def test_nothing_is_written_to_the_disk(files: StaticFiles, root: Path, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    await ask(files, root, "js/app.js", accept_encoding="br")
    assert not (tmp_path / "cache").exists()


async def test_one_who_leaves_does_not_end_the_others_wait(files: StaticFiles, root: Path) -> None:
    tasks = [asyncio.create_task(ask(files, root, "js/app.js", accept_encoding="br")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [(await task).status for task in tasks[1:]] == [200, 200]


@pytest.mark.usefixtures("both")
async def test_a_changed_file_is_seen(files: StaticFiles, root: Path) -> None:
    first = await ask(files, root, "tiny.css")
    (root / "tiny.css").write_bytes(b"p {color: red}")
    await asyncio.sleep(static.FRESH_S + 0.05)
    second = await ask(files, root, "tiny.css", if_none_match=first.headers["etag"])
    assert (second.status, second.body) == (200, b"p {color: red}")


@pytest.mark.usefixtures("both")
async def test_if_modified_since(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js")
    since = reply.headers["last-modified"]
    assert (await ask(files, root, "js/app.js", if_modified_since=since)).status == 304
    old = "Mon, 01 Jan 2001 00:00:00 GMT"
    assert (await ask(files, root, "js/app.js", if_modified_since=old)).status == 200
    assert (await ask(files, root, "js/app.js", if_modified_since="nonsense")).status == 200
    both = await ask(files, root, "js/app.js", if_modified_since=since, if_none_match='"other"')
    assert both.status == 200


@pytest.mark.usefixtures("both")
async def test_ranges(files: StaticFiles, root: Path) -> None:
    part = await ask(files, root, "js/app.js", range="bytes=6-11", accept_encoding="br")
    assert (part.status, part.body) == (206, SCRIPT[6:12])
    assert part.headers["content-range"] == f"bytes 6-11/{len(SCRIPT)}"
    assert "content-encoding" not in part.headers
    tail = await ask(files, root, "js/app.js", range="bytes=-5")
    assert (tail.status, tail.body) == (206, SCRIPT[-5:])
    beyond = await ask(files, root, "js/app.js", range=f"bytes={len(SCRIPT)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(SCRIPT)}")
    assert (await ask(files, root, "js/app.js", range="bytes=0-1,4-5")).status == 200
    head = await ask(files, root, "js/app.js", "HEAD", range="bytes=6-11")
    assert (head.status, head.headers["content-length"]) == (200, str(len(SCRIPT))), "RFC 9110, section 14.2"


@pytest.mark.usefixtures("both")
async def test_if_range(files: StaticFiles, root: Path) -> None:
    tag = (await ask(files, root, "js/app.js")).headers["etag"]
    assert (await ask(files, root, "js/app.js", range="bytes=0-1", if_range=tag)).status == 206
    assert (await ask(files, root, "js/app.js", range="bytes=0-1", if_range='"stale"')).status == 200


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("relative", "status"),
    [
        ("../secret.txt", 403),
        ("js/../../secret.txt", 403),
        ("..", 403),
        ("..\\secret.txt", 404),
        ("js\\app.js", 404),
        ("C:\\secret.txt", 404),
        ("js/app.js\0.css", 404),
        ("//etc/passwd", 404),
        ("/etc/passwd", 404),
        ("js", 403),
        ("", 403),
        ("js/", 403),
        ("js/app.js/", 404),
        ("js/app.js/more", 404),
        ("missing.js", 404),
        ("\udcff.js", 404),
        ("x" * 5000, 404),
    ],
)
async def test_paths_that_are_refused(files: StaticFiles, root: Path, relative: str, status: int) -> None:
    reply = await ask(files, root, relative)
    assert reply.status == status
    assert b"secret" not in reply.body
    assert str(status).encode() in reply.body


async def test_a_file_is_kept_once_however_its_path_is_written(files: StaticFiles, root: Path) -> None:
    for relative in ("js/app.js", "./js//app.js", "js/./././app.js", "//js/app.js"):
        assert (await ask(files, root, relative)).status == 200
    assert len(files._findings) == 1
    assert (await ask(files, root, "js/app.js/")).status == 404


@pytest.mark.usefixtures("both")
async def test_links_may_not_leave_the_folder(files: StaticFiles, root: Path, tmp_path: Path) -> None:
    (root / "inside.js").symlink_to(root / "js" / "app.js")
    (root / "outside.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    assert (await ask(files, root, "inside.js")).status == 200
    assert (await ask(files, root, "outside.txt")).status == 403
    assert (await ask(files, root, "up/secret.txt")).status == 403
    assert (await ask(files, root, "circle")).status == 404


@pytest.mark.usefixtures("both")
async def test_a_pipe_is_no_file(files: StaticFiles, root: Path) -> None:
    os.mkfifo(root / "pipe.js")
    async with asyncio.timeout(60):
        assert (await ask(files, root, "pipe.js")).status == 404


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("query_range", [None, "bytes=9000000-9000009"])
async def test_large_files_are_streamed(files: StaticFiles, root: Path, query_range: str | None) -> None:
    content = os.urandom(1000) * 9500
    (root / "large.bin").write_bytes(content)
    reply = await ask(files, root, "large.bin", range=query_range or "none")
    assert reply.body == (content[9000000:9000010] if query_range else content)
    assert reply.headers["content-length"] == str(len(reply.body))


@pytest.mark.usefixtures("both")
async def test_ranges_of_five_gigabytes(files: StaticFiles, root: Path) -> None:
    size = 5 * 2**30
    with (root / "huge.bin").open("wb") as file:
        for start, text in ((0, b"first"), (2**32 - 2, b"across"), (size - 4, b"last")):
            file.seek(start)
            file.write(text)
    for asked, text in (("0-4", b"first"), (f"{2**32 - 2}-{2**32 + 3}", b"across"), ("-4", b"last"),
                        (f"{size - 4}-{10**18}", b"last")):
        reply = await ask(files, root, "huge.bin", range=f"bytes={asked}")
        assert (reply.status, reply.body) == (206, text), asked
        assert reply.headers["content-range"].endswith(f"/{size}")
    assert (await ask(files, root, "huge.bin", range=f"bytes={size}-")).status == 416
    assert (await ask(files, root, "huge.bin", "HEAD")).headers["content-length"] == str(size)


@pytest.mark.usefixtures("both")
async def test_a_large_file_that_is_replaced_while_it_is_sent(files: StaticFiles, root: Path) -> None:
    old, new, sent = b"old" * 4_000_000, b"new" * 4_000_000, bytearray()
    (root / "large.bin").write_bytes(old)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)
        if message.get("body") and not sent:
            (root / "new.bin").write_bytes(new)
            (root / "new.bin").replace(root / "large.bin")
        sent.extend(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    await files.respond(scope, asyncio.Event().wait, send, file_below(root, "large.bin"))  # type: ignore[arg-type]
    assert old.startswith(sent), "nothing of the new file"
    assert len(sent) == len(old) or messages[-1]["more_body"], "the whole old file, or the client sees that it is not"


@pytest.mark.usefixtures("both")
async def test_streaming_stops_when_the_client_is_gone(files: StaticFiles, root: Path) -> None:
    (root / "large.bin").write_bytes(bytes(20_000_000))
    sent = 0
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent:
            left.set()
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    await files.respond(scope, receive, send, file_below(root, "large.bin"))
    assert 0 < sent < 2_000_000


async def test_the_path_is_handed_over_where_the_server_can_send_it(files: StaticFiles, root: Path) -> None:
    (root / "large.bin").write_bytes(bytes(9_000_000))
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": "GET", "headers": [], "query_string": b"",
        "extensions": {"http.response.pathsend": {}},
    }  # fmt: skip
    await files.respond(scope, asyncio.Event().wait, send, file_below(root, "large.bin"))  # type: ignore[arg-type]
    assert messages[1] == {"type": "http.response.pathsend", "path": str((root / "large.bin").resolve())}


async def test_close_leaves_no_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    begun, go_on = threading.Event(), threading.Event()

    def slow(data: bytes, encoding: Encoding) -> bytes:
        begun.set()
        go_on.wait()
        return data

    monkeypatch.setattr(bodies, "compress", slow)
    served = StaticFiles()
    asked = asyncio.create_task(ask(served, root, "js/app.js", accept_encoding="br"))
    await until(begun.is_set)
    served.close()  # does not wait for what is under way
    _host.files.close()
    go_on.set()
    assert (await asked).status == 200
    await until(lambda: set(threading.enumerate()) <= before)
    assert (await ask(served, root, "tiny.css")).status == 503


@pytest.fixture
def always_written(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that grow each time that they are looked at."""
    names: set[str] = set()
    fstat = os.fstat

    def fstat_and_write(descriptor: int) -> os.stat_result:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.name in names:
            with path.open("ab") as file:
                file.write(b"a line\n")
        return fstat(descriptor)

    monkeypatch.setattr("hotshoe.base.files.os.fstat", fstat_and_write)
    return names


async def test_a_file_that_is_always_written_holds_no_thread(files: StaticFiles, root: Path,
                                                             always_written: set[str]) -> None:
    names = [f"{number}.log" for number in range(disks.THREADS)]
    for name in names:
        (root / name).write_bytes(b"a line\n" * 200)
        always_written.add(name)
    async with asyncio.timeout(30):
        refused = await asyncio.gather(*(ask(files, root, name) for name in names))
        assert {(reply.status, reply.headers["retry-after"]) for reply in refused} == {(503, "1")}
        assert (await ask(files, root, "js/app.js")).status == 200, "the threads are free"
        always_written.clear()
        assert (await ask(files, root, "0.log")).body == (root / "0.log").read_bytes()


async def test_a_file_that_is_written_is_sent_once_it_is_at_rest(files: StaticFiles, root: Path,
                                                                 monkeypatch: pytest.MonkeyPatch,
                                                                 always_written: set[str]) -> None:
    always_written.add("tiny.css")
    monkeypatch.setattr("hotshoe.base.files.time.sleep",
                        lambda pause_s: always_written.clear() if pause_s else None)
    reply = await ask(files, root, "tiny.css")
    assert reply.body == b"p {}" + b"a line\n" * 2


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("size", [2000, 9_000_000])
async def test_a_link_that_takes_a_file_s_place_is_not_followed(files: StaticFiles, root: Path, tmp_path: Path,
                                                                size: int) -> None:
    (root / "data.bin").write_bytes(bytes(size))
    assert (await ask(files, root, "data.bin", "HEAD")).status == 200
    (root / "data.bin").unlink()
    (root / "data.bin").symlink_to(tmp_path / "secret.txt")
    at_once = await ask(files, root, "data.bin")  # it was looked at a moment ago
    assert b"secret" not in at_once.body
    assert (at_once.status, len(at_once.body)) == (200, size) if size == 2000 else at_once.status in (403, 404)
    await asyncio.sleep(static.FRESH_S + 0.05)
    assert (await ask(files, root, "data.bin")).status == 403


@pytest.mark.usefixtures("both")
async def test_a_pipe_that_takes_a_file_s_place_is_not_waited_for(files: StaticFiles, root: Path) -> None:
    (root / "data.bin").write_bytes(bytes(9_000_000))
    assert (await ask(files, root, "data.bin", "HEAD")).status == 200
    (root / "data.bin").unlink()
    os.mkfifo(root / "data.bin")
    async with asyncio.timeout(60):
        assert (await ask(files, root, "data.bin")).status == 404


@pytest.mark.usefixtures("both")
async def test_a_large_file_that_grows_is_sent_as_it_was(files: StaticFiles, root: Path) -> None:
    (root / "large.log").write_bytes(bytes(9_000_000))
    assert (await ask(files, root, "large.log", "HEAD")).headers["content-length"] == "9000000"
    with (root / "large.log").open("ab") as file:
        file.write(b"more")
    reply = await ask(files, root, "large.log")
    assert (reply.headers["content-length"], len(reply.body)) == ("9000000", 9_000_000)


@pytest.mark.usefixtures("both")
async def test_a_large_file_that_shrinks_ends_unfinished(files: StaticFiles, root: Path) -> None:
    (root / "large.log").write_bytes(bytes(9_000_000))
    assert (await ask(files, root, "large.log", "HEAD")).status == 200
    (root / "large.log").write_bytes(bytes(1000))
    reply = await ask(files, root, "large.log")
    assert len(reply.body) == 1000
    assert reply.messages[-1]["more_body"], "the server closes the connection, so that the client sees it"


HANGING_DISK = """
import asyncio, os, sys, threading
from pathlib import Path
from hotshoe.web.files import requested_files, static

begun = threading.Event()

class Hanging:
    seek = close = lambda *_: None

    def read(self, size):
        begun.set()
        threading.Event().wait()

def hang(*args, **options):
    Hanging().read(0)

if sys.argv[2] == "look":
    requested_files.find_regular = hang
else:
    static.open_regular = lambda path: Hanging()

async def nothing(*message):
    await asyncio.sleep(0)
    return {"type": "http.request"}

async def main():
    files = static.StaticFiles()
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    file = requested_files.PackagedFile(Path(sys.argv[1]), "large.bin")
    asked = asyncio.create_task(files.respond(scope, nothing, nothing, file))
    while not begun.is_set():
        await asyncio.sleep(0.01)
    files.close()
    asked.cancel()

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["look", "read"])
def test_a_process_ends_although_a_disk_hangs(root: Path, where: str) -> None:
    (root / "large.bin").write_bytes(bytes(9_000_000))
    subprocess.run([sys.executable, "-c", HANGING_DISK, str(root), where], check=True, timeout=60)


@pytest.mark.parametrize("name", ["widget@7", "vega@5.1", "loader", "d.min", "x.bin"])
async def test_without_a_known_type_it_is_what_the_browser_loads(files: StaticFiles, root: Path, name: str) -> None:
    (root / name).write_bytes(SCRIPT)
    script = await ask(files, root, name, Sec_Fetch_Dest="script", Sec_Fetch_Site="same-origin", Accept_Encoding="br")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["content-encoding"] == "br"
    style = await ask(files, root, name, Sec_Fetch_Dest="style", Sec_Fetch_Site="same-origin")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    for reply in (script, style, plain := await ask(files, root, name)):
        assert reply.headers["x-content-type-options"] == ""
        assert "Sec-Fetch-Dest" in reply.headers["vary"]
    assert plain.headers["content-type"] == "application/octet-stream"
    for place in ("document", "iframe", "object"):
        page = await ask(files, root, name, Sec_Fetch_Dest=place, Sec_Fetch_Site="same-origin")
        assert page.headers["content-type"] == "application/octet-stream"
        assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["a.js", "a.mjs", "a.cjs", "b.jsx", "c.es6"])
async def test_a_known_script_is_one_on_every_machine(files: StaticFiles, root: Path, name: str) -> None:
    (root / name).write_bytes(SCRIPT)
    reply = await ask(files, root, name, Sec_Fetch_Dest="style")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_pages_of_other_sites_do_not_get_an_app_s_data_as_a_script(files: StaticFiles, root: Path) -> None:
    (root / "data").write_bytes(b"secret = 1")
    for headers in ({"Sec_Fetch_Dest": "script"}, {"Sec_Fetch_Dest": "style"}, {}):
        reply = await ask(files, root, "data", Sec_Fetch_Site="cross-site", **headers)
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["x-content-type-options"] == "nosniff"

import asyncio
import gzip
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from hotshoe.web import static
from hotshoe.web.static import StaticFiles

SCRIPT = b"const answer = 42; // a line that repeats\n" * 200


class Reply:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        self.messages = messages


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
async def files(tmp_path: Path) -> AsyncIterator[StaticFiles]:
    (tmp_path / "cache").mkdir()
    served = StaticFiles(cache=tmp_path / "cache")
    yield served
    served.close()


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
    await files.respond(scope, receive, send, root, relative)
    return Reply(messages)


async def until(condition: Callable[[], Any], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


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


async def test_a_versioned_file_is_immutable(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js", query="v=abc")
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await ask(files, root, "js/app.js", query="w=1")).headers["cache-control"] == "no-cache"


async def test_head_has_the_headers_of_get_and_no_body(files: StaticFiles, root: Path) -> None:
    for accepted in ("identity", "br"):
        heads = [await ask(files, root, "js/app.js", "HEAD", accept_encoding=accepted)]
        got = await ask(files, root, "js/app.js", accept_encoding=accepted)
        heads.append(await ask(files, root, "js/app.js", "HEAD", accept_encoding=accepted))
        assert {(head.status, head.body) for head in heads} == {(200, b"")}
        # The best level may be ready from one request to the next; that happens once.
        assert got.headers in [head.headers for head in heads]


async def test_other_methods_are_not_allowed(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js", "POST")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


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


async def test_the_best_level_is_used_once_it_is_made(files: StaticFiles, root: Path, tmp_path: Path) -> None:
    first = await ask(files, root, "js/app.js", accept_encoding="br")
    assert first.headers["etag"].endswith('-br5"')
    await until(lambda: list((tmp_path / "cache").glob("*.br11")))
    second = StaticFiles(cache=tmp_path / "cache")
    try:
        reply = await ask(second, root, "js/app.js", accept_encoding="br")
    finally:
        second.close()
    assert reply.headers["etag"].endswith('-br11"')
    assert brotli.decompress(reply.body) == SCRIPT


async def test_prepared_files_are_best_at_the_first_request(files: StaticFiles, root: Path, tmp_path: Path) -> None:
    files.prepare([root / "js" / "app.js", root / "missing.js"])
    await until(lambda: list((tmp_path / "cache").glob("*.br11")))
    await asyncio.sleep(0.05)
    assert (await ask(files, root, "js/app.js", accept_encoding="br")).headers["etag"].endswith('-br11"')


async def test_concurrent_requests_compress_once(
    files: StaticFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hotshoe.web import compression

    levels: list[int] = []
    real = compression.compress

    def counting(data: bytes, encoding: Any, level: int, *rest: Any) -> bytes | None:
        levels.append(level)
        time.sleep(0.05)
        return real(data, encoding, level, *rest)

    monkeypatch.setattr(compression, "compress", counting)
    replies = await asyncio.gather(*(ask(files, root, "js/app.js", accept_encoding="br") for _ in range(20)))
    assert {brotli.decompress(reply.body) for reply in replies} == {SCRIPT}
    assert levels.count(5) == 1


async def test_one_who_leaves_does_not_end_the_others_wait(files: StaticFiles, root: Path) -> None:
    tasks = [asyncio.create_task(ask(files, root, "js/app.js", accept_encoding="br")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [(await task).status for task in tasks[1:]] == [200, 200]


async def test_a_changed_file_is_seen(files: StaticFiles, root: Path) -> None:
    first = await ask(files, root, "tiny.css")
    (root / "tiny.css").write_bytes(b"p {color: red}")
    await asyncio.sleep(static.FRESH_S + 0.05)
    second = await ask(files, root, "tiny.css", if_none_match=first.headers["etag"])
    assert (second.status, second.body) == (200, b"p {color: red}")


async def test_if_modified_since(files: StaticFiles, root: Path) -> None:
    reply = await ask(files, root, "js/app.js")
    since = reply.headers["last-modified"]
    assert (await ask(files, root, "js/app.js", if_modified_since=since)).status == 304
    old = "Mon, 01 Jan 2001 00:00:00 GMT"
    assert (await ask(files, root, "js/app.js", if_modified_since=old)).status == 200
    assert (await ask(files, root, "js/app.js", if_modified_since="nonsense")).status == 200
    both = await ask(files, root, "js/app.js", if_modified_since=since, if_none_match='"other"')
    assert both.status == 200


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


async def test_if_range(files: StaticFiles, root: Path) -> None:
    tag = (await ask(files, root, "js/app.js")).headers["etag"]
    assert (await ask(files, root, "js/app.js", range="bytes=0-1", if_range=tag)).status == 206
    assert (await ask(files, root, "js/app.js", range="bytes=0-1", if_range='"stale"')).status == 200


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
    assert len(files._entries) == 1
    assert (await ask(files, root, "js/app.js/")).status == 404


async def test_links_may_not_leave_the_folder(files: StaticFiles, root: Path, tmp_path: Path) -> None:
    (root / "inside.js").symlink_to(root / "js" / "app.js")
    (root / "outside.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    assert (await ask(files, root, "inside.js")).status == 200
    assert (await ask(files, root, "outside.txt")).status == 403
    assert (await ask(files, root, "up/secret.txt")).status == 403
    assert (await ask(files, root, "circle")).status == 404


async def test_a_pipe_is_no_file(files: StaticFiles, root: Path) -> None:
    os.mkfifo(root / "pipe.js")
    async with asyncio.timeout(60):
        assert (await ask(files, root, "pipe.js")).status == 404


@pytest.mark.parametrize("query_range", [None, "bytes=9000000-9000009"])
async def test_large_files_are_streamed(files: StaticFiles, root: Path, query_range: str | None) -> None:
    content = os.urandom(1000) * 9500
    (root / "large.bin").write_bytes(content)
    reply = await ask(files, root, "large.bin", range=query_range or "none")
    assert reply.body == (content[9000000:9000010] if query_range else content)
    assert reply.headers["content-length"] == str(len(reply.body))


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
    await files.respond(scope, receive, send, root, "large.bin")
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
    await files.respond(scope, asyncio.Event().wait, send, root, "large.bin")  # type: ignore[arg-type]
    assert messages[1] == {"type": "http.response.pathsend", "path": str((root / "large.bin").resolve())}


async def test_close_leaves_no_thread(tmp_path: Path, root: Path) -> None:
    before = set(threading.enumerate())
    (root / "slow.js").write_bytes(os.urandom(1_000_000).hex().encode())
    served = StaticFiles(cache=tmp_path)
    assert (await ask(served, root, "slow.js", accept_encoding="br")).status == 200
    started = time.monotonic()
    served.close()
    assert time.monotonic() - started < 2, "a compression under way must not hold up the end"
    await until(lambda: set(threading.enumerate()) <= before)
    assert (await ask(served, root, "tiny.css")).status == 503

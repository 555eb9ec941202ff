"""Every endpoint over ASGI: paths, methods, statuses, headers, and which of them make sessions."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.embed.bundle import extension_dirs
from tests.support.fake_host import FileApp
from tests.support.front_site import MakeSite, Site
from tests.support.needs import need_module

from hotshoe.base.errors import BuildError, CompileError, RequestError
from hotshoe.hosts.host import AppInfo
from hotshoe.seams.bokeh_extensions import find_extension
from hotshoe.tokens import mint, new_session_id, read
from hotshoe.web.files.static import StaticFiles
from hotshoe.web.front import Front


def token_in(response: httpx.Response) -> str:
    return response.text.removeprefix("<html>").removesuffix("</html>")


# -- the page


@pytest.mark.parametrize("path", ["/a", "/a/"])
async def test_page(site: Site, path: str) -> None:
    response = await site.get(f"{path}?x=1&y=", headers={"Cookie": "c=1", "X-Big": "h" * 2000})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    token = read(token_in(response))
    assert token.payload == {"arguments": {"x": [b"1"], "y": [b""]}}
    [open_request] = site.host.open_requests
    assert (open_request.app, open_request.session_id, open_request.payload) == ("/a", token.session_id, None)
    assert open_request.request.headers["X-Big"]
    assert open_request.request.cookies == {"c": "1"}
    assert open_request.request.arguments == {"x": [b"1"], "y": [b""]}


async def test_what_process_request_returned_travels_in_the_token(site: Site) -> None:
    site.host.payload = {"user": {"name": "jo", "key": b"\x00\xff"}}
    payload = read(token_in(await site.get("/a"))).payload
    assert payload == {"arguments": {}, "user": {"name": "jo", "key": b"\x00\xff"}}


async def test_what_no_token_can_carry_is_an_error_of_the_app(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.host.payload = {"session_id": "mine"}
    response = await site.get("/a")
    assert response.status_code == 500
    assert caplog.records[-1].getMessage().partition("(error ")[2].rstrip(")") in response.text


async def test_head_makes_no_session(site: Site) -> None:
    shown = await site.get("/a")
    asked = await site.request("HEAD", "/a")
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-type", "cache-control", "x-content-type-options"):
        assert asked.headers[name] == shown.headers[name]
    for path in ("/", "/a/metadata", "/a/autoload.js?bokeh-autoload-element=e", "/favicon.ico"):
        assert (await site.request("HEAD", path)).content == b""
    assert len(site.host.open_requests) == 1


@pytest.mark.parametrize("path", ["/a", "/a/autoload.js?bokeh-autoload-element=e"])
async def test_head_claims_no_length_for_what_it_has_not_built(site: Site, path: str) -> None:
    assert "content-length" not in (await site.request("HEAD", path)).headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/a/metadata", "/_hotshoe/page.js", "/favicon.ico"])
async def test_head_tells_the_length_of_what_get_brings(site: Site, path: str) -> None:
    shown, asked = await site.get(path), await site.request("HEAD", path)
    assert asked.headers["content-length"] == shown.headers["content-length"]


async def test_session_ids(site: Site) -> None:
    by_argument = await site.get("/a?bokeh-session-id=one")
    by_header = await site.get("/a", headers={"Bokeh-Session-Id": "two"})
    assert [read(token_in(each)).session_id for each in (by_argument, by_header)] == ["one", "two"]
    assert [open_request.session_id for open_request in site.host.open_requests] == ["one", "two"]


@pytest.mark.parametrize(("query", "headers", "reason"), [
    ("bokeh-session-id=a", {"Bokeh-Session-Id": "b"}, "session ID was provided as an argument and header"),
    ("bokeh-session-id=a&bokeh-token=t", {}, "Both token and session ID were provided"),
    ("bokeh-token=t", {"Bokeh-Session-Id": "b"}, "Both token and session ID were provided"),
    ("bokeh-token=t", {}, "token can&#39;t be decoded"),
    ("bokeh-token=", {}, "no token"),
    ("bokeh-token=%3Cscript%3E", {}, "malformed session token"),
    ("bokeh-session-id=", {}, "Invalid token or session ID"),
    ("bokeh-session-id=%0A", {}, "Invalid token or session ID"),
    ("bokeh-session-id=" + "x" * 5000, {}, "Invalid token or session ID"),
])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_refused_sessions(site: Site, method: str, query: str, headers: dict[str, str], reason: str) -> None:
    response = await site.request(method, f"/a?{query}", headers=headers)
    assert response.status_code == 403
    assert method == "HEAD" or reason in response.text
    assert not site.host.open_requests


async def test_a_token_is_kept_and_brings_its_arguments(site: Site) -> None:
    token = mint(new_session_id(), now_s=2e9, lifetime_s=300, payload={"arguments": {"x": [b"1"]}, "k": 1})
    response = await site.get(f"/a?bokeh-token={token}&x=2")
    assert token_in(response) == token
    assert site.host.open_requests[0].payload == {"arguments": {"x": [b"1"]}, "k": 1}
    assert site.host.open_requests[0].request.arguments == {"x": [b"1"]}


async def test_nothing_follows_a_token_that_would_end_the_script(site: Site) -> None:
    token = mint("s", now_s=2e9, lifetime_s=300)
    response = await site.get(f"/a?bokeh-token={token}.%22%3Cb%3E")
    assert response.status_code == 403
    assert "<b>" not in response.text


async def test_an_expired_token_only_joins_a_live_session(site: Site) -> None:
    token = mint("old", now_s=1, lifetime_s=1)
    assert (await site.get(f"/a?bokeh-token={token}")).status_code == 410
    site.host.live.add(("/a", "old"))
    assert (await site.get(f"/a?bokeh-token={token}")).status_code == 200
    assert not site.host.open_requests


@pytest.mark.parametrize("where", ["open", "page"])
async def test_a_failing_app_is_a_500_with_its_id(site: Site, where: str) -> None:
    site.host.failures[where] = BuildError("/a", "c0ffee11")
    response = await site.get("/a")
    assert response.status_code == 500
    assert "c0ffee11" in response.text
    assert "This app failed to build its page." in response.text
    assert (await site.get("/b/metadata")).status_code == 200


@pytest.mark.parametrize("error", [CompileError("x.ts: secret"), ZeroDivisionError("secret")])
async def test_other_failures_say_only_their_id(site: Site, error: Exception,
                                                caplog: pytest.LogCaptureFixture) -> None:
    site.host.failures["page"] = error
    response = await site.get("/a")
    assert response.status_code == 500
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().partition("(error ")[2].rstrip(")") in response.text
    assert "secret" not in response.text


async def test_a_request_that_the_host_refuses(site: Site) -> None:
    site.host.failures["open"] = RequestError("not <here>", status=400)
    response = await site.get("/a")
    assert response.status_code == 400
    assert "not &lt;here&gt;" in response.text


# -- paths and methods


@pytest.mark.parametrize("path", ["/c", "/a/b", "/ab", "/_hotshoe/no.js", "/_hotshoe/models/x.js", "/ws",
                                  "/static/extensions/none/x.js", "/static/no.js"])
async def test_not_found(site: Site, path: str) -> None:
    assert (await site.get(path)).status_code == 404
    assert (await site.request("POST", path)).status_code in (404, 405)
    assert not site.host.open_requests


@pytest.mark.parametrize(("path", "allow"), [
    ("/a", "GET, HEAD"), ("/", "GET, HEAD"), ("/a/metadata", "GET, HEAD"), ("/a/ws", "GET"),
    ("/a/autoload.js", "GET, HEAD, OPTIONS"), ("/static/js/bokeh.min.js", "GET, HEAD"),
])
async def test_method_not_allowed(site: Site, path: str, allow: str) -> None:
    for method in ("POST", "DELETE", "BREW"):
        response = await site.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allow)


async def test_prefix_and_mount(make_site: MakeSite) -> None:
    site = make_site("/my app", "/b", prefix="/p/")
    assert (await site.get("/p/my%20app")).status_code == 200
    assert (await site.get("/p/my%20app/metadata")).json()["url"] == "/my app"
    assert (await site.get("/my%20app")).status_code == 404
    async with site.client(root_path="/outer") as client:
        assert (await client.get("/outer/p/b")).status_code == 200
        assert (await client.get("/p/b")).status_code == 200
    assert site.host.open_requests[-2].request.path == "/outer/p/b"


async def test_metadata(site: Site) -> None:
    response = await site.get("/a/metadata")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"url": "/a", "data": {"of": "/a"}}
    assert not site.host.open_requests


async def test_plain_get_of_a_socket(site: Site) -> None:
    response = await site.get("/a/ws")
    assert (response.status_code, response.text) == (400, 'Can "Upgrade" only to "WebSocket".')


# -- the index


@pytest.mark.parametrize(("path", "location"), [("/", "./a%20b"), ("/p", "./p/a%20b"), ("/p/", "./a%20b")])
async def test_one_app_is_redirected_to(make_site: MakeSite, path: str, location: str) -> None:
    site = make_site("/a b", prefix=path)
    response = await site.get(f"{path}?x=1")
    assert (response.status_code, response.headers["location"]) == (302, location)
    assert not site.host.open_requests


async def test_index(make_site: MakeSite) -> None:
    about = AppInfo("/a:b", "<Title> & more", "What it <does>", thumbnail="shot.png")
    site = make_site(about, "/b")
    response = await site.get("/")
    assert response.status_code == 200
    assert "&lt;Title&gt; &amp; more" in response.text
    assert "What it &lt;does&gt;" in response.text
    assert 'href="./a%3Ab"' in response.text
    assert 'src="./_hotshoe/thumbnails/a%3Ab"' in response.text
    assert "_hotshoe/source" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "http" not in response.text.replace("http://www.w3.org/2000/svg", "").replace("http%3A//www.w3.org", "")


HERE_AND_ELSEWHERE = pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])
"""Whether the host runs on another machine, so that the front can't open files of apps."""


@HERE_AND_ELSEWHERE
async def test_thumbnails_are_files_of_their_apps(make_site: MakeSite, is_elsewhere: bool, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a picture")
    (tmp_path / "secret").write_text("not to be seen")
    site = make_site(FileApp("/a", "A", thumbnail=tmp_path / "a.png"), "/b", prefix="p")
    site.host.is_elsewhere = is_elsewhere
    response = await site.get("/p/_hotshoe/thumbnails/a")
    assert (response.content, response.headers["content-type"]) == (b"a picture", "image/png")
    for path in ("b", "c", "a/../secret", "a/%2e%2e/secret", ""):
        assert (await site.get(f"/p/_hotshoe/thumbnails/{path}")).status_code == 404, path


async def test_the_source_is_shown_only_if_that_is_wanted(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('<script>alert(1)</script>')\n")
    app = FileApp("/a", "A", source=tmp_path / "main.py")
    assert (await make_site(app, "/b").get("/_hotshoe/source/a")).status_code == 404
    site = make_site(app, "/b", show_source=True)
    page = await site.get("/_hotshoe/source/a")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text
    assert 'href="../../a"' in page.text
    assert (await site.get("/_hotshoe/source/b")).status_code == 404
    index = (await site.get("/")).text
    assert 'href="./_hotshoe/source/a"' in index
    assert "_hotshoe/source/b" not in index


async def test_index_settings(make_site: MakeSite) -> None:
    assert (await make_site("/a", disable_index_redirect=True).get("/")).status_code == 200
    for site in (make_site("/a", disable_index=True), make_site("/a", "/b", disable_index=True)):
        assert (await site.get("/")).status_code == 404
        assert "All apps" not in (await site.get("/nothing")).text
    assert 'href="../"' in (await make_site("/a", "/b").get("/no/thing")).text


async def test_an_app_at_the_root_has_no_index(make_site: MakeSite) -> None:
    site = make_site("/", "/b")
    assert (await site.get("/")).text.startswith("<html>")
    assert (await site.get("/metadata")).json()["url"] == "/"


async def test_favicon(make_site: MakeSite) -> None:
    site = make_site("/a", prefix="p")
    for path in ("/favicon.ico", "/p/favicon.ico"):
        response = await site.get(path)
        assert response.headers["content-type"] == "image/x-icon"
        assert response.content.startswith(b"\0\0\1\0")


async def test_an_icon_of_ones_own_or_none(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "own.ico").write_bytes(b"mine")
    assert (await make_site("/a", ico_path=str(tmp_path / "own.ico")).get("/favicon.ico")).content == b"mine"
    assert (await make_site("/a", ico_path="none").get("/favicon.ico")).status_code == 404


# -- files


@HERE_AND_ELSEWHERE
async def test_static(make_site: MakeSite, is_elsewhere: bool, tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("a{}")
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "bokeh.min.js").write_text("mine")
    site = make_site(FileApp("/a", "A", static_dir=tmp_path), "/b")
    site.host.is_elsewhere = is_elsewhere
    assert (await site.get("/a/static/own.css")).text == "a{}"
    assert (await site.get("/a/static/js/bokeh.min.js")).text == "mine"
    shared = await site.get("/static/js/bokeh.min.js")
    assert len(shared.content) > 100_000
    assert (await site.get("/b/static/js/bokeh.min.js")).content == shared.content
    assert (await site.get("/a/static/js/bokeh-widgets.min.js")).status_code == 200
    assert (await site.get("/a/static/%2e%2e/x")).status_code == 403
    assert (await site.get("/a/static/own.css%00")).status_code == 404
    head = await site.request("HEAD", "/static/js/bokeh.min.js")
    assert head.content == b""
    assert head.headers["etag"] == shared.headers["etag"]


async def test_extension_files_from_the_first_request_on(site: Site) -> None:
    pytest.importorskip("panel")
    for base in ("/static", "/a/static"):
        response = await site.get(f"{base}/extensions/panel/panel.min.js")
        assert response.status_code == 200


@pytest.mark.parametrize("prefix", ["", "p"])
async def test_a_folder_that_a_library_has_registered_is_served(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch,
                                                               tmp_path: Path, prefix: str) -> None:
    site = make_site("/a", prefix=prefix)
    base = f"{prefix and '/'}{prefix}/static/extensions/my-parts"
    assert (await site.get(f"{base}/lib/parts.js")).status_code == 404
    (tmp_path / "parts" / "lib").mkdir(parents=True)
    (tmp_path / "parts" / "lib" / "parts.js").write_text("made = 1")
    (tmp_path / "parts" / ".env").write_text("secret")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setitem(extension_dirs, "my-parts", tmp_path / "parts")
    monkeypatch.setattr(site.front, "_static", StaticFiles(fresh_s=0))
    assert (await site.get(f"{base}/lib/parts.js")).text == "made = 1"
    assert (await site.get(base.replace("/static", "/a/static") + "/lib/parts.js")).text == "made = 1"
    for outside in ("%2e%2e/secret.js", ".env", "lib", "lib/none.js", ""):
        assert (await site.get(f"{base}/{outside}")).status_code in (403, 404), outside


async def test_an_extension_s_files_are_kept_by_its_version(site: Site) -> None:
    need_module("panel")
    extension = find_extension("panel")
    assert extension is not None
    ours, panels = extension.path.partition("?v=")[2], version("panel")
    for version_asked, caching in ((ours, "immutable"), (panels, "immutable"), ("0.1", "no-cache")):
        for file in ("panel.min.js", "css/button.css"):
            response = await site.get(f"/static/extensions/panel/{file}?v={version_asked}")
            assert caching in response.headers["cache-control"], (version_asked, file)


async def test_a_package_that_registers_its_own_folder_by_a_link_keeps_its_versions(
        site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_module("panel")
    extension = find_extension("panel")
    assert extension is not None
    (tmp_path / "dist").symlink_to(extension.file.parent)
    monkeypatch.setitem(extension_dirs, "panel", tmp_path / "dist")
    response = await site.get(f"/static/extensions/{extension.path}")
    assert "immutable" in response.headers["cache-control"]


async def test_our_script(site: Site) -> None:
    plain = await site.get("/_hotshoe/page.js")
    assert plain.status_code == 200
    assert plain.headers["cache-control"] == "no-cache"
    version = plain.headers["etag"].strip('"').partition("-")[0]
    assert "immutable" in (await site.get(f"/_hotshoe/page.js?v={version}")).headers["cache-control"]
    assert (await site.get("/_hotshoe/page.js?v=old")).headers["cache-control"] == "no-cache"
    again = await site.get("/_hotshoe/page.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("gzip, br", "br"), ("identity", None)])
async def test_our_script_is_compressed(site: Site, accepted: str, encoding: str | None) -> None:
    plain = await site.get("/_hotshoe/page.js", headers={"Accept-Encoding": ""})
    response = await site.get("/_hotshoe/page.js", headers={"Accept-Encoding": accepted})
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["vary"] == "Accept-Encoding"
    assert (int(response.headers["content-length"]) < len(plain.content) / 2) is (encoding is not None)
    tag = response.headers["etag"]
    assert (tag == plain.headers["etag"]) is (encoding is None)
    assert (await site.get("/_hotshoe/page.js", headers={"If-None-Match": tag})).status_code == 304


# -- autoload


async def test_autoload(site: Site) -> None:
    response = await site.get("/a/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/a&bokeh-absolute-url=http://h/a&x=1")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/javascript")
    assert response.text.startswith("/* e /a http://h/a True ")
    assert read(response.text.split()[5]).payload["arguments"]["x"] == [b"1"]
    bare = await site.get("/a/autoload.js?bokeh-autoload-element=e&resources=none")
    assert bare.text.startswith("/* e / None False ")


async def test_autoload_without_an_element_makes_no_session(site: Site) -> None:
    for query in ("", "?bokeh-autoload-element="):
        response = await site.get(f"/a/autoload.js{query}")
        assert response.status_code == 400
        assert response.text == "No bokeh-autoload-element query parameter"
        assert response.headers["access-control-allow-origin"] == "*"
    assert not site.host.open_requests


async def test_a_failing_autoload_says_so_in_the_page(site: Site) -> None:
    site.host.failures["open"] = BuildError("/a", "c0ffee11")
    hostile = "</script><script>alert(1)//\u2028"
    response = await site.get("/a/autoload.js", params={"bokeh-autoload-element": hostile})
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("application/javascript")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "c0ffee11" in response.text
    assert "<script>" not in response.text
    assert "\u2028" not in response.text
    refused = await site.get("/a/autoload.js?bokeh-autoload-element=e&bokeh-session-id=")
    assert (refused.status_code, "Invalid token or session ID" in refused.text) == (403, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(("origin", "echoed"), [
    (None, False), ("http://testserver", True), ("http://friend.org", True), ("http://evil.com", False),
    ("null", False),
])
async def test_cors(make_site: MakeSite, method: str, origin: str | None, echoed: bool) -> None:
    site = make_site("/a", allow_websocket_origin=("friend.org", "*"))
    headers = {"Cookie": "c=1"} | ({"Origin": origin} if origin else {})
    response = await site.request(method, "/a/autoload.js?bokeh-autoload-element=e", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == (origin if echoed else "*")
    assert ("access-control-allow-credentials" in response.headers) is echoed
    assert response.headers["access-control-allow-headers"] == "*"
    assert ("access-control-allow-methods" in response.headers) is (method == "OPTIONS")


# -- life


async def test_starts_with_the_first_request_once(site: Site) -> None:
    await asyncio.gather(*(site.get("/a") for _ in range(5)))
    assert site.host.started == 1


async def lifespan(front: Front, during: Any = None) -> list[str]:
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    to_app.put_nowait({"type": "lifespan.startup"})

    async def send(event: Any) -> None:
        said.put_nowait(event)

    task = asyncio.create_task(front({"type": "lifespan"}, to_app.get, send))
    events = [await asyncio.wait_for(said.get(), 5)]
    if during is not None:
        await during()
    if not events[0]["type"].endswith("failed"):
        to_app.put_nowait({"type": "lifespan.shutdown"})
        events.append(await asyncio.wait_for(said.get(), 5))
    await asyncio.wait_for(task, 5)
    return [f"{event['type']} {event.get('message', '')}".strip() for event in events]


async def test_lifespan(site: Site) -> None:
    assert await lifespan(site.front) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (site.host.started, site.host.stopped) == (1, 1)
    response = await site.get("/a")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")


async def test_a_start_that_fails_is_told(site: Site) -> None:
    site.host.failures["start"] = RuntimeError("hook failed")
    assert await lifespan(site.front) == ["lifespan.startup.failed hook failed"]


async def test_unknown_connections_are_refused(site: Site) -> None:
    with pytest.raises(RuntimeError, match="smoke"):
        await site.front({"type": "smoke"}, None, None)  # type: ignore[arg-type]



"""The HTTP questions that both servers are asked, and what of an answer is compared."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from bokeh.util.token import get_token_payload
from tests.support.raw_http import Question, Reply, get, request

from hotshoe.pages.assets import bokehjs_dir, file_version

EMBED = "bokeh-autoload-element=spot&bokeh-app-path=/sliders&bokeh-absolute-url=http://other.example/sliders"
_SCRIPT = "js/bokeh.min.js"
_HEADERS = (
    "content-type", "location", "cache-control", "accept-ranges", "content-range", "content-encoding", "allow",
    "access-control-allow-origin", "access-control-allow-headers", "access-control-allow-credentials",
    "access-control-allow-methods",
)  # fmt: skip
_PRESENT = ("etag", "last-modified", "expires", "set-cookie")


def token(session_id: Any = "id-of-a-token", *, age_s: float = 0, **more: Any) -> str:
    """A token as anyone can write one for a server that does not sign."""
    # It is made before the tests run; a fresh one must still be good when its turn comes.
    lifetime_s = 300 if age_s else 10_000
    fields = {"session_id": session_id, "session_expiry": int(time.time() - age_s) + lifetime_s, **more}
    return encoded(json.dumps({name: value for name, value in fields.items() if value is not None}))


def encoded(text: str) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def http_questions() -> Iterator[Question]:
    """All of them; each has a name of its own."""
    yield from _methods()
    yield from _pages()
    yield from _autoload()
    yield from _static()
    yield from _roots()


def _methods() -> Iterator[Question]:
    paths = {
        "index": "/", "page": "/sliders", "autoload": f"/sliders/autoload.js?{EMBED}", "socket": "/sliders/ws",
        "metadata": "/sliders/metadata", "static": "/static/js/bokeh.min.js", "own static": "/house/static/own.css",
        "favicon": "/favicon.ico", "unknown": "/nothing/here",
    }  # fmt: skip
    for name, path in paths.items():
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
            yield Question(f"{method} {name}", path, method)


def _pages() -> Iterator[Question]:
    for name, query, headers in [
        ("id as argument", "bokeh-session-id=chosen", {}),
        ("id as header", "", {"Bokeh-Session-Id": "chosen-too"}),
        ("id as both", "bokeh-session-id=a", {"Bokeh-Session-Id": "a"}),
        ("token", f"bokeh-token={token()}", {}),
        ("token and id", f"bokeh-token={token()}&bokeh-session-id=a", {}),
        ("token and id header", f"bokeh-token={token()}", {"Bokeh-Session-Id": "a"}),
        ("token that is none", "bokeh-token=nonsense", {}),
        ("token without id", f"bokeh-token={token(None)}", {}),
        ("token without expiry", f"bokeh-token={token('no-expiry', session_expiry=None)}", {}),
        ("token too old", f"bokeh-token={token('too-old', age_s=1000)}", {}),
        ("empty token", "bokeh-token=", {}),
        ("empty id", "bokeh-session-id=", {}),
        ("arguments", "a=1&a=2&b=%C3%A9&c=&bokeh-session-id=of-arguments&d=x%20y", {}),
        ("cookies and headers", "bokeh-session-id=of-cookies", {"Cookie": "k=v; l=w", "X-Of-Page": "h"}),
    ]:
        for end in ("", "/autoload.js"):
            more = "&bokeh-autoload-element=spot" if end else ""
            yield Question(f"{'autoload' if end else 'page'} by {name}", f"/house{end}?{query}{more}", headers=headers)
    for name, path in [("slash", "/sliders/"), ("two slashes", "/sliders//"), ("double slash before", "//sliders"),
                       ("other case", "/Sliders"), ("quoted", "/%73liders"), ("extension", "/sliders.py"),
                       ("metadata slash", "/sliders/metadata/"), ("autoload slash", f"/sliders/autoload.js/?{EMBED}"),
                       ("socket slash", "/sliders/ws/"), ("below", "/sliders/other"), ("module", "/house/main.py"),
                       ("hooks", "/house/app_hooks"), ("template", "/house/templates/index.html")]:
        yield Question(f"path {name}", path)
    yield Question("page of a broken app", "/broken")
    yield Question("autoload of a broken app", "/broken/autoload.js?bokeh-autoload-element=spot")
    yield Question("metadata of a broken app", "/broken/metadata")


def _autoload() -> Iterator[Question]:
    origin = {"Origin": "http://other.example"}
    for name, query, headers in [
        ("element", "bokeh-autoload-element=spot", {}),
        ("all arguments", EMBED, {}),
        ("no element", "bokeh-app-path=/sliders", {}),
        ("empty element", "bokeh-autoload-element=", {}),
        ("no resources", f"{EMBED}&resources=none", {}),
        ("default resources", f"{EMBED}&resources=default", {}),
        ("strange resources", f"{EMBED}&resources=cdn", {}),
        ("origin", EMBED, origin),
        ("origin and cookies", EMBED, {**origin, "Cookie": "a=b"}),
        ("path that breaks out", "bokeh-autoload-element=spot&bokeh-app-path=%22%2Balert(1)%2B%22", {}),
    ]:
        yield Question(f"autoload with {name}", f"/sliders/autoload.js?{query}", headers=headers)
    asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-of-page"}
    yield Question("preflight of autoload", f"/sliders/autoload.js?{EMBED}", "OPTIONS", asked)
    yield Question("preflight of autoload with cookies", f"/sliders/autoload.js?{EMBED}", "OPTIONS",
                   {**asked, "Cookie": "a=b"})


def _static() -> Iterator[Question]:
    for name, path in [
        ("bokeh", "/static/js/bokeh.js"), ("minified", "/static/js/bokeh.min.js"),
        ("of its version", f"/static/{_SCRIPT}?v={file_version(bokehjs_dir() / _SCRIPT)}"),
        ("of another version", f"/static/{_SCRIPT}?v=0123"),
        ("nothing", "/static/js/nothing.js"), ("folder", "/static/js"), ("folder slash", "/static/js/"),
        ("root", "/static/"), ("bare", "/static"), ("climbing", "/static/../server/server.py"),
        ("climbing quoted", "/static/%2e%2e/server.py"), ("climbing far", "/static/js/../../../../../../etc/passwd"),
        ("absolute", "/static//etc/passwd"), ("null byte", "/static/js/bokeh.js%00.css"),
        ("backslash", "/static/js%5cbokeh.js"), ("own", "/house/static/own.css"), ("own none", "/house/static/x.css"),
        ("own bokeh", "/house/static/js/bokeh.min.js"), ("own climbing", "/house/static/../main.py"),
        ("own climbing quoted", "/house/static/%2e%2e/main.py"), ("app without own", "/sliders/static/js/bokeh.min.js"),
        ("of panel", "/static/extensions/panel/panel.min.js"), ("extension unknown", "/static/extensions/nothing/x.js"),
    ]:  # fmt: skip
        yield Question(f"file {name}", path)
    file = "/house/static/own.css"
    for name, value in [("first", "bytes=0-3"), ("last", "bytes=-4"), ("from", "bytes=5-"), ("beyond", "bytes=9999-"),
                        ("too long", "bytes=0-9999"), ("nonsense", "bytes=a-b"), ("other unit", "lines=1-2"),
                        ("whole", "bytes=0-"), ("empty suffix", "bytes=-0")]:
        yield Question(f"range {name}", file, headers={"Range": value})
    yield Question("not modified since", file, headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    yield Question("modified since", file, headers={"If-Modified-Since": "Fri, 01 Jan 1999 00:00:00 GMT"})
    yield Question("modified since nonsense", file, headers={"If-Modified-Since": "yesterday"})
    yield Question("tag of another", file, headers={"If-None-Match": '"other"'})
    yield Question("any tag", file, headers={"If-None-Match": "*"})
    yield Question("same tag", file, headers={"If-None-Match": "THE-TAG"})
    yield Question("same tag, weak and among others", file, headers={"If-None-Match": '"a", W/THE-TAG'})
    yield Question("tag before date", file, headers={"If-None-Match": '"other"',
                                                   "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    yield Question("encoding offered", file, headers={"Accept-Encoding": "gzip"})
    yield Question("encoding of a large file", "/static/js/bokeh.min.js", headers={"Accept-Encoding": "gzip"})


def _roots() -> Iterator[Question]:
    for site in ("single", "prefix", "listed", "unlisted"):
        for name, path in [("root", "/"), ("root with query", "/?a=1"), ("page", "/house"),
                           ("below the prefix", "/p/q/"), ("prefix bare", "/p/q"),
                           ("prefix slashes", "/p/q//"), ("half the prefix", "/p"),
                           ("page below", "/p/q/house"), ("metadata below", "/p/q/house/metadata"),
                           ("static below", "/p/q/static/js/bokeh.min.js"), ("static", "/static/js/bokeh.min.js"),
                           ("own static below", "/p/q/house/static/own.css"), ("favicon", "/favicon.ico"),
                           ("favicon below", "/p/q/favicon.ico")]:
            yield Question(f"{site}: {name}", path, site=site)


def ask(port: int, question: Question) -> Reply:
    """Ask a server; ``THE-TAG`` stands for the tag that it gives the file."""
    headers = dict(question.headers)
    if any("THE-TAG" in value for value in headers.values()):
        tag = get(port, question.path).headers["etag"]
        headers = {name: value.replace("THE-TAG", tag) for name, value in headers.items()}
    return request(port, question.path, question.method, headers)


def facets(reply: Reply) -> dict[str, Any]:
    """What of an answer is compared."""
    found: dict[str, Any] = {"status": reply.status}
    for name in _HEADERS:
        if name in reply.headers:
            found[name] = reply.headers[name].lower()
    if reply.reason != HTTPStatus(reply.status).phrase:
        found["reason"] = "in the status line"
    for name in _PRESENT:
        if name in reply.headers:
            found[name] = "present"
    return found | _of_body(reply)


def _of_body(reply: Reply) -> dict[str, Any]:
    kind = reply.headers.get("content-type", "")
    if reply.status >= 400 or not reply.body:
        return {} if reply.body else {"body": "empty"}
    if kind.startswith("application/json"):
        return {"json": reply.json}
    if kind == "text/html" or kind.startswith("text/html;"):
        return _of_page(reply)
    if "autoload.js" in reply.url:
        return _of_script(reply)
    if kind == "image/x-icon":
        return {"body": "an icon"}
    body = gzip.decompress(reply.body) if reply.headers.get("content-encoding") == "gzip" else reply.body
    return {"body": hashlib.sha256(body).hexdigest()[:16]}


def _of_page(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = {"title": reply.title}
    if '"token"' in reply.text:
        found |= _of_token(reply.token)
        found["roots"] = len(set(re.findall(r'data-root-id="(\w+)"', reply.text)))
    return found


def _of_script(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = {"resources": "bokeh.min.js" in reply.text, "at": "spot" in reply.text}
    return found | _of_token(reply.token)


def _of_token(text: str) -> dict[str, Any]:
    body = text.partition(".")[0]
    fields = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    session_id = fields["session_id"]
    lasts = "session_expiry" in fields and round((fields["session_expiry"] - time.time()) / 100) * 100
    return {"session": session_id if len(session_id) != 44 else "generated", "lasts_s": lasts,
            "carries": ", ".join(sorted(get_token_payload(text)))}

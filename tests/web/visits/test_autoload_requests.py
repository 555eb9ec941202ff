"""Who may embed with what, and what is said where an app can't be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from tests.support.front_site import MakeSite, Site

from hotshoe.auth.provider import Endpoint
from hotshoe.base.errors import BuildError, CapacityError
from hotshoe.base.users import User
from hotshoe.tokens import read
from hotshoe.web.gate.auth_options import AuthOptions
from hotshoe.web.visits.autoload_requests import embedder_headers

PLAN = {"Accept": "application/json"}
ABSOLUTE = "bokeh-autoload-element=e&bokeh-app-path=/a&bokeh-absolute-url=http://testserver/a"
STRANGER = {"Origin": "http://site.org"}


def scope_of(headers: dict[str, str], method: str = "GET") -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": "/a/autoload.js", "query_string": b"", "headers": raw}


class Nobody:
    """A provider that knows nobody yet."""

    endpoints: Mapping[str, Endpoint] = {}
    logout_path = None

    async def user_of(self, connection: HTTPConnection) -> User | None:
        return None

    async def login_path(self, connection: HTTPConnection) -> str | None:
        return "/enter"

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self) -> None:
        """Nor to close."""


def said_in(script: str) -> dict[str, Any]:
    found = re.search(r"^autoload\((\{.*\}), document", script, re.MULTILINE)
    assert found is not None, script
    said: dict[str, Any] = json.loads(found[1])
    return said


async def test_a_script_of_ours_gets_the_plan(site: Site) -> None:
    response = await site.get("/a/autoload.js?bokeh-app-path=/a", headers=PLAN)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Origin, Accept"
    assert response.text.startswith("/* None /a None True ")


async def test_head_makes_no_session(site: Site) -> None:
    assert (await site.request("HEAD", "/a/autoload.js", headers=PLAN)).status_code == 200
    assert not site.host.open_requests


@pytest.mark.parametrize(("query", "headers", "status"), [
    (ABSOLUTE, STRANGER, 403),
    (ABSOLUTE, {"Origin": "null"}, 403),
    (ABSOLUTE, {**STRANGER, "Sec-Fetch-Site": "cross-site"}, 403),
    ("", {**STRANGER, **PLAN}, 403),
    (ABSOLUTE, {}, 200),
    (ABSOLUTE, {"Origin": "http://testserver"}, 200),
    (ABSOLUTE, {"Origin": "https://friend.org:8443"}, 200),
    (ABSOLUTE, {**STRANGER, "Sec-Fetch-Site": "same-origin"}, 200),
    (ABSOLUTE, {"Referer": "http://site.org/page"}, 200),
    ("", {"Origin": "http://testserver", **PLAN}, 200),
    # The page's own host has the websocket, so that it is not for this server to say.
    ("bokeh-autoload-element=e&bokeh-app-path=/a", STRANGER, 200),
    ("bokeh-autoload-element=e&bokeh-absolute-url=http://site.org/p/a", STRANGER, 200),
])
async def test_who_is_refused(make_site: MakeSite, query: str, headers: dict[str, str], status: int) -> None:
    site = make_site("/a", allow_websocket_origin=("friend.org:8443",))
    response = await site.get(f"/a/autoload.js?{query}", headers=headers)
    assert response.status_code == status
    assert len(site.host.open_requests) == (1 if status == 200 else 0)


async def test_a_refusal_names_the_flag(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    expected = {"error": "This server does not allow pages of http://site.org:81 to embed its apps.",
                "flag": "--allow-websocket-origin=site.org:81"}
    origin = {"Origin": "http://site.org:81", "Cookie": "c=1"}
    plan = await site.get("/a/autoload.js", headers={**origin, **PLAN})
    assert plan.json() == expected
    script = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers=origin)
    where = {"elementid": "e", "app_path": "/a", "absolute_url": "http://testserver/a"}
    assert said_in(script.text) == {**where, **expected}
    for response in (plan, script):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers
    assert "site.org:81" in caplog.text


async def test_a_script_element_sends_no_origin_and_runs_no_403(site: Site) -> None:
    headers = {"Referer": "http://site.org/page", "Sec-Fetch-Dest": "script", "Sec-Fetch-Site": "cross-site"}
    response = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers=headers)
    assert response.status_code == 200
    assert "http://site.org to embed" in said_in(response.text)["error"]
    assert not site.host.open_requests
    own = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers={**headers, "Referer": "http://testserver/p"})
    assert own.text.startswith("/* e ")


@pytest.mark.parametrize("query", ["bokeh-autoload-element=e", ABSOLUTE,
                                   "bokeh-autoload-element=e&bokeh-absolute-url=http://site.org/a"])
@pytest.mark.parametrize("site_of_it", ["cross-site", "same-site"])
@pytest.mark.parametrize("more", [{}, {"Referer": "http://site.org/page"}])
async def test_a_script_element_elsewhere_gets_no_token(make_site: MakeSite, query: str, site_of_it: str,
                                                        more: dict[str, str]) -> None:
    """The browser sends cookies with it, unasked, and the page can read the token."""
    asking = {"Sec-Fetch-Dest": "script", "Sec-Fetch-Site": site_of_it, **more}
    for allowed, makes in (((), 0), (("*",), 1), (("site.org",), int("Referer" in more))):
        site = make_site("/a", allow_websocket_origin=allowed)
        await site.get(f"/a/autoload.js?{query}", headers=asking)
        assert len(site.host.open_requests) == makes


@pytest.mark.parametrize("origin", ["null", "file://", "http://[", "http://site.org\"<b>", "\u00e9"])
async def test_strange_origins(site: Site, origin: str) -> None:
    headers = {"Origin": origin, **PLAN} if origin.isascii() else {b"Origin": b"\xe9", b"Accept": b"application/json"}
    response = await site.get("/a/autoload.js", headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]


@pytest.mark.parametrize(("failure", "status", "said"), [
    (BuildError("/a", "c0ffee11"), 500, {"error": "This app failed to build its page.", "error_id": "c0ffee11"}),
    (CapacityError("It is full. Come back."), 503, {"error": "It is full. Come back."}),
])
async def test_what_is_said_of_failures(site: Site, failure: Exception, status: int, said: dict[str, str]) -> None:
    site.host.failures["open"] = failure
    response = await site.get("/a/autoload.js", headers=PLAN)
    assert (response.status_code, response.json()) == (status, said)
    assert ("retry-after" in response.headers) is (status == 503)
    assert response.headers["access-control-expose-headers"] == "Retry-After"
    script = await site.get(f"/a/autoload.js?{ABSOLUTE}")
    assert script.status_code == status
    assert said_in(script.text).items() >= {"elementid": "e", **said}.items()


async def test_that_there_is_no_app_can_be_read_by_any_page(site: Site) -> None:
    response = await site.get("/nothing/autoload.js", headers={**STRANGER, **PLAN})
    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json()["error"]


async def test_who_has_to_log_in_is_told_where(make_site: MakeSite) -> None:
    site = make_site("/a", auth_options=AuthOptions(auth=Nobody()))
    for headers in (PLAN, {}):
        response = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers=headers)
        said = response.json() if headers else said_in(response.text)
        assert (response.status_code, said["error"]) == (401, "This app asks you to log in.")
        assert said["login"] == "../enter"
    assert not site.host.open_requests


# -- the element's script


@pytest.mark.parametrize("path", ["/a/embed.js", "/nothing/embed.js", "/embed.js", "/_hotshoe/embed.js"])
async def test_the_elements_script(site: Site, path: str) -> None:
    script = await site.get(path)
    assert script.text.startswith("(function () {")
    assert script.headers["content-type"].startswith("application/javascript")
    assert (script.headers["cache-control"], script.headers["access-control-allow-origin"]) == ("no-cache", "*")
    again = await site.get(path, headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    version = script.headers["etag"].strip('"').partition("-")[0]
    assert "immutable" in (await site.get(f"{path}?v={version}")).headers["cache-control"]


async def test_the_elements_script_comes_before_the_login(make_site: MakeSite) -> None:
    site = make_site("/a", auth_options=AuthOptions(auth=Nobody()))
    assert (await site.get("/a/embed.js")).status_code == 200


# -- preflights


@pytest.mark.parametrize(("asked", "listed"), [
    (None, "*"), ("x-a", "x-a"), ("authorization, X-A,x-b", "authorization, X-A, x-b"),
    ("", "*"), ("x a", "*"), ("x-a\"", "*"), ("x" * 101, "*"), ("x,", "*"),
])
async def test_a_preflight_lists_what_is_asked_for(site: Site, asked: str | None, listed: str) -> None:
    headers = {"Origin": "http://testserver", "Access-Control-Request-Method": "GET"}
    if asked is not None:
        headers["Access-Control-Request-Headers"] = asked
    response = await site.request("OPTIONS", "/a/autoload.js", headers=headers)
    assert response.headers["access-control-allow-headers"] == listed
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["access-control-max-age"] == "600"


# -- an embedder's headers


async def test_the_token_carries_them(site: Site) -> None:
    response = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers={
        "Origin": "http://testserver", "X-A": "b", "Bokeh-Embed-Headers": "x-a=b", "User-Agent": "x" * 500})
    assert read(response.text.split()[5]).payload["headers"] == {"X-A": "b"}


async def test_the_token_carries_none_that_apps_do_not_get_to_see(make_site: MakeSite) -> None:
    site = make_site("/a", exclude_headers=("x-key",))
    response = await site.get(f"/a/autoload.js?{ABSOLUTE}", headers={
        "Origin": "http://testserver", "X-Key": "k", "X-A": "b", "Bokeh-Embed-Headers": "x-a=b&x-key=k"})
    assert read(response.text.split()[5]).payload["headers"] == {"X-A": "b"}


BROWSERS = {
    "Host": "h:5006", "Origin": "http://site.org", "Referer": "http://site.org/", "User-Agent": "x", "Cookie": "c=1",
    "Accept": "*/*", "Accept-Encoding": "br", "Accept-Language": "en", "Connection": "keep-alive", "Dnt": "1",
    "Sec-Fetch-Mode": "cors", "Sec-Ch-Ua": "x", "Cache-Control": "no-cache", "Pragma": "no-cache", "Priority": "u=1",
    "If-None-Match": "x", "Content-Type": "text/plain", "Bokeh-Session-Id": "x", "Authorization": "Basic x",
}
PROXIES = {
    "X-Forwarded-For": "1", "X-Forwarded-User": "u" * 300, "Forwarded": "x", "Via": "x", "X-Real-Ip": "1",
    "X-Auth-Request-Groups": "g" * 3000, "X-Auth-Request-Access-Token": "t", "Remote-User": "u", "X-Remote-User": "u",
    "Cf-Connecting-Ip": "1", "X-Amzn-Oidc-Data": "x", "X-Request-Id": "1", "Traceparent": "1", "Oidc-Claim-Sub": "s",
    "X-Ms-Client-Principal": "x", "X-Goog-Authenticated-User-Email": "x", "X-Envoy-Peer-Metadata": "x",
}


def test_neither_a_browsers_headers_nor_a_proxys_are_an_embedders() -> None:
    assert embedder_headers(scope_of({**BROWSERS, **PROXIES})) == {}


def test_bokehs_script_sends_headers_without_a_word() -> None:
    assert embedder_headers(scope_of({**BROWSERS, **PROXIES, "X-Of-Page": "a", "Tenant": "b"})) == {
        "X-Of-Page": "a", "Tenant": "b"}


@pytest.mark.parametrize("changes", [{"Origin": "http://h:5006"}, {"X-Of-Page": "a" * 513}])
def test_what_a_token_can_do_without_or_not_hold_is_left_out(changes: dict[str, str]) -> None:
    assert embedder_headers(scope_of({**BROWSERS, "X-Of-Page": "a", **changes})) == {}


def test_a_page_that_a_browser_goes_to_has_no_embedder() -> None:
    assert embedder_headers(scope_of({"Host": "h", "X-Internal": "secret"})) == {}


def test_our_script_says_which_headers_are_its_own() -> None:
    marked = {**BROWSERS, **PROXIES, "X-A": "1 & é", "Authorization": "Bearer " + "t" * 1000,
              "Bokeh-Embed-Headers": "x-a=1+%26+%C3%A9&authorization=Bearer+" + "t" * 1000}
    assert embedder_headers(scope_of(marked)) == {"X-A": "1 & é", "Authorization": "Bearer " + "t" * 1000}


@pytest.mark.parametrize("mark", [
    "x-internal=", "x-internal=guess", "x-internal", "", "=", "&&&", "%", "x-other=1", "cookie=c%3D1",
    "x-a=1;x-internal",
])
def test_what_a_proxy_put_in_does_not_come_back(mark: str) -> None:
    assert embedder_headers(scope_of({**BROWSERS, "X-Internal": "secret", "Bokeh-Embed-Headers": mark})) == {}

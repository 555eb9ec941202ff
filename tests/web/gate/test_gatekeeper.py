"""Who may have what: every kind of address, with users, rules, sessions of others, and what ends with a logout."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from tests.support.asgi_websocket import Peer
from tests.support.auth_modules import STARLETTE, TORNADO
from tests.support.encoded_shared import EncodedShared
from tests.support.fake_host import FileApp, ToldHost
from tests.support.front_site import MakeSite, Site

import hotshoe
from hotshoe.auth import Endpoint, User
from hotshoe.base.errors import ConfigError
from hotshoe.base.shared import CHANGES_KEPT, MemoryShared
from hotshoe.config import Settings
from hotshoe.hosts.host import AppInfo
from hotshoe.tokens import read
from hotshoe.web.front import Front
from hotshoe.web.gate.auth_options import AuthOptions
from hotshoe.web.gate.gatekeeper import NOT_ANY_MORE
from hotshoe.web.gate.logouts import LOGOUTS

USERS = {
    "alice": User("alice", groups=frozenset({"staff"})),
    "bob": User("bob", groups=frozenset({"guests"})),
}


class Known:
    """A provider that believes a cookie, and what is taken from its list is forgotten."""

    logs_out_everywhere = True

    def __init__(self) -> None:
        self.users = dict(USERS)
        self.on_logout: Any = None
        self.states: list[str] = []

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/in": self._login, "/out": self._logout}

    logout_path = "/out"

    async def user_of(self, connection: HTTPConnection) -> User | None:
        return self.users.get(connection.cookies.get("who", ""))

    async def login_path(self, connection: HTTPConnection) -> str | None:
        return "/in?next=" + connection.url.path

    async def start(self) -> None:
        self.states.append("start")

    async def stop(self) -> None:
        self.states.append("stop")

    async def _login(self, request: Request) -> Response:
        return Response("log in")

    async def _logout(self, request: Request) -> Response:
        await self.on_logout(await self.user_of(request))
        return RedirectResponse(".")


def as_(name: str) -> dict[str, str]:
    return {"Cookie": f"who={name}"}


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def site(make_site: MakeSite, known: Known, tmp_path: Path) -> Site:
    """For staff ``/a``, for everybody who has logged in ``/b``, for all ``/c``."""
    for name in ("a", "c"):
        (tmp_path / name / "static").mkdir(parents=True)
        (tmp_path / name / "static" / "own.txt").write_text(f"own of {name}")
        (tmp_path / name / "main.py").write_text("secret = 1")
        (tmp_path / name / "pic.png").write_bytes(b"picture")
    apps = [FileApp(f"/{name}", f"Title of {name}", static_dir=tmp_path / name / "static",
                    source=tmp_path / name / "main.py", thumbnail=tmp_path / name / "pic.png") for name in ("a", "c")]
    site = make_site(apps[0], "/b", apps[1], auth_options=AuthOptions(auth=known), allow=["a=staff"], public=["c"],
                     show_source=True)
    known.on_logout = site.front._logouts.report
    return site


OF_AN_APP = ("", "/", "/metadata", "/autoload.js?bokeh-autoload-element=e", "/static/own.txt", "/ws")
ADDRESSES = (*(f"/{{}}{rest}" for rest in OF_AN_APP), "/_hotshoe/source/{}", "/_hotshoe/thumbnails/{}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_who_may_have_what(site: Site, address: str, method: str) -> None:
    async def status(app: str, headers: dict[str, str]) -> int:
        answer = await site.request(method, address.format(app), headers=headers)
        if answer.status_code in (200, 302) and "own" in address:
            assert "private" in answer.headers["cache-control"]
            assert "public" not in answer.headers["cache-control"]
        return answer.status_code

    if address.endswith("ws"):
        if method == "HEAD":
            return
        found = 400  # no page, but an answer of the app's
    else:
        found = 200
    visited = address in ("/{}", "/{}/", "/_hotshoe/source/{}")
    assert await status("a", {}) == (302 if visited else 401)
    assert await status("a", as_("bob")) == 403
    assert await status("a", as_("alice")) == found
    assert await status("a", as_("mallory")) == (302 if visited else 401)
    assert await status("c", {}) == found
    assert not [each for each in site.host.open_requests if each.request.user is None and each.app != "/c"]


@pytest.mark.parametrize("path", ["/static/js/bokeh.min.js", "/_hotshoe/page.js", "/favicon.ico", "/in",
                                  "/a/static/js/bokeh.min.js"])
async def test_what_is_open_to_all(site: Site, path: str) -> None:
    assert (await site.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["own.txt", "no.txt", "../main.py", "../no.py", "../../../../../../../../../etc/hosts",
                                  "extensions/no/no.js", "js/no.js", "js/../../bokeh"])
async def test_who_is_not_let_in_does_not_find_out_which_files_there_are(site: Site, path: str) -> None:
    """Neither in an app's folder nor around it."""
    answer = await site.get(f"/a/static/{path.replace('..', '%2e%2e')}")
    assert answer.status_code == 401


async def test_a_preflight_needs_no_login(site: Site) -> None:
    answer = await site.request("OPTIONS", "/a/autoload.js")
    assert answer.status_code == 200


async def test_the_page_says_who_may_not_and_how_to_log_out(site: Site) -> None:
    answer = await site.get("/a/", headers=as_("bob"))
    assert "You are logged in as bob. This user may not open this app." in answer.text
    assert '<a href="../out">Log out</a>' in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_name_is_escaped_and_breaks_no_line_of_the_log(site: Site, known: Known,
                                                               caplog: pytest.LogCaptureFixture) -> None:
    known.users["x"] = User("<script>")
    answer = await site.get("/a", headers=as_("x"))
    assert answer.status_code == 403
    assert "<script>" not in answer.text
    known.users["x"] = User("bob\nERROR: all is lost")
    answer = await site.get("/b", headers=as_("x"))
    assert (answer.status_code, answer.headers["location"]) == (302, "./in?next=/b")
    assert "Known.user_of()" in caplog.records[-1].getMessage()
    assert not [record for record in caplog.records if "\n" in record.getMessage()]


async def test_the_embedding_page_is_told(site: Site) -> None:
    answer = await site.get("/a/autoload.js?bokeh-autoload-element=e")
    assert answer.status_code == 401
    assert "This app asks you to log in." in answer.text
    assert '"../in?next=/a"' in answer.text
    answer = await site.get("/a/autoload.js?bokeh-autoload-element=e", headers=as_("bob"))
    assert "This user may not open this app" in answer.text


async def test_the_index_lists_what_one_may_open(site: Site) -> None:
    async def listed(headers: dict[str, str]) -> set[str]:
        text = (await site.get("/", headers=headers)).text
        return {name for name in "abc" if f'data-path="/{name}"' in text}

    assert await listed({}) == {"c"}
    assert await listed(as_("bob")) == {"b", "c"}
    assert await listed(as_("alice")) == {"a", "b", "c"}
    assert '<a href="./in?next=/">Log in</a>' in (await site.get("/")).text
    greeted = (await site.get("/", headers=as_("bob"))).text
    assert '<a href="./out">Log out</a>' in greeted
    assert "bob" in greeted


async def test_the_index_where_nothing_is_public(make_site: MakeSite, known: Known) -> None:
    site = make_site("/a", "/b", auth_options=AuthOptions(auth=known), prefix="p")
    assert (await site.get("/p/")).headers["location"] == "./in?next=/p/"
    assert (await site.get("/p")).headers["location"] == "./p/in?next=/p"
    assert (await site.get("/p/", headers=as_("bob"))).status_code == 200


async def test_authorize(make_site: MakeSite, known: Known) -> None:
    def authorize(user: User, app: str) -> bool:
        if user.name == "alice" and app == "/b":
            raise LookupError("s3cret")
        return app == "/b"

    site = make_site("/a", "/b", auth_options=AuthOptions(auth=known, authorize=authorize))
    assert (await site.get("/a", headers=as_("bob"))).status_code == 403
    assert (await site.get("/b", headers=as_("bob"))).status_code == 200
    answer = await site.get("/b", headers=as_("alice"))
    assert answer.status_code == 500
    assert "s3cret" not in answer.text


# -- sockets and sessions


def token_in(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    return answer.text.removeprefix("<html>").removesuffix("</html>")


async def _status(site: Site, path: str, token: str, headers: dict[str, str]) -> int:
    peer = site.connect(path, protocols=("bokeh", token), headers=headers)
    event = await peer.hear()
    if event["type"] == "websocket.accept":
        event = await peer.hear()
        peer.leave()
        await peer.ended()
        return int(event["code"]) if event["type"] == "websocket.close" else 200
    return int(event["status"])


async def test_sockets(site: Site) -> None:
    token = token_in(await site.get("/a", headers=as_("alice")))
    assert await _status(site, "/a/ws", token, {}) == 401
    assert await _status(site, "/a/ws", token, as_("mallory")) == 401
    assert await _status(site, "/a/ws", token, as_("bob")) == 403
    assert await _status(site, "/a/ws", token, as_("alice")) == 200


async def test_a_user_who_may_no_more(site: Site, known: Known) -> None:
    token = token_in(await site.get("/a", headers=as_("alice")))
    known.users["alice"] = User("alice", groups=frozenset())
    assert await _status(site, "/a/ws", token, as_("alice")) == 403
    del known.users["alice"]
    assert await _status(site, "/a/ws", token, as_("alice")) == 401


async def test_a_session_is_its_user_s(site: Site) -> None:
    token = token_in(await site.get("/b", headers=as_("alice")))
    session_id = read(token).session_id
    site.host.owners[("/b", session_id)] = "alice"
    assert await _status(site, "/b/ws", token, as_("bob")) == 1008
    assert not site.host.pipes
    for path in ("/b?bokeh-token=", "/b/autoload.js?bokeh-autoload-element=e&bokeh-token="):
        assert (await site.get(path + token, headers=as_("bob"))).status_code == 403
        assert (await site.get(path + token, headers=as_("alice"))).status_code == 200
    for path in ("/b?bokeh-session-id=", "/b/autoload.js?bokeh-autoload-element=e&bokeh-session-id="):
        assert (await site.get(path + session_id, headers=as_("bob"))).status_code == 403
        assert (await site.get(path + session_id, headers=as_("alice"))).status_code == 200
    assert (await site.get("/b", headers={**as_("bob"), "Bokeh-Session-Id": session_id})).status_code == 403
    assert await _status(site, "/b/ws", token, as_("alice")) == 200


async def test_what_process_request_returned_for_somebody_else(make_site: MakeSite, known: Known) -> None:
    """The session has ended, but its token could still make one."""
    site = make_site("/b", auth_options=AuthOptions(auth=known), session_ids="auto")
    site.host.payload = {"role": "admin"}
    token = token_in(await site.get("/b", headers=as_("alice")))
    site.host.live.clear()
    assert await _status(site, "/b/ws", token, as_("bob")) == 200
    assert site.host.open_requests[-1].payload is None
    site.host.live.clear()
    assert await _status(site, "/b/ws", token, as_("alice")) == 200
    assert site.host.open_requests[-1].payload == {"arguments": {}, "role": "admin"}


async def connected(site: Site, name: str) -> Peer:
    token = token_in(await site.get("/b", headers=as_(name)))
    peer = site.connect("/b/ws", protocols=("bokeh", token), headers=as_(name))
    assert (await peer.hear())["type"] == "websocket.accept"
    await peer.hear()
    await peer.hear()
    await peer.hear()
    return peer


async def test_a_logout_closes_the_user_s_sockets_and_nobody_else_s(site: Site) -> None:
    peers = [await connected(site, name) for name in ("alice", "alice", "bob")]
    await site.get("/out", headers=as_("alice"))
    for peer in peers[:2]:
        [close] = await peer.ended()
        assert (close["code"], close["reason"]) == (1008, NOT_ANY_MORE)
    assert not peers[2].task.done()
    peers[2].leave()
    await peers[2].ended()


@pytest.mark.parametrize("over_bytes", [False, True])
async def test_a_logout_in_one_process_closes_the_sockets_in_others(make_site: MakeSite, over_bytes: bool) -> None:
    name = "jo\u202e %/é"  # a login provider can send any name
    users = {"jo": User(name), "bob": USERS["bob"]}
    memory, sites = MemoryShared(), []
    for _ in range(2):
        known = Known()
        known.users = dict(users)
        sites.append(make_site("/b", auth_options=AuthOptions(auth=known),
                               shared=EncodedShared(memory) if over_bytes else memory))
        known.on_logout = sites[-1].front._logouts.report
    here, there = sites
    peer, bystander = await connected(there, "jo"), await connected(there, "bob")
    await here.get("/out", headers=as_("jo"))
    [close] = await peer.ended()
    assert (close["code"], close["reason"]) == (1008, NOT_ANY_MORE)
    assert not bystander.task.done()
    bystander.leave()
    await bystander.ended()


async def test_after_missed_logouts_all_sockets_are_looked_at(make_site: MakeSite) -> None:
    known, shared = Known(), MemoryShared()
    known.logs_out_everywhere = False
    site = make_site("/b", auth_options=AuthOptions(auth=known), shared=shared)
    peers = {name: await connected(site, name) for name in ("alice", "bob")}
    del known.users["alice"]
    for number in range(CHANGES_KEPT + 1):
        await shared.put(LOGOUTS, f"{number}", b"", 60)
    [close] = await peers["alice"].ended()
    assert (close["code"], close["reason"]) == (1008, NOT_ANY_MORE)
    assert not peers["bob"].task.done()
    peers["bob"].leave()
    await peers["bob"].ended()


async def test_an_open_page_asks_why_it_gets_no_socket(site: Site) -> None:
    asked = "/_hotshoe/refusal?origin=http://testserver"
    assert "not logged in any more" in (await site.get(asked)).json()["refusal"]
    assert (await site.get(asked, headers=as_("bob"))).json()["refusal"] is None


async def test_the_provider_lives_as_long_as_the_host(site: Site, known: Known) -> None:
    await site.get("/in")
    await site.front.stop()
    assert known.states == ["start", "stop"]


async def test_a_provider_that_can_t_start(make_site: MakeSite, known: Known) -> None:
    async def start() -> None:
        raise ConfigError("no provider there")

    known.start = start  # type: ignore[method-assign]
    site = make_site("/a", auth_options=AuthOptions(auth=known))
    with pytest.raises(ConfigError, match="no provider there"):
        await site.front.start()
    assert not site.host.started


async def test_a_host_that_can_t_start_stops_the_provider(make_site: MakeSite, known: Known) -> None:
    site = make_site("/a", auth_options=AuthOptions(auth=known))
    site.host.failures["start"] = OSError("no")
    with pytest.raises(OSError, match="no"):
        await site.front.start()
    assert known.states == ["start", "stop"]


async def test_who_logs_out_while_a_socket_of_theirs_is_let_in(make_site: MakeSite, known: Known) -> None:
    site = make_site("/a", auth_options=AuthOptions(auth=known))
    token = token_in(await site.get("/a", headers=as_("alice")))
    for leaving, closes in (("bob", False), ("alice", True)):
        entered, go = asyncio.Event(), asyncio.Event()

        async def user_of(connection: HTTPConnection, entered: Any = entered, go: Any = go) -> User:
            entered.set()
            await go.wait()
            return USERS["alice"]

        known.user_of = user_of  # type: ignore[method-assign]
        peer = site.connect("/a/ws", protocols=("bokeh", token), headers=as_("alice"))
        await entered.wait()
        site.front._sockets.log_out(frozenset({leaving}))
        go.set()
        assert (await peer.hear())["type"] == "websocket.accept"
        if closes:
            while (event := await peer.hear())["type"] != "websocket.close":
                pass
            assert event["reason"] == NOT_ANY_MORE
        else:
            assert (await peer.hear())["type"] == "websocket.send"
            peer.leave()
        await peer.ended()


async def test_a_form_that_is_too_large(make_site: MakeSite, tmp_path: Path) -> None:
    module = tmp_path / "auth.py"
    for source in (TORNADO, STARLETTE):
        module.write_text(source)
        site = make_site("/a", auth_module=str(module), max_body_size=1000)
        fits = await site.request("POST", "/login", data={"name": "alice", "password": "a", "x": "y" * 900})
        assert fits.status_code in (302, 303)
        large = await site.request("POST", "/login", data={"name": "alice", "password": "a", "x": "y" * 1000})
        assert large.status_code == 413


async def test_the_only_app(make_site: MakeSite, known: Known) -> None:
    site = make_site("/a", auth_options=AuthOptions(auth=known), allow=["a=staff"])
    assert (await site.get("/")).headers["location"] == "./in?next=/"
    assert (await site.get("/", headers=as_("alice"))).headers["location"] == "./a"
    refused = await site.get("/", headers=as_("bob"))
    assert refused.status_code == 403
    assert "This user may not open any app here" in refused.text


# -- without a provider


class _Around:
    """An outer framework that knows a user."""

    def __init__(self, app: Any, user: Any) -> None:
        self.app = app
        self.user = user

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, "user": self.user}, receive, send)


async def _get(front: Front, user: Any, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=_Around(front, user))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return await client.get(path)


async def test_the_user_of_a_framework_around() -> None:
    host = ToldHost(AppInfo("/a", "A"), AppInfo("/b", "B"))
    settings = Settings(session_ids="unsigned", allow=("a=@jo",))
    front = Front(host, settings=settings, auth_options=AuthOptions(mounted=True))
    jo = SimpleUser("jo")
    assert (await _get(front, jo, "/a")).status_code == 200
    assert host.open_requests[-1].request.user is jo
    assert (await _get(front, SimpleUser("kim"), "/a")).status_code == 403
    assert (await _get(front, SimpleUser("kim"), "/b")).status_code == 200
    assert (await _get(front, UnauthenticatedUser(), "/b")).status_code == 401
    assert (await _get(front, None, "/b")).status_code == 401
    await front.stop()


@pytest.mark.parametrize("given", [{"allow": ["a=x"]}, {"public": ["a"]}])
def test_rules_that_nobody_would_keep(make_site: MakeSite, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs a login: add --auth or --auth-module"):
        make_site("/a", **given)


def test_authorize_without_users(make_site: MakeSite) -> None:
    with pytest.raises(ConfigError, match="authorize= needs a login"):
        make_site("/a", auth_options=AuthOptions(authorize=lambda user, app: True))


def test_users_known_in_two_ways(make_site: MakeSite, known: Known) -> None:
    with pytest.raises(ConfigError, match="two logins are configured"):
        make_site("/a", auth_options=AuthOptions(auth=known), auth_module="x.py")


def test_a_program_names_a_login_as_the_flag_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--users-file"):
        hotshoe.asgi(lambda doc: None, auth="basic", users_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="there is no file basics"):
        hotshoe.asgi(lambda doc: None, auth="basics")


async def test_a_component_s_file_is_for_those_who_may_open_one_of_its_apps(site: Site) -> None:
    name = "parts/Counter/_stylesheets/counter.css"

    async def status(path: str, who: str = "") -> int:
        return (await site.get(path, headers=as_(who))).status_code

    assert await status(f"/components/{name}", "alice") == 404
    site.host.components = {name: ["/a"]}
    assert await status(f"/components/{name}") == 401
    assert await status(f"/components/{name}", "bob") == 403
    assert await status(f"/components/{name}", "alice") == 404  # this host has no Panel
    site.host.components = {name: ["/a", "/b"]}
    assert await status(f"/components/{name}") == 401
    assert await status(f"/components/{name}", "bob") == 404
    assert await status(f"/a/components/{name}", "bob") == 403
    assert await status(f"/c/components/{name}") == 404

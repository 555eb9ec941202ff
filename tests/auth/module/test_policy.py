"""Objects like bokeh 3.10's AuthPolicy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from starlette.responses import Response
from tests.support.front_site import MakeSite

from hotshoe.auth import User
from hotshoe.auth.module.policy import is_policy
from hotshoe.base.errors import ConfigError
from hotshoe.web.gate.auth_options import AuthOptions


class Policy:
    """Knows whom the cookie ``who`` names."""

    logout_url = "/out"

    def __init__(self, login_url: str | None = "/in") -> None:
        self.requests: list[Any] = []
        self.login_url = login_url

    async def authenticate(self, request: Any) -> Any:
        self.requests.append(request)
        cookie = request.cookies.get("who")
        return {"login": cookie.value, "groups": ["staff"]} if cookie else None

    def get_login_url(self, request: Any) -> str | None:
        return self.login_url


async def test_what_it_is_asked_and_what_comes_of_it(make_site: MakeSite) -> None:
    policy = Policy()
    site = make_site("/a", auth_options=AuthOptions(auth=policy), allow=["a=staff"], prefix="p")
    assert (await site.get("/p/a")).headers["location"] == "//testserver/in"
    policy.login_url = "/p/in"
    assert (await site.get("/p/a")).headers["location"] == "./in"
    policy.login_url = None
    assert (await site.get("/p/a")).status_code == 401
    headers = {"Cookie": "who=jo; bad name=x", "X-More": "1"}
    assert (await site.get("/p/a?x=1&x=%FC", headers=headers)).status_code == 200
    open_request = site.host.open_requests[-1]
    assert (open_request.request.user.name, open_request.request.user.groups) == ("jo", {"staff"})
    assert open_request.request.logout_url == "/p/out"
    asked = policy.requests[-1]
    assert (asked.method, asked.path, asked.protocol, asked.host) == ("GET", "/p/a", "http", "testserver")
    assert asked.uri == "/p/a?x=1&x=%FC"
    assert asked.arguments == {"x": [b"1", b"\xfc"]}
    assert asked.headers["x-more"] == asked.headers["X-MORE"] == "1"


async def test_a_plain_policy_and_its_sockets(make_site: MakeSite) -> None:
    class Plain:
        def authenticate(self, request: Any) -> Any:
            return request.headers.get("x-user")

    site = make_site("/a", auth_options=AuthOptions(auth=Plain()))
    assert (await site.get("/a")).status_code == 401
    assert (await site.get("/a", headers={"X-User": "jo"})).status_code == 200
    peer = site.connect("/a/ws", protocols=("bokeh", "x"))
    assert (await peer.hear())["status"] == 401


async def test_what_is_no_user_gets_nothing_of_an_app(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> str:
        return "jo"

    class Answering:
        def __init__(self, answer: Callable[[], Any]) -> None:
            self.answer = answer

        async def authenticate(self, request: Any) -> Any:
            return self.answer()

    class Providing(Answering):
        """A provider of one's own, which should name a ``User``."""

        endpoints: ClassVar[dict[str, Any]] = {}
        logout_path = None

        async def user_of(self, connection: Any) -> Any:
            return self.answer()

        async def login_path(self, connection: Any) -> None:
            return None

        async def start(self) -> None:
            """There is nothing to start."""

        async def stop(self) -> None:
            """There is nothing to stop."""

    for kind in (Answering, Providing):
        for answer in (later, lambda: Response(status_code=401), lambda: {"login": "jo", "is_authenticated": False},
                       object, lambda: True, lambda: User("jo\n")):
            caplog.clear()
            site = make_site("/a", auth_options=AuthOptions(auth=kind(answer)))
            assert (await site.get("/a")).status_code == 401
            peer = site.connect("/a/ws", protocols=("bokeh", "x"))
            assert (await peer.hear())["status"] == 401
            assert not site.host.open_requests
            assert f"The result of {kind.__name__}." in caplog.text
            assert "nobody is let in" in caplog.text


@pytest.mark.parametrize("auth", [7, object(), Policy])
def test_what_is_no_policy(make_site: MakeSite, auth: Any) -> None:
    with pytest.raises(ConfigError, match="auth= can't be"):
        make_site("/a", auth_options=AuthOptions(auth=auth))


async def test_bokeh_s_own(make_site: MakeSite) -> None:
    try:
        kind = importlib.import_module("bokeh.server.auth").AuthPolicy
    except ModuleNotFoundError:
        pytest.skip("bokeh before 3.10 has none")
    policy = kind(lambda request: request.headers.get("x-user"), login_url=lambda request: "/in?to=" + request.path,
                  logout_url="/out")
    assert is_policy(policy)
    site = make_site("/a", auth_options=AuthOptions(auth=policy))
    assert (await site.get("/a")).headers["location"] == "./in?to=/a"
    assert (await site.get("/a", headers={"X-User": "jo"})).status_code == 200
    assert site.host.open_requests[-1].request.user.name == "jo"

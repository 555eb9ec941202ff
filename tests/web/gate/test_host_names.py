"""The names that a server answers to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cases import every_case
from tests.support.front_site import MakeSite

from hotshoe.web.gate.host_names import HostNames, is_local_name


@pytest.mark.parametrize(("host", "local"), [
    ("localhost", True), ("localhost:5006", True), ("LOCALHOST.:5006", True), ("app.localhost:1", True),
    ("127.0.0.1:5006", True), ("127.8.9.1", True), ("[::1]:5006", True), ("[::1]", True),
    ("evil.example", False), ("evil.example:5006", False), ("localhost.evil.example", False), ("", False),
    ("10.0.0.1", False), ("evillocalhost", False), ("[::2]", False), ("127.0.0.1.evil.example", False),
    (":5006", False), ("localhost:5006@evil.example", False), ("localhost:80/evil.example", False),
    ("evil.example#.localhost", False), (".localhost", False), ("a..localhost", False),
])
def test_names_of_this_machine(host: str, local: bool) -> None:
    assert is_local_name(host) is local


async def test_a_foreign_name_gets_nothing_from_a_server_of_this_machine(make_site: MakeSite) -> None:
    site = make_site("/a", only_local=True)
    answer = await site.get("/a", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "The server listens on this machine only" in answer.text
    assert "--use-xheaders" in answer.text
    assert "--allow-websocket-origin=evil.example" in answer.text
    assert site.host.open_requests == []
    for path in ("/a/metadata", "/static/js/bokeh.min.js", "/a/autoload.js?bokeh-autoload-element=e", "/"):
        assert (await site.get(path, headers={"Host": "evil.example"})).status_code == 403, path
    peer = site.connect("/a/ws", protocols=["bokeh", "t"], headers={"host": "evil.example"})
    assert (await peer.hear())["status"] == 403
    assert (await site.get("/a", headers={"Host": "localhost:5006"})).status_code == 200


@pytest.mark.parametrize("settings", [
    {"only_local": False}, {"only_local": True, "use_xheaders": True},
    {"only_local": True, "allow_websocket_origin": ["site.example"]},
])
async def test_where_a_proxy_or_a_list_is_named_any_name_goes(make_site: MakeSite, settings: dict[str, Any]) -> None:
    site = make_site("/a", **settings)
    assert (await site.get("/a", headers={"Host": "other.example"})).status_code == 200


NAMED = {
    "own.example": (
        ["own.example", "OWN.Example", "own.example.", "own.example:80", "own.example:8443", "own.example.:443"],
        ["", "other.example", "a.own.example", "xown.example", "own.example.evil.example",
         "own.example:80@evil.example", "own.example:", "own.example:x", "own.example/evil.example",
         "own.example, evil.example", "own.example?",
         "user@own.example", "own.example..", ".own.example", "own.example:123456", "own.ex\xe4mple", "\0own.example"]),
    "own.example:8443": (["own.example:8443"], ["own.example", "own.example:443", "own.example:80"]),
    "own.example:443": (["own.example:443", "own.example"], ["own.example:80"]),
    ".own.example": (["own.example", "a.own.example", "A.b.own.example:81"],
                     ["xown.example", "example", ".own.example"]),
    "*.own.example": (["a.own.example", "a.b.own.example"], ["own.example", "xown.example"]),
    "*.own.example:81": (["a.own.example:81"], ["a.own.example"]),
    "Own.Example.": (["own.example"], []),
    "10.1.2.3": (["10.1.2.3", "10.1.2.3:5006"], ["10.1.2.4", "1.10.1.2.3"]),
    "[2001:DB8::1]": (["[2001:db8::1]", "[2001:db8:0:0::1]:443"], ["[2001:db8::2]", "2001:db8::1", "[2001:db8::1"]),
    "[::1]:81": (["[::1]:81"], ["[::1]:82", "[::1]"]),
}
"""Entries of ``--allowed-hosts``, with hosts that they allow and hosts that they do not."""


def test_allowed_names() -> None:
    with every_case() as case:
        for entry, (allowed, refused) in NAMED.items():
            for names in (HostNames([entry]), HostNames(["else.example", entry], only_local=True)):
                for host in (*allowed, *refused):
                    with case((entry, host)):
                        scope = {"headers": [(b"host", host.encode("latin-1"))]}
                        assert names.is_misnamed(scope) is (host in refused)


def test_a_request_without_a_host_is_refused_by_a_list() -> None:
    assert HostNames(["own.example"]).is_misnamed({"headers": []})
    assert not HostNames().is_misnamed({"headers": []})


@pytest.mark.parametrize("only_local", [False, True])
async def test_another_name_gets_nothing(make_site: MakeSite, only_local: bool) -> None:
    site = make_site("/a", allowed_hosts=["own.example"], allow_websocket_origin=["*"], only_local=only_local)
    for path in ("/a", "/a/metadata", "/static/js/bokeh.min.js", "/a/autoload.js?bokeh-autoload-element=e", "/", "/no"):
        response = await site.get(path, headers={"Host": "evil.example"})
        assert response.status_code == 403, path
        assert "--allowed-hosts" in response.text
    for host in ("evil.example", "localhost"):
        peer = site.connect("/a/ws", protocols=["bokeh", "t"], headers={"host": host})
        assert (await peer.hear())["status"] == 403
    assert site.host.open_requests == []
    assert (await site.get("/a", headers={"Host": "own.example:5006"})).status_code == 200
    assert (await site.get("/_hotshoe/health", headers={"Host": "10.0.0.7"})).status_code in (200, 503)


async def test_a_trusted_proxy_names_the_host(make_site: MakeSite) -> None:
    trusting = make_site("/a", allowed_hosts=["own.example"], use_xheaders=True)
    other = make_site("/a", allowed_hosts=["own.example"])
    own, evil = {"X-Forwarded-Host": "own.example"}, {"X-Forwarded-Host": "evil.example"}
    assert (await trusting.get("/a", headers={"Host": "inner:5006", **own})).status_code == 200
    assert (await trusting.get("/a", headers={"Host": "own.example", **evil})).status_code == 403
    assert (await other.get("/a", headers={"Host": "inner:5006", **own})).status_code == 403
    assert (await other.get("/a", headers={"Host": "own.example", **evil})).status_code == 200

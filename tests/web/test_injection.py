"""Markup and line breaks through everything that a visitor can write: paths, arguments, headers, cookies, forms.

None may come back as markup, as script, or as a header of its own.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from argon2 import PasswordHasher
from tests.support.accounts import write_users

import hotshoe
from hotshoe.auth.accounts import Account

MARK = "q7x"
PAYLOADS = (
    f"</script><script>{MARK}()</script>",
    f"'\"><img src=x onerror={MARK}()>",
    f"`-{MARK}()-`\\\"+{MARK}()+\"",
    f"x\r\nSet-Cookie: {MARK}=1\r\n\r\n<script>{MARK}()</script>",
    f"{{{{ {MARK} }}}}{{% {MARK} %}}",
    f"javascript:{MARK}()//\u2028{MARK}()",
)
ARGUMENTS = ("bokeh-session-id", "bokeh-token", "bokeh-autoload-element", "bokeh-app-path", "bokeh-absolute-url",
             "resources", "next", "v", "origin", "error", "code", "state", "error_description", "app", "version", "x")
HEADERS = ("Bokeh-Session-Id", "Origin", "Referer", "Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For",
           "X-Request-Id", "User-Agent", "Accept-Encoding", "If-None-Match", "Access-Control-Request-Headers", "Cookie")
PATHS = ("/app", "/app/autoload.js", "/app/metadata", "/app/ws", "/", "/login", "/logout", "/nothing",
         "/_hotshoe/page.js",
         "/_hotshoe/refusal", "/_hotshoe/models/x.js", "/_hotshoe/source/app", "/static/js/bokeh.min.js",
         "/app/static/x.css", "/static/extensions/x/y.js", "/favicon.ico")


@pytest.fixture(params=["open", "login"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor of a server without a login, and of one with."""
    settings: dict[str, Any] = {}
    if request.param == "login":
        users = tmp_path / "users"
        write_users(users, Account("ann", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")))
        settings = {"auth": "basic", "users_file": str(users)}
    apps = hotshoe.asgi({"/app": lambda doc: None}, use_xheaders=True, show_source=True, **settings)
    transport = httpx.ASGITransport(app=apps, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.example") as visitor:
        yield visitor
    await apps.stop()


def assert_harmless(answer: httpx.Response, where: str) -> None:
    """What came back has the mark, if at all, only as text or as part of a string."""
    assert answer.status_code < 500, where
    assert MARK not in answer.cookies, where
    for name, value in answer.headers.items():
        assert "\r" not in value, (where, name)
        assert "\n" not in value, (where, name)
    kind = answer.headers.get("content-type", "")
    if kind.startswith(("text/plain", "application/json")):  # nobody takes it for more: there is nosniff
        return
    body = answer.text
    for bad in (f"<script>{MARK}", f"onerror={MARK}()>", f"</script><script>{MARK}", f"<img src=x onerror={MARK}"):
        assert bad not in body, (where, bad)
    if "javascript" in kind:
        # In a script the mark stands only inside of strings, of which none is ended by what came in.
        assert f'"+{MARK}()+"' not in body.replace(f'\\"+{MARK}()+\\"', ""), where
        assert "\u2028" not in body, where
    assert f'href="javascript:{MARK}' not in body.lower(), where
    assert f"href='javascript:{MARK}" not in body.lower(), where


@pytest.mark.parametrize("path", PATHS)
async def test_arguments(client: httpx.AsyncClient, path: str) -> None:
    element = "bokeh-autoload-element=ok&"
    for name, payload in itertools.product(ARGUMENTS, PAYLOADS):
        for given in ("", element):
            answer = await client.get(f"{path}?{given}{name}={quote(payload)}")
            assert_harmless(answer, f"{path} {name}={payload!r}")
    for payload in PAYLOADS:
        assert_harmless(await client.get(f"{path}?{quote(payload)}=1"), f"{path} name {payload!r}")


@pytest.mark.parametrize("path", PATHS)
async def test_headers(client: httpx.AsyncClient, path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name, payload in itertools.product(HEADERS, PAYLOADS):
        value = payload.replace("\r\n", "").encode()  # no server's parser lets a line break into a value
        for method in ("GET", "OPTIONS"):
            answer = await client.request(method, f"{path}?bokeh-autoload-element=ok", headers=[(name.encode(), value)])
            assert_harmless(answer, f"{method} {path} {name}: {payload!r}")
    assert not [line for record in caplog.records for line in record.getMessage().splitlines()[1:] if MARK in line]


async def test_paths(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    for payload, head in itertools.product(PAYLOADS, ("/", "/app/", "/static/", "/_hotshoe/", "/_hotshoe/source/")):
        assert_harmless(await client.get(head + quote(payload)), head + payload)
    assert not [line for record in caplog.records for line in record.getMessage().splitlines()[1:] if MARK in line]


async def test_forms(client: httpx.AsyncClient) -> None:
    for payload, name in itertools.product(PAYLOADS, ("name", "password", "next", "form_token", "x")):
        for path in ("/login", "/logout"):
            assert_harmless(await client.post(path, data={name: payload}), f"{path} {name}={payload!r}")

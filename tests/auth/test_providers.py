"""From settings to a provider, or to one line that says what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from tests.support.cookie_client import app_of, browser
from tests.support.oidc_login import log_in
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, running

from hotshoe.auth.providers import provider_of
from hotshoe.base.errors import ConfigError
from hotshoe.base.shared import MemoryShared
from hotshoe.cli.main import main
from hotshoe.config import Settings

KEYS = (b"k" * 32,)
OIDC: dict[str, Any] = {"auth": "oidc", "oidc_issuer": "https://id.example", "oidc_client_id": "x"}
JWT: dict[str, Any] = {"auth": "header", "use_xheaders": True, "auth_header_jwt": "X", "auth_header_keys": "k",
       "auth_header_audience": "a"}


def test_nobody_logs_in_by_default() -> None:
    assert provider_of(Settings(), keys=KEYS, shared=MemoryShared()) is None


@pytest.mark.parametrize(("given", "words"), [
    ({"oidc_issuer": "github"}, "--oidc-issuer needs --auth oidc"),
    ({"oidc_allowed_domain": ("a.org",), "auth": "basic"}, "--oidc-allowed-domain needs --auth oidc"),
    ({"auth_header_user": "X"}, "--auth-header-user needs --auth header"),
    ({"auth": "oidc"}, "needs --oidc-issuer"),
    ({**OIDC, "oidc_client_id": None}, "needs --oidc-client-id"),
    ({**OIDC, "oidc_client_secret": "a", "oidc_client_secret_file": "b"}, "given twice"),
    ({**OIDC, "oidc_issuer": "microsoft"}, "needs --oidc-tenant"),
    ({**OIDC, "oidc_tenant": "x"}, "--oidc-tenant needs --oidc-issuer microsoft"),
    ({**OIDC, "oidc_issuer": "microsoft", "oidc_tenant": "common"}, "anybody could log in"),
    ({**OIDC, "oidc_issuer": "microsoft", "oidc_tenant": "x", "oidc_allowed_domain": ("a.org",)}, "use --oidc-tenant"),
    ({**OIDC, "oidc_issuer": "http://id.example"}, "is not https"),
    ({**OIDC, "oidc_issuer": "gogle"}, "is not a URL"),
    ({**OIDC, "oidc_redirect_url": "https://x/login"}, "like https://example.org/login-callback"),
    ({"auth": "header"}, "needs --use-xheaders"),
    ({"auth": "header", "use_xheaders": True}, "needs --auth-header-user or --auth-header-jwt"),
    ({"auth": "header", "use_xheaders": True, "auth_header_user": "X Y"}, "is not the name of a header"),
    ({"auth": "header", "use_xheaders": True, "auth_header_user": "X", "auth_header_separator": ";"},
     "--auth-header-separator needs --auth-header-groups"),
    ({**JWT, "auth_header_keys": None}, "needs --auth-header-keys"),
    ({**JWT, "auth_header_audience": None}, "needs --auth-header-audience"),
    ({**JWT, "auth_header_user": "Y"}, "leave one out"),
    ({**JWT, "auth_header_jwt": None, "auth_header_user": "X"}, "needs --auth-header-jwt"),
    ({**JWT, "auth_header_logout_url": "//evil.example"}, "is not a URL or a path"),
    ({"auth": "basic", "login_lifetime": 1}, "from 60"),
])
def test_settings_that_do_not_go_together(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Settings(**given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [
    OIDC, {**OIDC, "oidc_issuer": "http://localhost:8080/realms/x"}, {**OIDC, "oidc_issuer": "github"},
    {**OIDC, "oidc_issuer": "google", "oidc_allowed_domain": ("a.org",)},
    {**OIDC, "oidc_issuer": "microsoft", "oidc_tenant": "contoso.onmicrosoft.com"},
    {"auth": "header", "use_xheaders": True, "auth_header_user": "Remote-User"},
])
def test_providers_that_can_be(given: dict[str, Any]) -> None:
    assert provider_of(Settings(**given), keys=KEYS, shared=MemoryShared()) is not None


async def test_a_preset_knows_where_to_lead(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    settings = Settings(**{**OIDC, "oidc_issuer": "github"}, oidc_client_secret_file=str(tmp_path / "secret"),
                        oidc_scope=("read:user",))
    provider = provider_of(settings, keys=KEYS, shared=MemoryShared())
    assert provider is not None
    async with browser(app_of(provider)) as visitor:
        place = (await visitor.get("/login")).headers["location"]
    assert place.startswith("https://github.com/login/oauth/authorize?")
    assert "scope=read%3Auser&" in place
    assert "s3cret" not in place


@pytest.mark.parametrize(("given", "told"), [
    ({}, True), ({"oidc_allowed_domain": ("a.org",)}, False), ({"allow": ("app=staff",)}, False),
])
def test_that_everybody_may_come_in_is_told(given: dict[str, Any], told: bool,
                                            caplog: pytest.LogCaptureFixture) -> None:
    for issuer in ("github", "google"):
        caplog.clear()
        provider_of(Settings(**{**OIDC, "oidc_issuer": issuer}, **given), keys=KEYS, shared=MemoryShared())
        assert ("Everybody with an account" in caplog.text) == told


@pytest.mark.parametrize(("given", "told"), [
    ({"oidc_issuer": "github", "allow": ("app=@ada,staff,@bob", "b=@ada")}, "@ada, @bob"),
    ({"oidc_issuer": "github", "user_claim": "login", "allow": ("app=@ada",)}, "@ada"),
    ({"oidc_issuer": "github", "user_claim": "sub", "allow": ("app=@1234567",)}, None),
    ({"oidc_issuer": "github", "allow": ("app=org/team,*",)}, None),
    ({"allow": ("app=@ada",)}, None),  # sub, for ever
])
def test_rules_by_logins_that_can_change_hands(given: dict[str, Any], told: str | None,
                                               caplog: pytest.LogCaptureFixture) -> None:
    provider_of(Settings(**{**OIDC, **given}), keys=KEYS, shared=MemoryShared())
    lines = [line for line in caplog.messages if "GitHub login" in line]
    assert len(lines) == (told is not None)
    assert all(f"names {told} by" in line and "--user-claim sub" in line for line in lines)


def test_a_secret_file_that_is_none(tmp_path: Path) -> None:
    for text, words in ((None, "can't be read"), (" \n", "is empty")):
        file = tmp_path / "secret"
        if text is not None:
            file.write_text(text)
        with pytest.raises(ConfigError, match=words):
            provider_of(Settings(**OIDC, oidc_client_secret_file=str(file)), keys=KEYS, shared=MemoryShared())


async def test_every_setting_of_oidc_has_its_effect() -> None:
    with running() as peer:
        peer.tell(without=["groups"])
        settings = Settings(
            auth="oidc", oidc_issuer=peer.url, oidc_client_id=CLIENT_ID, oidc_client_secret=CLIENT_SECRET,
            oidc_scope=("openid", "extra"), oidc_allowed_domain=("example.org",), prefix="apps", login_lifetime=77,
            oidc_redirect_url="http://site.example/apps/login-callback", user_claim="preferred_username",
            groups_claim="name")
        provider = provider_of(settings, keys=KEYS, shared=MemoryShared())
        assert provider is not None
        await provider.start()
        async with browser(app_of(provider, "/apps")) as visitor:
            assert (await visitor.get("/apps/app?x=1")).text == "/login?next=%2Fapp%3Fx%3D1"
            answer = await visitor.get("/apps/login")
            assert "scope=openid+extra&" in answer.headers["location"].replace("%20", "+")
            answer = await log_in(visitor, page="/apps/login")
            assert "Max-Age=77;" in answer.headers["set-cookie"]
            assert (await visitor.get("/apps/app")).text == "ada|ada@example.org|Ada Lovelace"
        await provider.stop()


def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    present = {"argon2": None, "joserfc": None}
    monkeypatch.setattr("hotshoe.base.extras.find_spec", lambda name: present.get(name, object()))
    for given, library in ((dict[str, Any](auth="basic"), "argon2"), (OIDC, "joserfc"), (JWT, "joserfc")):
        with pytest.raises(ConfigError, match=rf"needs {library}: pip install 'hotshoe\[auth\]'$"):
            provider_of(Settings(**given), keys=KEYS, shared=MemoryShared())


async def test_users_of_the_file_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        provider_of(Settings(auth="basic", users_file=str(tmp_path / "none")), keys=KEYS, shared=MemoryShared())
    (tmp_path / "mine").touch()
    provider = provider_of(Settings(auth="basic", users_file=str(tmp_path / "mine")), keys=KEYS, shared=MemoryShared())
    assert provider is not None
    assert await provider.user_of(HTTPConnection({"type": "http", "headers": []})) is None
    assert set(provider.endpoints) == {"/login", "/logout"}


def test_the_command_line_says_it_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--auth", "oidc"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ERROR: --auth oidc needs --oidc-issuer")
    assert err.count("\n") == 1

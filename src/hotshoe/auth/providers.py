"""Which provider the settings ask for. Libraries are imported only for the one that is used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings
from ..config.login_checks import check_provider_url
from ..errors import ConfigError
from ..extras import need
from .provider import Provider
from .user import User

if TYPE_CHECKING:
    from .header import Jwt

_log = logging.getLogger(__name__)


def provider_of(settings: Settings, *, keys: Sequence[bytes],
                on_logout: Callable[[User], None] = lambda user: None) -> Provider | None:
    """The provider of ``--auth``, or ``None`` if there is to be no login. Raises ``ConfigError``.

    ``keys`` are the server's secret keys: the first one signs, all of them verify. ``on_logout`` is called once a login
    has ended; from then on ``user_of`` is ``None`` for every request and websocket that carries it, and still brings
    the user for their other logins. What ``login_path`` returns has its ``next`` argument already.
    """
    match settings.auth:
        case "basic":
            return _basic(settings, keys, on_logout)
        case "oidc":
            return _oidc(settings, keys, on_logout)
        case "header":
            return _header(settings)
    return None


def _basic(settings: Settings, keys: Sequence[bytes], on_logout: Callable[[User], None]) -> Provider:
    need("--auth basic", "auth", "argon2", "itsdangerous")
    from .basic import BasicLogin

    return BasicLogin(Path(settings.users_file), keys=keys, lifetime_s=settings.login_lifetime,
                      prefix=settings.prefix, on_logout=on_logout)


def _oidc(settings: Settings, keys: Sequence[bytes], on_logout: Callable[[User], None]) -> Provider:
    need("--auth oidc", "auth", "authlib", "httpx", "itsdangerous", "joserfc")
    from .fetching import Fetcher
    from .github import GitHubPeer
    from .oidc import OidcLogin
    from .openid import Client, OpenIdPeer, Peer
    from .presets import preset_of

    _tell_who_may(settings)
    fetcher = Fetcher()
    client = Client(settings.oidc_client_id or "", _client_secret(settings))
    peer: Peer
    if settings.oidc_issuer == "github":
        peer = GitHubPeer(client, fetcher, scope=settings.oidc_scope, user_claim=settings.user_claim)
    else:
        peer = OpenIdPeer(preset_of(settings), client, fetcher, scope=settings.oidc_scope,
                          user_claim=settings.user_claim, groups_claim=settings.groups_claim)
    return OidcLogin(peer, fetcher, keys=keys, lifetime_s=settings.login_lifetime, prefix=settings.prefix,
                     purpose=f"oidc {settings.oidc_issuer} {settings.oidc_tenant or ''} {client.id}",
                     domains=settings.oidc_allowed_domain, redirect_url=settings.oidc_redirect_url,
                     on_logout=on_logout)


def _tell_who_may(settings: Settings) -> None:
    if settings.oidc_issuer in ("github", "google") and not settings.oidc_allowed_domain and not settings.allow:
        _log.warning("Everybody with an account at %s can log in; --oidc-allowed-domain or --allow says who may",
                     settings.oidc_issuer)


def _client_secret(settings: Settings) -> str | None:
    if not settings.oidc_client_secret_file:
        return settings.oidc_client_secret
    path = Path(settings.oidc_client_secret_file)
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--oidc-client-secret-file: {path} can't be read ({error})") from error
    if not secret:
        raise ConfigError(f"--oidc-client-secret-file: {path} is empty")
    return secret


def _header(settings: Settings) -> Provider:
    from .header import HeaderLogin, Names

    if settings.auth_header_jwt:
        return HeaderLogin(_jwt(settings), settings.auth_header_logout_url)
    names = Names(settings.auth_header_user or "", settings.auth_header_email, settings.auth_header_groups)
    return HeaderLogin(names, settings.auth_header_logout_url)


def _jwt(settings: Settings) -> Jwt:
    need("--auth-header-jwt", "auth", "httpx", "joserfc")
    from .fetching import Fetcher
    from .header import Jwt
    from .jwts import FileKeys, Keys, RemoteKeys, Verifier

    fetcher = Fetcher()
    where = settings.auth_header_keys or ""
    keys: Keys
    if "://" in where:
        if problem := check_provider_url(where):
            raise ConfigError(f"--auth-header-keys: {problem}")
        keys = RemoteKeys(fetcher, where)
    else:
        keys = FileKeys(Path(where))
    verifier = Verifier(keys, audience=settings.auth_header_audience or "", issuer=settings.auth_header_issuer)
    return Jwt(settings.auth_header_jwt or "", verifier, fetcher, settings.user_claim or "email",
               settings.groups_claim)

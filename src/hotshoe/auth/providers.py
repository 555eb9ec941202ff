"""Makes the provider that the settings ask for, and imports only that provider's libraries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import ConfigError
from ..base.extras import need
from ..base.named_files import read_named
from ..base.shared import Shared
from ..config import Settings
from ..config.checks import check_provider_url
from .access import rules_of
from .provider import OnLogout, Provider, ignore_logout

if TYPE_CHECKING:
    from .header_login import Jwt

_log = logging.getLogger(__name__)


def provider_of(settings: Settings, *, keys: Sequence[bytes], shared: Shared,
                on_logout: OnLogout = ignore_logout) -> Provider | None:
    """The provider of ``--auth``; ``None`` without a login. Raises ``ConfigError``.

    ``keys`` are the server's secret keys: the first one signs, all of them verify. ``shared`` keeps what all processes
    of the server must know of logins. ``on_logout`` is called when a login has ended. From then on ``user_of`` returns
    ``None`` for each request and websocket with that login, but still returns the user for the user's other logins.
    The URL from ``login_path`` already has its ``next`` argument.
    """
    match settings.auth:
        case "basic":
            return _basic(settings, keys, shared, on_logout)
        case "oidc":
            return _oidc(settings, keys, shared, on_logout)
        case "header":
            return _header(settings)
    return None


def _basic(settings: Settings, keys: Sequence[bytes], shared: Shared, on_logout: OnLogout) -> Provider:
    need("--auth basic", "auth", "argon2", "itsdangerous")
    from .basic.basic_login import BasicLogin
    from .basic.users_file import UsersFile

    users = UsersFile(Path(settings.users_file))
    users.check()
    return BasicLogin(users, keys=keys, lifetime_s=settings.login_lifetime, shared=shared, prefix=settings.prefix,
                      on_logout=on_logout)


def _oidc(settings: Settings, keys: Sequence[bytes], shared: Shared, on_logout: OnLogout) -> Provider:
    need("--auth oidc", "auth", "authlib", "httpx", "itsdangerous", "joserfc")
    from .fetching import Fetcher
    from .oidc.github import GitHubPeer
    from .oidc.oidc_login import OidcLogin
    from .oidc.openid import Client, OpenIdPeer, Peer, preset_of

    _warn_of_open_doors(settings)
    fetcher = Fetcher()
    client = Client(settings.oidc_client_id or "", _client_secret(settings))
    peer: Peer
    if settings.oidc_issuer == "github":
        peer = GitHubPeer(client, fetcher, scope=settings.oidc_scope, user_claim=settings.user_claim)
    else:
        peer = OpenIdPeer(preset_of(settings), client, fetcher, scope=settings.oidc_scope,
                          user_claim=settings.user_claim, groups_claim=settings.groups_claim)
    return OidcLogin(peer, fetcher, keys=keys, lifetime_s=settings.login_lifetime, prefix=settings.prefix,
                     purpose=f"oidc {settings.oidc_issuer} {settings.oidc_tenant or ''} {client.id}", shared=shared,
                     domains=settings.oidc_allowed_domain, redirect_url=settings.oidc_redirect_url,
                     on_logout=on_logout)


def _warn_of_open_doors(settings: Settings) -> None:
    if settings.oidc_issuer in ("github", "google") and not settings.oidc_allowed_domain and not settings.allow:
        _log.warning("Everybody with an account at %s can log in; limit it with --oidc-allowed-domain or --allow",
                     settings.oidc_issuer)
    if settings.oidc_issuer == "github" and settings.user_claim in (None, "login"):
        names = sorted({f"@{name}" for rule in rules_of(settings.allow).values() for name in rule.users})
        if names:
            _log.warning("--allow names %s by GitHub login. An owner can give up a login, and then anybody can take "
                         "it. Use --user-claim sub and name users by number, which never changes: @1234567 "
                         "(the id in https://api.github.com/users/LOGIN)", ", ".join(names))


def _client_secret(settings: Settings) -> str | None:
    if not settings.oidc_client_secret_file:
        return settings.oidc_client_secret
    path = Path(settings.oidc_client_secret_file)
    try:
        secret = read_named(path).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--oidc-client-secret-file: {path} can't be read ({error})") from error
    if not secret:
        raise ConfigError(f"--oidc-client-secret-file: {path} is empty")
    return secret


def _header(settings: Settings) -> Provider:
    from .header_login import HeaderLogin, Names

    if settings.auth_header_jwt:
        return HeaderLogin(_jwt(settings), settings.auth_header_logout_url)
    names = Names(settings.auth_header_user or "", settings.auth_header_email, settings.auth_header_groups,
                  settings.auth_header_separator or ",")
    return HeaderLogin(names, settings.auth_header_logout_url)


def _jwt(settings: Settings) -> Jwt:
    need("--auth-header-jwt", "auth", "httpx", "joserfc")
    from .fetching import Fetcher
    from .header_login import Jwt
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

"""Settings of login that do not go together. A setting of a login that is not asked for is a mistake, never ignored:
whoever gives it believes that the server is guarded by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings

_OIDC = ("oidc_issuer", "oidc_tenant", "oidc_client_id", "oidc_client_secret_file", "oidc_scope",
         "oidc_allowed_domain", "oidc_redirect_url")
_JWT = ("auth_header_keys", "auth_header_audience", "auth_header_issuer")
_PLAIN = ("auth_header_user", "auth_header_email", "auth_header_groups")
_HEADER = (*_PLAIN, "auth_header_jwt", *_JWT, "auth_header_logout_url")


def login_conflict(settings: Settings) -> str | None:
    """What is wrong with the settings of login together, or ``None``."""
    for how, names in (("oidc", _OIDC), ("header", _HEADER)):
        if settings.auth != how and (name := _first_given(settings, names)):
            return f"{_flag(name)} needs --auth {how}"
    if settings.auth_module and settings.auth != "none":
        return f"--auth-module does not go with --auth {settings.auth}: leave one out"
    match settings.auth:
        case "oidc":
            return _oidc(settings)
        case "header":
            return _header(settings)
    return None


def _oidc(settings: Settings) -> str | None:
    if not settings.oidc_issuer:
        return "--auth oidc needs --oidc-issuer: the provider's URL, or github, google or microsoft"
    if not settings.oidc_client_id:
        return "--auth oidc needs --oidc-client-id, which the provider gives when this server is registered there"
    if settings.oidc_client_secret and settings.oidc_client_secret_file:
        return "the client secret is given twice: leave out --oidc-client-secret-file or the secret itself"
    if settings.oidc_issuer == "microsoft" and not settings.oidc_tenant:
        return "--oidc-issuer microsoft needs --oidc-tenant, the id or domain of the tenant whose users may log in"
    if settings.oidc_issuer != "microsoft" and settings.oidc_tenant:
        return "--oidc-tenant needs --oidc-issuer microsoft"
    if settings.oidc_issuer == "microsoft" and settings.oidc_allowed_domain:
        return "--oidc-allowed-domain: Microsoft does not verify addresses; --oidc-tenant is the limit"
    return None


def _header(settings: Settings) -> str | None:
    if not settings.use_xheaders:
        return "--auth header needs --use-xheaders: only a trusted proxy may say who the user is"
    if not settings.auth_header_jwt:
        if name := _first_given(settings, _JWT):
            return f"{_flag(name)} needs --auth-header-jwt, the header with the JWT"
        if not settings.auth_header_user:
            return "--auth header needs --auth-header-user or --auth-header-jwt, the header that says who the user is"
    elif name := _first_given(settings, _PLAIN):
        return f"{_flag(name)} does not go with --auth-header-jwt, which alone says who the user is; leave one out"
    elif not settings.auth_header_keys:
        return "--auth-header-jwt needs --auth-header-keys, the URL or file of the keys that verify it"
    elif not settings.auth_header_audience:
        return "--auth-header-jwt needs --auth-header-audience, or a JWT made for another server would be believed"
    return None


def _first_given(settings: Settings, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if getattr(settings, name)), None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")

"""Settings that exclude or need each other, each with its error. A setting of a login that is not used is an error,
and never ignored: its author believes that it protects the server.

The settings come as a mapping by name, because the table imports this module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_DEFAULT_PORT = 5006
_OIDC = ("oidc_issuer", "oidc_tenant", "oidc_client_id", "oidc_client_secret_file", "oidc_scope",
         "oidc_allowed_domain", "oidc_redirect_url")
_JWT = ("auth_header_keys", "auth_header_audience", "auth_header_issuer")
_PLAIN = ("auth_header_user", "auth_header_email", "auth_header_groups", "auth_header_separator")
_HEADER = (*_PLAIN, "auth_header_jwt", *_JWT, "auth_header_logout_url")

Values = Mapping[str, Any]
"""The value of every setting, by its name."""


def conflict(values: Values) -> str | None:
    """The first conflict between the values, as a message; ``None`` if there is none."""
    return _unix_socket(values) or _incomplete(values) or _login(values)


def _unix_socket(values: Values) -> str | None:
    if not values["unix_socket"]:
        return None
    if os.name == "nt":
        return "--unix-socket: Windows has no Unix sockets; use --address 127.0.0.1 and --port"
    # The words of bokeh serve, which programs compare.
    if values["port"] != _DEFAULT_PORT:
        return "--port arg is not supported with a unix socket"
    names = ("address", "ssl_certfile", "ssl_keyfile")
    if any(values[name] for name in names):
        return f"{[*names, 'port']} args are not supported with a unix socket"
    return None


def _incomplete(values: Values) -> str | None:
    if values["ssl_keyfile"] and not values["ssl_certfile"]:
        return "--ssl-keyfile needs --ssl-certfile, the certificate of that key"
    if values["trusted_proxies"] and not values["use_xheaders"]:
        return "--trusted-proxies needs --use-xheaders, which trusts their headers"
    return None


def _login(values: Values) -> str | None:
    for how, names in (("oidc", _OIDC), ("header", _HEADER)):
        if values["auth"] != how and (name := _first_given(values, names)):
            return f"{_flag(name)} needs --auth {how}"
    if values["auth_module"] and values["auth"] != "none":
        return f"--auth-module does not go with --auth {values['auth']}: leave one out"
    match values["auth"]:
        case "oidc":
            return _oidc_login(values)
        case "header":
            return _header_login(values)
    return None


def _oidc_login(values: Values) -> str | None:
    if not values["oidc_issuer"]:
        return "--auth oidc needs --oidc-issuer: the provider's URL, or github, google or microsoft"
    if not values["oidc_client_id"]:
        return "--auth oidc needs --oidc-client-id, which the provider gives when this server is registered there"
    if values["oidc_client_secret"] and values["oidc_client_secret_file"]:
        return "the client secret is given twice: leave out --oidc-client-secret-file or HOTSHOE_OIDC_CLIENT_SECRET"
    if values["oidc_issuer"] == "microsoft" and not values["oidc_tenant"]:
        return "--oidc-issuer microsoft needs --oidc-tenant, the id or domain of the tenant whose users may log in"
    if values["oidc_issuer"] != "microsoft" and values["oidc_tenant"]:
        return "--oidc-tenant needs --oidc-issuer microsoft"
    if values["oidc_issuer"] == "microsoft" and values["oidc_allowed_domain"]:
        return "--oidc-allowed-domain: leave it out, as Microsoft does not verify addresses; use --oidc-tenant"
    return None


def _header_login(values: Values) -> str | None:
    if not values["use_xheaders"]:
        return "--auth header needs --use-xheaders: only a trusted proxy may name the user"
    if not values["auth_header_jwt"]:
        if name := _first_given(values, _JWT):
            return f"{_flag(name)} needs --auth-header-jwt, the header with the JWT"
        if values["auth_header_separator"] and not values["auth_header_groups"]:
            return "--auth-header-separator needs --auth-header-groups, the header with the groups"
        if not values["auth_header_user"]:
            return "--auth header needs --auth-header-user or --auth-header-jwt, the header that names the user"
    elif name := _first_given(values, _PLAIN):
        return f"{_flag(name)} does not go with --auth-header-jwt, which alone names the user; leave one out"
    elif not values["auth_header_keys"]:
        return "--auth-header-jwt needs --auth-header-keys, the URL or file of the keys that verify the JWT"
    elif not values["auth_header_audience"]:
        return "--auth-header-jwt needs --auth-header-audience, so that a JWT for another server is refused"
    return None


def _first_given(values: Values, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if values[name]), None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")

"""Providers that are known by name, and what differs between providers."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """What is particular about a provider of OpenID Connect."""

    issuer: str
    scope: tuple[str, ...] = ("openid", "profile", "email")
    user_claim: str = "sub"
    trusts_email: bool = False
    """Whether an address counts that it does not call verified."""
    issuer_differs: bool = False
    """Whether its issuer is not where its configuration is."""


def preset_of(settings: Settings) -> Preset:
    """That of ``--oidc-issuer``; GitHub speaks a protocol of its own."""
    match settings.oidc_issuer:
        case "google":
            return Preset("https://accounts.google.com", user_claim="email")
        case "microsoft":
            # Its administrators write the addresses of a tenant; there is no claim that says so.
            return Preset(f"https://login.microsoftonline.com/{settings.oidc_tenant}/v2.0",
                          trusts_email=True, issuer_differs=True)
        case issuer:
            return Preset(issuer or "")

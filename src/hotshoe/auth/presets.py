"""Providers that are known by name, and what differs between providers."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """What is particular about a provider of OpenID Connect."""

    title: str
    """What its users call it."""
    issuer: str
    scope: tuple[str, ...] = ("openid", "profile", "email")
    user_claim: str = "sub"
    trusts_email: bool = False
    """Whether an address counts that it does not call verified."""
    issuer_differs: bool = False
    """Whether its issuer is not where its configuration is."""
    everybody: str = ""
    """Who can log in there, if that is everybody."""


def preset_of(settings: Settings) -> Preset:
    """That of ``--oidc-issuer``; GitHub speaks a protocol of its own."""
    match settings.oidc_issuer:
        case "google":
            return Preset("Google", "https://accounts.google.com", user_claim="email",
                          everybody="" if settings.oidc_allowed_domain else "with a Google account")
        case "microsoft":
            # Its administrators write the addresses of a tenant; there is no claim that says so.
            return Preset("Microsoft", f"https://login.microsoftonline.com/{settings.oidc_tenant}/v2.0",
                          trusts_email=True, issuer_differs=True)
        case issuer:
            return Preset("your login provider", issuer or "")

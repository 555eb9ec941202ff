"""GitHub: OAuth 2 without OpenID Connect. Who somebody is, its API says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RequestError
from .claims import user_of_claims
from .fetching import Fetcher
from .openid import Attempt, Client, authorization_url, exchange
from .user import User

_log = logging.getLogger(__name__)

_PAGE = 100
_MOST_PAGES = 10
_KEPT = ("login", "name", "avatar_url", "company")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where GitHub is."""

    site: str = "https://github.com"
    api: str = "https://api.github.com"


class GitHubPeer:
    """Groups are organizations and their teams, ``org`` and ``org/team``, as far as the scope shows them."""

    issuer = None

    def __init__(self, client: Client, fetcher: Fetcher, *, scope: tuple[str, ...] = (),
                 user_claim: str | None = None, endpoints: Endpoints | None = None) -> None:
        self._client = client
        self._fetcher = fetcher
        self._scope = scope or ("read:user", "user:email", "read:org")
        self._user_claim = user_claim or "login"
        self._endpoints = endpoints or Endpoints()

    async def prepare(self) -> None:
        """Everything is known."""

    async def authorization_url(self, attempt: Attempt) -> str:
        """The page of GitHub."""
        return authorization_url(f"{self._endpoints.site}/login/oauth/authorize", self._client, self._scope, attempt)

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """Who the API says has given the code."""
        tokens = await exchange(self._fetcher, f"{self._endpoints.site}/login/oauth/access_token", self._client, code,
                                attempt, "client_secret_post")
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "X-GitHub-Api-Version": "2022-11-28"}
        user = await self._fetcher.get(f"{self._endpoints.api}/user", headers)
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise RequestError("GitHub's answer can't be understood.", status=502)
        claims = {name: user[name] for name in _KEPT if isinstance(user.get(name), str)}
        claims |= {"sub": str(user["id"]), "email": await self._email(headers), "email_verified": True,
                   "groups": await self._groups(headers)}
        return user_of_claims(claims, user_claim=self._user_claim, groups_claim="groups")

    async def logout_url(self) -> None:
        """It has none."""

    async def _email(self, headers: Mapping[str, str]) -> str:
        """The primary address, if it is verified."""
        if not {"user", "user:email"} & set(self._scope):
            return ""
        for entry in await self._list("/user/emails", headers):
            if entry.get("primary") is True and entry.get("verified") is True:
                return str(entry.get("email"))
        return ""

    async def _groups(self, headers: Mapping[str, str]) -> list[str]:
        if not {"read:org", "write:org", "admin:org"} & set(self._scope):
            return []
        groups = [str(org.get("login")) for org in await self._list("/user/orgs", headers)]
        for team in await self._list("/user/teams", headers):
            organization = team.get("organization")
            if isinstance(organization, dict):
                groups.append(f"{organization.get('login')}/{team.get('slug')}")
        return groups

    async def _list(self, path: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number in range(1, _MOST_PAGES + 1):
            page = await self._fetcher.get(f"{self._endpoints.api}{path}?per_page={_PAGE}&page={number}", headers)
            if not isinstance(page, list):
                raise RequestError("GitHub's answer can't be understood.", status=502)
            found += [entry for entry in page if isinstance(entry, dict)]
            if len(page) < _PAGE:
                break
        return found

"""GitHub: OAuth 2 without OpenID Connect. The user's name and groups come from GitHub's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base.errors import RequestError
from ...base.users import User
from ..fetching import Fetcher
from ..identity import user_of_claims
from .openid import Attempt, Client, authorization_url, exchange

_PAGE = 100
_MOST_PAGES = 10
_KEPT = ("login", "name", "avatar_url", "company")


class GitHubPeer:
    """Groups are the organizations and teams that the scope allows to read: ``org`` and ``org/team``."""

    issuer = None

    def __init__(self, client: Client, fetcher: Fetcher, *, scope: tuple[str, ...] = (),
                 user_claim: str | None = None, site: str = "https://github.com",
                 api: str = "https://api.github.com") -> None:
        self._client = client
        self._fetcher = fetcher
        self._scope = scope or ("read:user", "user:email", "read:org")
        self._user_claim = user_claim or "login"
        self._site = site
        self._api = api

    async def prepare(self) -> None:
        """Do nothing: GitHub's URLs are fixed."""

    async def authorization_url(self, attempt: Attempt) -> str:
        """GitHub's login page."""
        return authorization_url(f"{self._site}/login/oauth/authorize", self._client, self._scope, attempt)

    async def user(self, code: str, attempt: Attempt) -> User | None:
        """The user who got the code, as the API describes them."""
        tokens = await exchange(self._fetcher, f"{self._site}/login/oauth/access_token", self._client, code,
                                attempt, "client_secret_post")
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "X-GitHub-Api-Version": "2022-11-28"}
        user = await self._fetcher.get(f"{self._api}/user", headers)
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise RequestError("GitHub's response can't be understood.", status=502)
        claims = {name: user[name] for name in _KEPT if isinstance(user.get(name), str)}
        claims |= {"sub": str(user["id"]), "email": await self._email(headers), "email_verified": True,
                   "groups": await self._groups(headers)}
        return user_of_claims(claims, user_claim=self._user_claim, groups_claim="groups")

    async def logout_url(self) -> None:
        """GitHub has none."""

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
            page = await self._fetcher.get(f"{self._api}{path}?per_page={_PAGE}&page={number}", headers)
            if not isinstance(page, list):
                raise RequestError("GitHub's response can't be understood.", status=502)
            found += [entry for entry in page if isinstance(entry, dict)]
            if len(page) < _PAGE:
                break
        return found

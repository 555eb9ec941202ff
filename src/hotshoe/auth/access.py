"""Authorization: which user may open which app, by rules, by the operator's function, and by a list of public apps."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import ConfigError
from ..base.logs import PacedLog
from ..base.users import User, discard
from ..http.paths import normalized_url
from .calls import Calls

_COMMA = re.compile(r"(?<!\\),")
_log = PacedLog(logging.getLogger(__name__))

ALL = "*"
"""In place of an app: every app without a rule of its own. In place of a user: every user who has logged in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The users and groups that may open one app."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    everyone: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> Rule:
        """Parse names: ``group``, ``@user`` or ``*``."""
        names = list(names)
        return cls(
            users=frozenset(name.removeprefix("@") for name in names if name.startswith("@")),
            groups=frozenset(name for name in names if not name.startswith("@") and name != ALL),
            everyone=ALL in names,
        )

    def admits(self, user: User) -> bool:
        """Whether this user may open the app."""
        return self.everyone or user.name in self.users or not self.groups.isdisjoint(user.groups)


class Access:
    """The rules of one front."""

    def __init__(self, allow: Iterable[str] = (), public: Iterable[str] = (), *,
                 authorize: Callable[..., Any] | None = None, calls: Calls | None = None,
                 apps: Iterable[str] | None = None) -> None:
        self._rules = rules_of(allow)
        self._public = frozenset(map(_url, public))
        self._authorize = authorize
        self._calls = calls or Calls()
        if apps is not None:
            self._check(frozenset(apps))

    def _check(self, apps: frozenset[str]) -> None:
        for flag, named in (("--allow", self._rules), ("--public", self._public)):
            for url in named:
                if url not in apps and url != ALL:
                    raise ConfigError(f"{flag}: there is no app at {url}; the apps are at {', '.join(sorted(apps))}")

    def stop(self) -> None:
        """End the threads on which ``authorize`` runs."""
        self._calls.stop()

    @property
    def restricts(self) -> bool:
        """Whether some users who have logged in may be refused."""
        return bool(self._rules) or self._authorize is not None

    def is_public(self, app: str) -> bool:
        """Whether the app can be opened without a login."""
        return app in self._public or ALL in self._public

    async def admits(self, user: User, app: str) -> bool:
        """Whether the user may open the app. An exception of ``authorize`` is raised: an error lets nobody in.

        Of the results of ``authorize`` only ``True`` lets a user in: a response or a coroutine would count as true.
        """
        rule = self._rules.get(app) or self._rules.get(ALL)
        if rule is not None and not rule.admits(user):
            return False
        if self._authorize is None:
            return True
        result = await self._calls.run(self._authorize, user, app)
        if result and result is not True:
            _log.error("The result of authorize() (of type %.80s) is not True or False: the user may not open the app",
                       type(result).__qualname__, kind=type(result).__qualname__)
            discard(result)
        return result is True


def rules_of(entries: Iterable[str]) -> Mapping[str, Rule]:
    """Parse entries ``APP=NAME,…`` into rules by app URL. Several entries for one app are joined.

    A name may contain a comma, as ``\\,``.
    """
    names: dict[str, list[str]] = {}
    for entry in entries:
        app, _, listed = entry.partition("=")
        found = (name.strip().replace(r"\,", ",") for name in _COMMA.split(listed))
        names.setdefault(_url(app), []).extend(filter(None, found))
    return {app: Rule.of(listed) for app, listed in names.items()}


def _url(app: str) -> str:
    app = app.strip()
    return app if app == ALL else normalized_url(app)

"""Which headers and cookies of a request apps and hooks get to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..apps.request import Request
from ..config import Settings
from ..errors import ConfigError
from .requests import Scope, request_of

_Choice = Callable[[Mapping[str, str]], dict[str, str]]


class Disclosure:
    """What ``--include-…`` and ``--exclude-…`` leave of a request. Raises ``ConfigError`` for both of one kind."""

    def __init__(self, settings: Settings) -> None:
        self._headers = _choice("headers", settings.include_headers, settings.exclude_headers, str.lower)
        self._cookies = _choice("cookies", settings.include_cookies, settings.exclude_cookies, str)
        # The header says all cookies again; who wants it must name it.
        self._hides_cookie = self._cookies is not None and "cookie" not in map(str.lower, settings.include_headers)

    def of(self, scope: Scope) -> Request:
        """The request as apps see it."""
        return self.limit(request_of(scope))

    def limit(self, request: Request) -> Request:
        """The request without what is not to be seen."""
        headers: Mapping[str, str] = request.headers if self._headers is None else self._headers(request.headers)
        if self._hides_cookie:
            headers = {name: value for name, value in headers.items() if name != "Cookie"}
        cookies: Mapping[str, str] = request.cookies if self._cookies is None else self._cookies(request.cookies)
        if headers is request.headers and cookies is request.cookies:
            return request
        return replace(request, headers=headers, cookies=cookies)


def _choice(kind: str, included: tuple[str, ...], excluded: tuple[str, ...],
            fold: Callable[[str], str]) -> _Choice | None:
    """What takes the named ones, or all but them; ``None`` if nothing is named."""
    if included and excluded:
        raise ConfigError(f"--include-{kind} and --exclude-{kind} exclude each other: give one of them")
    if not included and not excluded:
        return None
    names = frozenset(map(fold, included or excluded))
    wanted = bool(included)
    return lambda given: {name: value for name, value in given.items() if (fold(name) in names) is wanted}

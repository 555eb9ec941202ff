"""The request for the hook ``process_request``: stock gives it Tornado's request, whose headers have names in any case
and whose cookies are objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .requests import Request


class AnyCaseHeaders(dict[str, str]):
    """Headers by name in any case. Repeated ones are joined by a comma."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(_title(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(_title(name))

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(_title(name), default)

    def get_list(self, name: str) -> list[str]:
        """All values of a header."""
        return [part.strip() for part in self[name].split(",")] if name in self else []

    def get_all(self) -> Iterator[tuple[str, str]]:
        """Each header with its value."""
        return iter(self.items())


class HookCookie(str):
    """A cookie's value, also with the attributes of ``http.cookies.Morsel``."""

    __slots__ = ("key",)

    key: str

    @property
    def value(self) -> str:
        """The value."""
        return str(self)


def hook_request(request: Request) -> Request:
    """``request`` for the hook."""
    return replace(request, headers=AnyCaseHeaders(request.headers), cookies=_cookies(request.cookies))


def plain(value: Any) -> Any:
    """What the hook returns, with plain texts in the place of cookies: JSON's encoders take no other ones."""
    if isinstance(value, HookCookie):
        return str(value)
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def _cookies(cookies: Mapping[str, str]) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, value in cookies.items():
        cookie = made[name] = HookCookie(value)
        cookie.key = name
    return made


def _title(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))

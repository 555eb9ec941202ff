"""Who sends the request that Flask is answering, as plain data: nothing of Flask's leaves the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flask

from ...auth.identity import user_from
from ...auth.user import User


def user_now(given: Callable[[], Any] | None) -> User | None:
    """The user by ``given``, else by Flask-Login where the site has that; ``None`` for who has not logged in."""
    if given is not None:
        return as_user(given())
    if getattr(flask.current_app, "login_manager", None) is None:
        return None
    from flask_login import current_user  # type: ignore[import-untyped]

    return as_user(current_user)


def session_now() -> dict[str, Any]:
    """A copy of Flask's session."""
    return dict(flask.session)


def as_user(found: Any) -> User | None:
    """A user of Flask-Login has an id, whatever attributes it has."""
    if found and not isinstance(found, Mapping) and callable(getattr(found, "get_id", None)):
        return user_from(_Identified(found))
    return user_from(found)


class _Identified:
    """A user whose ``id`` is that of ``get_id``, unless it has one."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._user, name, None)
        return self._user.get_id() if name == "id" and found is None else found

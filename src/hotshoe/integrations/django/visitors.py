"""Django's user and session as plain data: nothing that would ask the database later leaves Django's thread."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ...auth.user import User


def user_of(request: HttpRequest) -> User | None:
    """Who has logged in; ``None`` for nobody, and where Django knows no users."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    groups = getattr(user, "groups", None)  # a user model of the site's own may have none
    return User(
        str(user.get_username()),
        email=_email(user),
        groups=frozenset() if groups is None else frozenset(groups.values_list("name", flat=True)),
        claims={
            "id": user.pk if isinstance(user.pk, int) else str(user.pk),
            "full_name": str(user.get_full_name()) if hasattr(user, "get_full_name") else "",
            "is_staff": bool(getattr(user, "is_staff", False)),
            "is_superuser": bool(getattr(user, "is_superuser", False)),
        },
    )


def session_of(request: HttpRequest) -> dict[str, Any] | None:
    """What the session holds; ``None`` where there are no sessions."""
    session = getattr(request, "session", None)
    return None if session is None else dict(session.items())


def _email(user: Any) -> str:
    field = user.get_email_field_name() if hasattr(user, "get_email_field_name") else "email"
    return str(getattr(user, field, "") or "")

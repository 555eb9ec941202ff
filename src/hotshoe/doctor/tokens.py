"""What the token of a page says; nothing is verified, for only the server has the key."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TokenError
from ..tokens import read


@dataclass(frozen=True, slots=True)
class Ticket:
    """A session token, as a browser has it."""

    text: str
    session_id: str
    expires_at_s: int | None
    """Unix time by the clock of the server that made it."""
    is_signed: bool


def ticket_of(text: str) -> Ticket | None:
    """Read a token; ``None`` if it is none."""
    try:
        token = read(text)
    except TokenError:
        return None
    return Ticket(text, token.session_id, token.expires_at_s, "." in text)

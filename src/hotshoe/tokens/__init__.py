"""Session ids and session tokens, signed or not. Pure: time and keys are given."""

from .ids import check_session_id, new_session_id
from .token import MAX_TOKEN_CHARS, Token, mint, read

__all__ = ["MAX_TOKEN_CHARS", "Token", "check_session_id", "mint", "new_session_id", "read"]

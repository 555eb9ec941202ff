"""Session ids and session tokens, signed or not, and the keys that sign. Pure but for ``kept_key``."""

from .ids import check_session_id, new_session_id
from .keys import derived, kept_key, new_key
from .token import MAX_TOKEN_CHARS, Token, is_signed_by, mint, read

__all__ = ["MAX_TOKEN_CHARS", "Token", "check_session_id", "derived", "is_signed_by", "kept_key", "mint", "new_key",
           "new_session_id", "read"]

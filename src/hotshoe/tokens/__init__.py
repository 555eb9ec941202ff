"""Session ids and session tokens, signed or not, and the keys for signing. Only ``read_or_make_key`` does I/O."""

from .keys import SecretKeys, derived, new_key, read_or_make_key
from .token import (
    FORGED,
    MAX_TOKEN_CHARS,
    Token,
    TokenTooLongError,
    check_session_id,
    decode_payload,
    encode_payload,
    is_signed_by,
    mint,
    new_session_id,
    read,
)

__all__ = ["FORGED", "MAX_TOKEN_CHARS", "SecretKeys", "Token", "TokenTooLongError", "check_session_id",
           "decode_payload", "derived", "encode_payload", "is_signed_by", "mint", "new_key", "new_session_id",
           "read", "read_or_make_key"]

"""The fields of log records."""

from hotshoe.base.logs import session_hash


def test_a_session_is_named_by_a_hash_of_its_id() -> None:
    assert session_hash("s") == session_hash("s") == "043a718774c5"  # echo -n s | sha256sum
    assert session_hash("s.signature") != session_hash("s")
    assert len(session_hash("\udc80é")) == 12, "any id that a client may choose"

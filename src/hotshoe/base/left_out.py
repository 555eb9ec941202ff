"""Names of stock's objects that ours do not have on purpose: the error of each says why, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping


def missing(owner: object, name: str, left_out: Mapping[str, str]) -> AttributeError:
    """The error for an attribute that ``owner`` does not have."""
    text = f"{type(owner).__name__!r} object has no attribute {name!r}"
    reason = left_out.get(name)
    return AttributeError(f"{text}: {reason}" if reason else text, name=name, obj=owner)

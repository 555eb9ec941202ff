"""Close reasons: never longer than a control frame allows, always whole characters."""

from __future__ import annotations

import pytest

from hotshoe.wire import close_reason


@pytest.mark.parametrize(("text", "cut"), [
    ("", ""),
    ("x" * 123, "x" * 123),
    ("x" * 124, "x" * 123),
    ("é" * 62, "é" * 61),
    ("x" + "é" * 61, "x" + "é" * 61),
    ("x" * 120 + "𝄞", "x" * 120),
    ("a\ud800b", "ab"),
])  # fmt: skip
def test_a_reason_fits_a_close_frame(text: str, cut: str) -> None:
    assert close_reason(text) == cut

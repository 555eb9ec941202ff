import logging

import pytest

from hotshoe.log_pace import LOG_EVERY_S, Paced


def test_a_line_now_and_then_says_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    paced = Paced(logging.getLogger("paced"), lambda: now_s)
    for now_s in (0.0, 1.0, LOG_EVERY_S - 1, LOG_EVERY_S, LOG_EVERY_S + 1, 5 * LOG_EVERY_S):  # noqa: B007 - the clock
        paced.warn("%s: %d", "refused")
    assert caplog.messages == ["refused: 1", "refused: 3", "refused: 2"]

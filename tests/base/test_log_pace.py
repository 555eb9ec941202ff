"""Lines that strangers cause: how often they come, what they say of those left out, and that there is no other way."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

import hotshoe
from hotshoe.base import logs
from hotshoe.base.logs import LOG_EVERY_S, LONGEST, LONGEST_LINES, MOST, Lines, PacedLog, PaceFilter, origin_of

LOG = logging.getLogger("paced")
SOURCES = Path(hotshoe.__file__).parent


def test_a_few_lines_and_how_many_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    paced = PacedLog(LOG, most=2, clock=lambda: now_s)
    for now_s in (0.0, 1.0, 2.0, LOG_EVERY_S - 1, LOG_EVERY_S, LOG_EVERY_S + 1, 5 * LOG_EVERY_S):  # noqa: B007 - the clock
        paced.warning("refused %s", "ann")
    assert caplog.messages == [
        "refused ann", "refused ann", "refused ann (and 2 more since the last such line)", "refused ann", "refused ann"]


def test_kinds_do_not_count_for_each_other(caplog: pytest.LogCaptureFixture) -> None:
    paced = PacedLog(LOG, most=1)
    for _ in range(3):
        paced.warning("one of %d", 1)
        paced.error("one of %d", 1)
        paced.warning("another")
        paced.warning("one of %d", 1, kind="other")
    assert len(caplog.records) == 4


def test_kinds_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_KINDS", 10)
    for number in range(100):
        PacedLog(LOG).warning("refused", kind=number)
    assert len(logs._paces) == 10


def test_what_is_not_logged_does_not_count(caplog: pytest.LogCaptureFixture) -> None:
    paced = PacedLog(LOG, most=1)
    with caplog.at_level(logging.ERROR):
        paced.warning("refused")
    paced.warning("refused")
    assert caplog.messages == ["refused"]


def test_a_destructor_may_log_while_lines_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Python may collect garbage at any time, also with the lock held."""
    def clock() -> float:
        PacedLog(LOG).warning("from a destructor")
        return 0.0

    logging_ = threading.Thread(target=PacedLog(LOG, clock=clock).warning, args=("refused",), daemon=True)
    logging_.start()
    logging_.join(30)
    assert "refused" in caplog.messages


async def test_the_number_is_said_when_nothing_comes_any_more(caplog: pytest.LogCaptureFixture,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_EVERY_S", 0.1)
    paced = PacedLog(LOG)
    for number in range(1000):
        paced.warning("refused %d", number)
    async with asyncio.timeout(20):
        while len(caplog.messages) <= MOST:
            await asyncio.sleep(0.01)
    assert caplog.messages[-1] == f"refused 999 (the last of {1000 - MOST} more since the last such line)"


def test_the_line_tells_where_it_comes_from(caplog: pytest.LogCaptureFixture) -> None:
    PacedLog(LOG).error("refused")
    assert caplog.records[0].funcName == "test_the_line_tells_where_it_comes_from"


def test_a_library_is_paced(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("paced.library")
    log.addFilter(PaceFilter())
    for _ in range(1000):
        log.warning("nonsense from %s", "1.2.3.4")
    assert caplog.messages == ["nonsense from 1.2.3.4"] * MOST


class Unspeakable:
    def __str__(self) -> str:
        PacedLog(LOG).warning("so much for words")
        raise ValueError("no words")


def test_what_can_t_be_put_into_words_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    told: list[logging.LogRecord] = []
    monkeypatch.setattr(LOG, "handle", told.append)
    for _ in range(3):
        PacedLog(LOG, most=1).warning("refused %s", Unspeakable())
    assert [record.msg for record in told] == ["refused %s", "so much for words", "so much for words"]
    paced = PaceFilter()
    for number in range(MOST + 3):
        record = logging.LogRecord("paced", logging.WARNING, "", 1, "refused %d", ("ann",), None)
        assert paced.filter(record) is (number < MOST)


NASTY = "a\n2026-01-01 User 'root' has logged in\x1b[2J\r\x00\x9b\u2028\u202e\ud800"


def test_a_client_s_text_is_short_and_makes_no_line(caplog: pytest.LogCaptureFixture) -> None:
    library = logging.getLogger("paced.text")
    library.addFilter(PaceFilter())
    library.warning("refused %(it)s", {"it": NASTY})
    for log in (PacedLog(LOG), library):
        for text in ("refused %s", "refused %r"):
            for value in (NASTY, NASTY * 10_000, ValueError(NASTY)):
                log.warning(text, value)
    assert len(caplog.messages) == 13
    for message in caplog.messages:
        assert message.isprintable()
        assert len(message) < 6 * LONGEST
        assert r"in\x1b[2J" in message, "escaped once"


def test_lines_stay_lines(caplog: pytest.LogCaptureFixture) -> None:
    PacedLog(LOG).error("failed\n%s", Lines.of("Traceback:\n\tat 1\x1b[2J\r\nend"))
    assert caplog.messages == ["failed\nTraceback:\n\tat 1\\x1b[2J\\r\nend"]
    long = Lines.of("first\n" + "x" * 10_000_000 + "\nlast")
    assert len(long) < LONGEST_LINES + 100
    assert long.startswith("first\n")
    assert long.endswith("\nlast")


def test_the_origin_of_an_error() -> None:
    def raised(kind: type[Exception]) -> Exception:
        try:
            raise kind
        except Exception as error:
            return error

    assert origin_of(raised(ValueError)) == origin_of(raised(ValueError)) != origin_of(raised(TypeError))
    assert origin_of(None) == origin_of(None)

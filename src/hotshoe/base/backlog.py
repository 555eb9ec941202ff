"""What connections have sent and nobody has handled yet: its bytes are bounded, and so is the time of half a message.

If there are too many bytes, at one address or in all, only the oldest unfinished message is read on: it becomes
complete, or too slow, and then the next one is the oldest. So several large messages at once take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HURRY = 1 / 6
"""The part of its time that a message has to make progress if others wait for it."""
READ_BYTES = 1 << 18
"""What a connection may get at once."""
WAKE_S = 0.1
"""The time in which others, too, may go on if those that might have read do not."""


class _Group:
    """The backlogs of one address, or all: those with bytes, in the order in which they began."""

    __slots__ = ("holders", "most_bytes", "nbytes")

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.nbytes = 0
        self.holders: dict[Backlog, None] = {}

    def add(self, backlog: Backlog, nbytes: int) -> None:
        self.nbytes += nbytes
        if backlog.nbytes:
            self.holders.setdefault(backlog)
        else:
            self.holders.pop(backlog, None)

    def admits(self, backlog: Backlog) -> bool:
        return self.nbytes <= self.most_bytes or next(iter(self.holders)) is backlog


class Backlogs:
    """All backlogs of a server, with the bounds on their bytes."""

    def __init__(self, most_bytes: int, most_bytes_per_address: int, progress_s: float, least_bytes_per_s: float,
                 ) -> None:
        self.all = _Group(most_bytes)
        self.progress_s = progress_s
        self.least_bytes_per_s = least_bytes_per_s
        self._most_bytes_per_address = most_bytes_per_address
        self._by_address: dict[str, _Group] = {}
        self.blocked: dict[Backlog, Callable[[], None]] = {}
        self._waking: asyncio.Handle | None = None

    def of_address(self, address: str) -> _Group:
        """The group of an address; call ``tidy`` when a backlog has left it."""
        return self._by_address.setdefault(address, _Group(self._most_bytes_per_address))

    def tidy(self, address: str) -> None:
        """Forget an address without bytes."""
        group = self._by_address.get(address)
        if group is not None and not group.holders:
            del self._by_address[address]

    def wake(self) -> None:
        """Soon let those read on that may: there are fewer bytes than before, or some pass on from part to part."""
        if self._waking is None:
            self._waking = asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._waking = None
        left = max((self.all.most_bytes - self.all.nbytes) // READ_BYTES, 1)
        for backlog in [*filter(self.blocked.__contains__, self.all.holders), *self.blocked]:  # the oldest first
            if not left:
                self._waking = asyncio.get_running_loop().call_later(WAKE_S, self._wake)
                break
            if backlog in self.blocked and backlog.may_read():
                read_on = self.blocked.pop(backlog)
                backlog.start_anew()
                read_on()
                left -= 1
        for backlog in self.blocked:
            backlog.hurry_oldest()


class Backlog:
    """What one connection has sent: bytes that are not read as a message yet, and those of its message in hand."""

    __slots__ = ("_address", "_backlogs", "_finished", "_in_hand_bytes", "_is_open", "_mark", "_passed_bytes",
                 "_period_s", "_timer", "_unread_bytes", "on_slow", "received_bytes")

    def __init__(self, backlogs: Backlogs) -> None:
        self._backlogs = backlogs
        self._address: str | None = None
        self._unread_bytes = 0
        self._passed_bytes = 0
        """Bytes that have just been read, and are in hand soon: its place in the order must not be lost."""
        self._in_hand_bytes = 0
        self.received_bytes = 0
        """All that has come, which shows whether a message makes progress."""
        self._finished = 0
        self._is_open = [False, False]
        self._mark: tuple[int, int] | None = None
        """Finished messages and received bytes when the timer began; ``None`` if a message has begun since then."""
        self._timer: asyncio.TimerHandle | None = None
        self._period_s = 0.0
        self.on_slow: Callable[[], None] = lambda: None
        """Called when the unfinished message arrives too slowly."""

    @property
    def nbytes(self) -> int:
        """The bytes that count for the bounds."""
        return self._unread_bytes + self._passed_bytes + self._in_hand_bytes

    @property
    def has_unread(self) -> bool:
        """Whether there are bytes that are not read as a message yet, or more of a frame is waited for."""
        return self._unread_bytes > 0 or self._is_open[0]

    def move_to(self, address: str) -> None:
        """Count for this address from now on."""
        now = self._unread_bytes, self._passed_bytes, self._in_hand_bytes
        self._change(0, 0, 0)
        self._address = address
        self._change(*now)

    def set_unread(self, nbytes: int) -> None:
        """Note the bytes that are not read as a message yet."""
        if nbytes != self._unread_bytes:
            self._change(nbytes, self._passed_bytes, self._in_hand_bytes)

    def pass_on(self, nbytes: int) -> None:
        """Note that all unread bytes but ``nbytes`` are passed on, to the reader that calls ``set_in_hand``."""
        if self._unread_bytes != nbytes:
            self._change(nbytes, self._passed_bytes + self._unread_bytes - nbytes, self._in_hand_bytes)

    def expect(self, more: bool) -> None:
        """Note whether more of a frame is waited for."""
        if more != self._is_open[0]:
            self._open(0, more)

    def set_in_hand(self, nbytes: int, *, is_open: bool) -> None:
        """Note the bytes of the message that is put together or handled, and whether more of it is waited for."""
        if nbytes != self._in_hand_bytes or self._passed_bytes:
            self._change(self._unread_bytes, 0, nbytes)
        if is_open != self._is_open[1]:
            self._open(1, is_open)

    def may_read(self) -> bool:
        """Whether more may be read of this connection."""
        return all(group.admits(self) for group in self._groups())

    def start_anew(self) -> None:
        """Give the unfinished message its full time again, after it had to wait."""
        self._mark = None

    def when_room(self, read_on: Callable[[], None]) -> None:
        """Call ``read_on`` when ``may_read`` has become true."""
        self._backlogs.blocked[self] = read_on
        self.hurry_oldest()

    def hurry_oldest(self) -> None:
        """Watch those more closely for whose messages this one waits."""
        for group in self._groups():
            if group.holders:
                next(iter(group.holders)).hurry()

    def close(self) -> None:
        """Count nothing any more: the connection has ended. May be called more than once."""
        self._backlogs.blocked.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_open = [False, False]
        self._change(0, 0, 0)

    def _groups(self) -> list[_Group]:
        groups = [self._backlogs.all]
        if self._address is not None and self.nbytes:
            groups.append(self._backlogs.of_address(self._address))
        return groups

    def _change(self, unread: int, passed: int, in_hand: int) -> None:
        more = unread + passed + in_hand - self.nbytes
        self._unread_bytes, self._passed_bytes, self._in_hand_bytes = unread, passed, in_hand
        self._backlogs.all.add(self, more)
        if self._address is not None:
            self._backlogs.of_address(self._address).add(self, more)
            self._backlogs.tidy(self._address)
        if more < 0 and self._backlogs.blocked:
            self._backlogs.wake()

    def _open(self, part: int, is_open: bool) -> None:
        was_open = any(self._is_open)
        self._is_open[part] = is_open
        if not is_open:
            self._finished += 1
        if is_open and not was_open:
            self._mark = None
            if self._timer is None:
                self._watch(self._backlogs.progress_s)

    def _watch(self, period_s: float) -> None:
        self._period_s = period_s
        self._mark = (self._finished, self.received_bytes)
        self._timer = asyncio.get_running_loop().call_later(period_s, self._check)

    def hurry(self) -> None:
        """Watch more closely from now on: others wait for the end of this message."""
        if self._timer is not None and self._period_s > HURRY * self._backlogs.progress_s and any(self._is_open):
            self._timer.cancel()
            self._watch(HURRY * self._backlogs.progress_s)

    def _check(self) -> None:
        self._timer = None
        if not any(self._is_open):
            return
        if self._mark is not None and self not in self._backlogs.blocked:
            finished, received_bytes = self._mark
            least_bytes = self._backlogs.least_bytes_per_s * self._period_s
            if finished == self._finished and self.received_bytes - received_bytes < least_bytes:
                self.on_slow()
                return
        self._watch(self._period_s if self._backlogs.blocked else self._backlogs.progress_s)

"""Makes new inputs for a parser from those of its corpus."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

LONGEST = 4096
"""The length in bytes of most inputs."""
LONGEST_REPEATED = 1 << 18
"""The length of a few inputs, which repeat a part many times: they show what grows faster than the input."""

_ONE_IN = 400
"""One in so many inputs is such a long one."""
_NUMBERS = (b"0", b"1", b"-1", b"00", b"125", b"126", b"127", b"255", b"256", b"65535", b"65536", b"65537",
            b"2147483648", b"4294967296", b"9007199254740993", b"9223372036854775807", b"18446744073709551616",
            b"1e999", b"NaN", b"0x10", b"1_0", b"+1", b"9" * 400)
_BYTES = b"\x00\x01\x09\x0a\x0b\x0d\x1c\x20\x22\x27\x2c\x3a\x3b\x5c\x7e\x7f\x80\x85\xa0\xc0\xe2\xed\xf0\xff"
_NUMBER = re.compile(rb"\d+")


class Mutator:
    """Makes inputs from ``corpus``, to which its owner may add. Equal arguments give equal inputs."""

    def __init__(self, source: random.Random, corpus: list[bytes], words: Sequence[bytes]) -> None:
        self._random = source
        self._corpus = corpus
        self._words = words or (b"",)
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip, self._set_byte, self._delete, self._duplicate, self._insert_word, self._put_word,
            self._set_number, self._insert_other, self._swap_tail,
        )

    def make(self) -> bytes:
        """The next input."""
        data = bytearray(self._random.choice(self._corpus))
        for _ in range(1 << self._random.randrange(4)):
            self._random.choice(self._changes)(data)
        if not self._random.randrange(_ONE_IN):
            return self._repeat(data)
        return bytes(data[:LONGEST])

    def _part(self, data: Sequence[int], longest: int = 64) -> slice:
        start = self._random.randrange(len(data) + 1)
        return slice(start, start + self._random.randint(1, longest))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _set_byte(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] = self._random.choice(_BYTES)

    def _delete(self, data: bytearray) -> None:
        del data[self._part(data)]

    def _duplicate(self, data: bytearray) -> None:
        part = self._part(data)
        data[part.start:part.start] = data[part] * self._random.choice((1, 1, 2, 5))

    def _insert_word(self, data: bytearray) -> None:
        at = self._random.randrange(len(data) + 1)
        data[at:at] = self._random.choice(self._words)

    def _put_word(self, data: bytearray) -> None:
        data[self._part(data, 12)] = self._random.choice(self._words)

    def _set_number(self, data: bytearray) -> None:
        if found := list(_NUMBER.finditer(bytes(data[:LONGEST]))):
            start, end = self._random.choice(found).span()
            data[start:end] = self._random.choice(_NUMBERS)

    def _insert_other(self, data: bytearray) -> None:
        other = self._random.choice(self._corpus)
        at = self._random.randrange(len(data) + 1)
        data[at:at] = other[self._part(other, 200)]

    def _swap_tail(self, data: bytearray) -> None:
        other = self._random.choice(self._corpus)
        data[self._random.randrange(len(data) + 1):] = other[self._random.randrange(len(other) + 1):]

    def _repeat(self, data: bytearray) -> bytes:
        part = self._part(data)
        room = LONGEST_REPEATED - len(data)
        repeated = bytes(data[part]) or b"["
        return bytes(data[:part.start]) + repeated * (room // len(repeated)) + bytes(data[part.start:])

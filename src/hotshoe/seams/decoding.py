"""Decodes what clients send, as bokeh does, within limits: a value that was accepted can also be sent again.

bokeh itself would inflate any bytes, make arrays of any type, and take integers and nestings that it can't encode.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from bokeh.core.serialization import Deserializer

from ..config.limit_table import LIMITS

DTYPES = frozenset({"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
                    "float32", "float64", "object"})
"""The types of arrays that BokehJS and bokeh send; others may be huge, or no JSON at all."""

_LARGEST = (1 << LIMITS.integer_bits) - 1
_SMALLEST = -_LARGEST
_PLAIN = frozenset({str, float, bool, type(None)})
"""Types of values that are taken as they are."""
_GZIP = 31
"""zlib's name for the format."""


class Decoder(Deserializer):
    """Decodes one message. An error means that nothing was applied yet."""

    def __init__(self, *, setter: object = None) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self.models = 0
        """How often the message names a model, or defines one."""
        self._depth = 0
        self._repeatable_bytes = LIMITS.repeated_bytes
        self._used: set[str] = set()

    def _decode(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is list or kind is dict:
            self._depth += 1
            if self._depth > LIMITS.nesting:
                self.error(f"lists and objects are nested more than {LIMITS.nesting} deep")
            result = self._decode_list(obj) if kind is list else super()._decode(obj)
            self._depth -= 1
            return result
        if kind is int and not _SMALLEST <= obj <= _LARGEST:
            self.error("an integer is too large")
        return obj

    def _decode_list(self, obj: list[Any]) -> list[Any]:
        return [each if (kind := type(each)) in _PLAIN or (kind is int and _SMALLEST <= each <= _LARGEST)
                else self._decode(each) for each in obj]

    def _decode_number(self, obj: Any) -> float:
        value = obj["value"]
        if not isinstance(value, str | float | int):
            self.error("expected a number")
        return float(value) if isinstance(value, str) else self._decode(value)

    def _decode_bytes(self, obj: Any) -> bytes | memoryview:
        data = obj["data"]
        if isinstance(data, str):
            return self._inflate(base64.b64decode(data))
        buffer = super()._decode_bytes(obj)
        if data["id"] in self._used:
            self._repeat(len(buffer))
        self._used.add(data["id"])
        return buffer

    def _inflate(self, data: bytes) -> bytes:
        gzip = zlib.decompressobj(_GZIP)
        inflated = gzip.decompress(data, self._repeatable_bytes + 1)
        self._repeat(len(inflated))
        if not gzip.eof or gzip.unused_data:
            self.error("compressed bytes are incomplete, or more than one file")
        return inflated

    def _repeat(self, nbytes: int) -> None:
        """Count bytes that the message itself does not have."""
        self._repeatable_bytes -= nbytes
        if self._repeatable_bytes < 0:
            self.error("the message becomes too large")

    def _decode_ndarray(self, obj: Any) -> Any:
        if obj["dtype"] not in DTYPES:
            self.error(f"unsupported dtype {str(obj['dtype'])[:50]!r}")
        return super()._decode_ndarray(obj)

    def _decode_ref(self, obj: Any) -> Any:
        self.models += 1
        return super()._decode_ref(obj)

    def _decode_object_ref(self, obj: Any) -> Any:
        self.models += 1
        if not isinstance(obj["id"], str):
            self.error("the id of a model is not a text")
        return super()._decode_object_ref(obj)

"""What bokeh's serializer makes, as JSON bytes and buffers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson
from bokeh.core.serialization import Buffer


def to_json(content: Any, *, inline: bool = False) -> bytes:
    """JSON bytes of what bokeh's serializer made; buffers as references, or with ``inline`` as base64 text."""
    plain = _with_base64 if inline else _with_reference
    try:
        return orjson.dumps(content, default=plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError:  # what JSON can say and orjson won't: a lone surrogate, a huge integer
        return json.dumps(content, default=plain, separators=(",", ":")).encode()


def copied(buffers: Iterable[Buffer]) -> tuple[tuple[str, bytes], ...]:
    """Pairs of a buffer's id and a copy of its bytes: an app may write into its array while the message waits."""
    return tuple((buffer.id, bytes(buffer.data)) for buffer in buffers)


def _with_reference(obj: object) -> Any:
    return obj.ref if isinstance(obj, Buffer) else _plain(obj)


def _with_base64(obj: object) -> Any:
    return obj.to_base64() if isinstance(obj, Buffer) else _plain(obj)


def _plain(obj: object) -> Any:
    # bokeh's serializer lets numpy's subclasses of float pass, which is all that json.dumps asks for.
    if isinstance(obj, float):
        return float(obj)
    raise TypeError(f"can't be sent to a browser: {type(obj).__name__}")

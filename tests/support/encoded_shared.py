"""A ``Shared`` behind bytes: each call and each result is encoded and decoded, as on the way to another process."""

from __future__ import annotations

from typing import Any

import msgspec

from hotshoe.base.shared import Changes, Shared, Space

Value = bytes | None

_TYPES: dict[str, tuple[Any, Any]] = {
    "get": (tuple[Space, tuple[str, ...]], tuple[Value, ...]),
    "put": (tuple[Space, str, bytes, float | None], None),
    "swap": (tuple[Space, str, Value, Value, float | None], Value),
    "take": (tuple[Space, str], Value),
    "changes": (tuple[Space, str | None], Changes),
}
"""For each method the types of its arguments and of its result."""


class EncodedShared:
    """Passes all calls on to another ``Shared``."""

    def __init__(self, inner: Shared) -> None:
        self._inner = inner

    async def get(self, space: Space, *keys: str) -> tuple[Value, ...]:
        result: tuple[Value, ...] = await self._call("get", space, keys)
        return result

    async def put(self, space: Space, key: str, value: bytes, ttl_s: float | None) -> None:
        await self._call("put", space, key, value, ttl_s)

    async def swap(self, space: Space, key: str, old: Value, new: Value, ttl_s: float | None) -> Value:
        result: Value = await self._call("swap", space, key, old, new, ttl_s)
        return result

    async def take(self, space: Space, key: str) -> Value:
        result: Value = await self._call("take", space, key)
        return result

    async def changes(self, space: Space, since: str | None = None) -> Changes:
        result: Changes = await self._call("changes", space, since)
        return result

    async def _call(self, name: str, *arguments: Any) -> Any:
        arguments_type, result_type = _TYPES[name]
        arrived = msgspec.msgpack.decode(msgspec.msgpack.encode(arguments), type=arguments_type)
        if name == "get":
            arrived = (arrived[0], *arrived[1])
        result = await getattr(self._inner, name)(*arrived)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(result), type=result_type)

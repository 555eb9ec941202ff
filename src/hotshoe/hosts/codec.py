"""Encodes the frames between a front and a host in another process with msgpack. Buffers are sent unchanged.

A frame is a call, its answer, an event of the host, or a websocket's message. ``METHODS`` lists all calls, with the
types of their arguments and results. The reader raises ``ProtocolError`` for data that does not have these types.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..base import errors
from ..base.errors import HotshoeError, InternalError, ProtocolError, Report
from ..base.logs import PacedLog, origin_of
from ..base.users import User, user_name
from ..wire.messages import TOO_BIG, Close, Incoming
from .host import Event, FileInfo, FileName, Opened, OpenRequest, SessionInfo, Statistics

_log = PacedLog(logging.getLogger("hotshoe.host"), most=20)

MAX_FRAME_BYTES = 1 << 28
"""Larger frames are neither sent nor read."""

METHODS: Mapping[str, tuple[Any, Any]] = {
    "start": (tuple[()], None),
    "stop": (tuple[float, ...], None),
    "open": (tuple[OpenRequest], Opened),
    "attach": (tuple[OpenRequest], None),
    "receive": (tuple[int], tuple[tuple[bytes, ...], ...] | Close),
    "ready": (tuple[int], None),
    "metadata": (tuple[str], Any),
    "serve_app": (tuple[str, str], None),
    "withdraw_app": (tuple[str], None),
    "file": (tuple[FileName], FileInfo),
    "component_apps": (tuple[str], tuple[str, ...]),
    "read_file": (tuple[FileName, str, int, int], bytes),
    "model_script": (tuple[str], str | None),
    "statistics": (tuple[()], Statistics),
    "sessions": (tuple[()], tuple[SessionInfo, ...]),
    "close": (tuple[str, str], bool),
    "update": (tuple[str, str, tuple[Any, ...]], None),
}
"""The methods of ``Host`` and the async ones of ``Attachment``: the types of their arguments, and of the result.

The number of the ``attach`` call identifies the attachment.
"""


class Call(Struct, tag=True, frozen=True):
    """The front calls a method of the host."""

    number: int
    method: str
    arguments: Raw
    log_fields: dict[str, str] = {}
    """The log fields of the request, for the host's log lines."""


class Cancel(Struct, tag=True, frozen=True):
    """The front no longer waits for the answer."""

    number: int


class Answer(Struct, tag=True, frozen=True):
    """The result of the method."""

    number: int
    value: Raw


class Failed(Struct, tag=True, frozen=True):
    """The error that the method raised; ``kind`` is the name of its class in ``base.errors``."""

    number: int
    kind: str
    text: str
    fields: dict[str, str | int | None] = {}
    report: Report | None = None


class EventFrame(Struct, tag=True, frozen=True):
    """An event of the host."""

    event: Event


class MessageFrame(Struct, tag=True, frozen=True):
    """A message from the browser, for an attachment."""

    attachment: int
    message: Incoming


class Detach(Struct, tag=True, frozen=True):
    """The websocket of an attachment is gone."""

    attachment: int


Frame = Call | Cancel | Answer | Failed | EventFrame | MessageFrame | Detach


_encoder = msgspec.msgpack.Encoder()

UNSENDABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What encoding raises for a value that can't cross: an object, half a surrogate pair, a number of more than 64 bits.
"""


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame. Raises ``ProtocolError`` if it is too large."""
    return _limited(_encoder.encode(frame))


def decode_frame(data: bytes) -> Frame:
    """Decode a frame. Raises ``ProtocolError``."""
    frame: Frame = unpack(_limited(data), Frame)
    return frame


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a frame between front and host has {len(data)} bytes, more than {MAX_FRAME_BYTES}",
                            close_code=TOO_BIG)
    return data


def pack(value: Any) -> Raw:
    """Encode a call's arguments or result as a part of a frame. Raises ``TypeError`` for other than plain data."""
    try:
        return Raw(_encoder.encode(value))
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise TypeError(str(error)) from error


def unpack(data: bytes | Raw, kind: Any) -> Any:
    """Decode ``data`` as a value of type ``kind``. Raises ``ProtocolError``."""
    try:
        return _decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a frame between front and host is malformed: {error}") from error


def without_objects(open_request: OpenRequest) -> OpenRequest:
    """The request without objects: a framework's own user becomes a name and an email; its session keeps plain data."""
    request = open_request.request
    session = None if request.session is None else _plain(request.session)
    return replace(open_request, request=replace(request, user=_plain_user(request.user), session=session))


def restore_user(open_request: OpenRequest) -> OpenRequest:
    """The decoded request, in which a user that was encoded as a dictionary is a ``User`` again."""
    request = open_request.request
    if not isinstance(request.user, dict):
        return open_request
    return replace(open_request, request=replace(request, user=msgspec.convert(request.user, User)))


def _plain_user(user: Any) -> User | str | None:
    if isinstance(user, User):
        return replace(user, claims=_plain(user.claims))
    name = user_name(user)
    if name is None or isinstance(user, str):
        return name
    email = getattr(user, "email", "")
    return User(name, email if isinstance(email, str) else "")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that can be encoded."""
    plain = {}
    for name, value in values.items():
        with suppress(*UNSENDABLE):
            _encoder.encode(value)
            plain[name] = value
    return plain


_KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, HotshoeError)}


def encode_error(number: int, method: str, error: BaseException) -> bytes:
    """Encode an error. An app's subclass of an error of ``base.errors`` is sent as that error.

    Any other error is logged here, and sent as ``InternalError``.
    """
    kind = next((base for base in type(error).__mro__ if _KINDS.get(base.__name__) is base), HotshoeError)
    if kind is HotshoeError:
        return encode_error(number, method, _internal(method, error))
    fields = {name: value for name, value in vars(error).items()
              if isinstance(value, str | int | None) and not name.startswith("_")}
    try:
        return encode_frame(Failed(number, kind.__name__, str(error), fields, getattr(error, "report", None)))
    except (ProtocolError, *UNSENDABLE) as failure:
        return encode_error(number, method, _internal(method, failure))


def _internal(method: str, error: BaseException) -> InternalError:
    error_id = secrets.token_hex(4)
    if not isinstance(error, asyncio.CancelledError):
        _log.error("%s failed in the host (error %s)", method, error_id, kind=origin_of(error), exc_info=error)
    return InternalError(error_id)


def decode_error(raised: Failed) -> HotshoeError:
    """The error as it was raised; a ``ProtocolError`` in place of one that there is not, so that no call waits on."""
    kind = _KINDS.get(raised.kind)
    if kind is None:
        return ProtocolError(f"there is no error {raised.kind!r}")
    error = kind.__new__(kind)
    error.args = (raised.text,)
    vars(error).update(raised.fields)
    if issubclass(kind, errors.BuildError):
        vars(error)["report"] = raised.report
    return error

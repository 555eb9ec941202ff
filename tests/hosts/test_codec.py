"""What crosses between a front and a host elsewhere comes out as it went in, or is refused where it is read."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotshoe.base import errors
from hotshoe.base.errors import BuildError, Failure, Frame, HotshoeError, InternalError, ProtocolError, Report
from hotshoe.base.users import User
from hotshoe.hosts import codec
from hotshoe.hosts.codec import METHODS, Answer, Call, Detach, EventFrame, MessageFrame
from hotshoe.hosts.host import AppInfo, AppsChanged, AsPage, AsScript, Attachment, Host, OpenRequest, SessionEnded
from hotshoe.http.requests import Request
from hotshoe.wire import Close, Incoming

REPORT = Report(
    (Failure("ValueError", "no <b>", (Frame("/x.py", 3, "f", True, ((2, "a"), (3, "b")), (("x", "1"),)),)),
     Failure("KeyError", "'k'", (), "It was raised from")), "Traceback …")
ERRORS = [
    errors.ConfigError("--port: no"), errors.AppError("a.py: none"), errors.BindError("in use"),
    errors.SiteError("the site"), errors.ProtocolError("too large", close_code=1009),
    errors.TokenError("forged", reason="forged"), errors.RequestError("gone", status=404),
    errors.LoginError("log in", "../login"), errors.LoginError("log in"), errors.AccessError("not you", "logout"),
    errors.CapacityError("full", status=429), errors.CapacityError("full"), BuildError("/a", "0123abcd"),
    BuildError("/a", "0123abcd", REPORT), errors.CompileError("node is missing"), InternalError("0123abcd"),
    errors.SessionGone("session s has ended"), errors.EarlyReadError("session_context.user"),
    errors.UnlockedChangeError("without its lock"),
    errors.ClientError("no"), errors.NoServerError("nobody"), errors.RefusedError("no", status=403, code=1008),
    errors.ClientTimeout("late"), errors.LostError("lost"), errors.RemoteError("no"), errors.UserError("no"),
]


def crossed(error: BaseException) -> HotshoeError:
    raised = codec.decode_frame(codec.encode_error(7, "open", error))
    assert isinstance(raised, codec.Failed)
    assert raised.number == 7
    return codec.decode_error(raised)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_each_error_comes_out_as_it_went_in(error: HotshoeError) -> None:
    again = crossed(error)
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
    for name in ("status", "close_code"):
        assert getattr(again, name, None) == getattr(error, name, None)


def kinds_below(kind: type[HotshoeError]) -> Iterator[type[HotshoeError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from kinds_below(child)


def test_no_error_is_left_out() -> None:
    assert {type(error) for error in ERRORS} == set(kinds_below(HotshoeError))


@pytest.mark.parametrize("error", [
    ValueError("secret"), SystemExit("secret"), HotshoeError("secret"), ExceptionGroup("secret", [KeyError("secret")]),
], ids=lambda error: type(error).__name__)
def test_any_other_error_crosses_by_its_id_alone(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    again = crossed(error)
    assert isinstance(again, InternalError)
    assert "secret" not in str(again) + repr(vars(again))
    assert again.error_id in caplog.text
    assert "secret" in caplog.text


def test_an_error_that_an_app_has_derived_crosses_as_what_it_was_derived_from() -> None:
    class NoSuchPlot(errors.RequestError):
        def __init__(self) -> None:
            super().__init__("no such plot", status=404)
            self.plot = object()

    again = crossed(NoSuchPlot())
    assert type(again) is errors.RequestError
    assert vars(again) == {"detail": "no such plot", "status": 404}


def test_one_that_can_not_be_encoded_crosses_by_its_id() -> None:
    assert isinstance(crossed(errors.RequestError("half a pair: \ud800")), InternalError)


def test_there_are_no_other_errors() -> None:
    assert type(codec.decode_error(codec.Failed(1, "SystemExit", "no"))) is ProtocolError


MESSAGE = Incoming("m", "PATCH-DOC", b"{}", (("b1", b"\x00\xff" * 9), ("b2", b"")), "r")


@pytest.mark.parametrize("frame", [
    Call(1, "open", codec.pack(()), {"request_id": "r"}), codec.Cancel(1), Answer(2, codec.pack(None)),
    EventFrame(SessionEnded("/a", "s")),
    EventFrame(AppsChanged({"/a": AppInfo("/a", "A", has_static=True, version="v")})),
    MessageFrame(3, MESSAGE), Detach(3),
], ids=lambda frame: type(frame).__name__)
def test_each_frame_comes_out_as_it_went_in(frame: codec.Frame) -> None:
    assert codec.decode_frame(codec.encode_frame(frame)) == frame


def test_buffers_cross_as_they_are() -> None:
    data = bytes(range(256)) * 4096
    frame = codec.encode_frame(MessageFrame(1, Incoming("m", "PATCH-DOC", b"{}", (("b", data),))))
    assert data in frame
    assert len(frame) < len(data) + 200
    sent = [(b"{}", memoryview(data))]
    assert codec.unpack(codec.pack(sent), METHODS["receive"][1]) == ((b"{}", data),)
    assert codec.unpack(codec.pack(Close(1000, "bye")), METHODS["receive"][1]) == Close(1000, "bye")


def wish_of(**request: Any) -> OpenRequest:
    return OpenRequest("/a", Request(**request), "s", {"role": "x"}, view=AsScript("e", "/p/a", "http://h/p/a"))


def through(open_request: OpenRequest) -> OpenRequest:
    packed = codec.pack((codec.without_objects(open_request),))
    (again,) = codec.unpack(packed, METHODS["open"][0])
    return codec.restore_user(again)


@pytest.mark.parametrize("request_", [
    {}, {"user": "jo"}, {"user": User("jo", "jo@example.org", frozenset({"a", "b"}), {"sub": 7, "roles": ["x"]})},
    {"arguments": {"x": [b"\xff", b""]}, "headers": {"Host": "h", "X": "\xe4"}, "cookies": {"c": "v"}, "query": "x=1",
     "remote_ip": "::1", "client_known": True, "session": {"n": 1, "nested": {"list": [1, None, True, 2.5]}}},
])
def test_a_wish_comes_out_as_it_went_in(request_: dict[str, Any]) -> None:
    open_request = wish_of(**request_)
    assert through(open_request) == open_request
    assert through(OpenRequest("/a", Request(), "s", None, may_create=False, view=AsPage())).view == AsPage()


def test_what_is_an_object_stays_in_the_front() -> None:
    class Account:
        username = "jo"
        email = "jo@example.org"

    again = through(wish_of(user=Account(), session={"cart": object(), "n": 1})).request
    assert again.user == User("jo", "jo@example.org")
    assert again.session == {"n": 1}
    again = through(wish_of(user=User("jo", claims={"key": object(), "sub": "7"}))).request
    assert again.user == User("jo", claims={"sub": "7"})

    class Nobody:
        is_authenticated = False

    assert through(wish_of(user=Nobody())).request.user is None


def test_what_is_no_plain_data_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), deep, 1 << 70, "\ud800"):
        with pytest.raises(TypeError):
            codec.pack((value,))


@pytest.mark.parametrize("data", [b"\x91" * 100_000 + b"\xc0", b"\x81\xa1a" * 100_000 + b"\xc0"])
def test_what_is_nested_too_deeply_is_refused(data: bytes) -> None:
    for read in (codec.decode_frame, lambda data: codec.unpack(data, Any)):
        with pytest.raises(ProtocolError, match="malformed"):
            read(data)


def test_a_frame_has_a_limit_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = codec.encode_frame(MessageFrame(1, MESSAGE))
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", len(frame))
    assert codec.decode_frame(codec.encode_frame(MessageFrame(1, MESSAGE))) == MessageFrame(1, MESSAGE)
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", len(frame) - 1)
    for read_or_write in (lambda: codec.decode_frame(frame), lambda: codec.encode_frame(MessageFrame(1, MESSAGE))):
        with pytest.raises(ProtocolError, match="more than") as caught:
            read_or_write()
        assert caught.value.close_code == 1009
    raised = codec.decode_frame(codec.encode_error(1, "open", errors.AppError("x" * 1000)))
    assert isinstance(raised, codec.Failed)
    assert raised.kind == "InternalError"


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    for kind in (codec.Frame, *(kind for pair in METHODS.values() for kind in pair if kind is not Any)):
        try:
            codec.unpack(data, kind)
        except ProtocolError as error:
            assert "malformed" in error.detail  # noqa: PT017 - it need not be raised


@given(st.data())
def test_a_frame_that_is_cut_or_changed_is_refused_or_a_frame(data: st.DataObject) -> None:
    frame = bytearray(codec.encode_frame(MessageFrame(1, MESSAGE)))
    at = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(ProtocolError):
        codec.decode_frame(bytes(frame[:at]))
    frame[at] = data.draw(st.integers(0, 255))
    try:
        codec.decode_frame(bytes(frame))
    except ProtocolError as error:
        assert error.close_code == 1002  # noqa: PT017


def test_each_method_of_a_host_has_its_types() -> None:
    methods = {name for protocol in (Host, Attachment) for name, value in vars(protocol).items()
               if inspect.iscoroutinefunction(value)}
    assert set(METHODS) == methods

"""The websocket questions about messages: what is answered, who is told what, in which order; and what is malformed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.support.differential.conversations import Conversation, Facets, anonymous, connect, model_of, new_token
from tests.support.malformed_messages import malformed
from tests.support.raw_http import get
from tests.support.raw_websocket import PING, ClosedError, Message, WebSocket, changed


def flows() -> Iterator[Conversation]:
    """All of them; each has a name of its own."""
    yield from _malformed()
    for flow in (_greeting, _pulling, _server_info, _pushing, _pushing_binary, _streaming, _renaming, _roots, _clicking,
                 _unknown_reference, _unknown_property, _wrong_value, _lost_model, _two_in_a_row, _fragmented, _pinged,
                 _closed_by_client, _session_shared):
        yield Conversation(f"flow: {flow.__name__.strip('_').replace('_', ' ')}", flow)
    for name, value in [("plain", 7), ("doubled", 7), ("clamped", 40), ("clamped", 80), ("failing", 3)]:
        yield Conversation(f"flow: set {name} to {value}", _setting(name, value))
    yield Conversation("flow: kept alive", _kept_alive, "prefix")
    yield Conversation("flow: too big a message", _too_big, "prefix")
    yield Conversation("flow: too big a frame", _too_big_a_frame, "prefix")


def _said(messages: Sequence[Message]) -> list[Any]:
    """What messages say, without ids: a PATCH-DOC as its events; joined or not, the same events in order."""
    said: list[Any] = []
    for header, _, content, _ in messages:
        if header["msgtype"] == "PATCH-DOC":
            said += [_event(event) for event in content["events"]]
        elif header["msgtype"] == "PULL-DOC-REPLY":
            said.append(["PULL-DOC-REPLY", len(content["doc"]["roots"])])
        elif header["msgtype"] == "ERROR":
            said.append(["ERROR", _words(content["text"]), content["traceback"] is not None])
        else:
            said.append([header["msgtype"], content])
    return said


def _words(text: str) -> str:
    """The text of an error; an id with some words around it is just that."""
    text = anonymous(text)
    return "an error id" if re.fullmatch(r"[\w ,.:]+[Ee]rror \(?ID\)?\.?|[\w ]+ \(error ID\)", text) else text


def _event(event: Facets) -> list[Any]:
    rest = {name: value for name, value in event.items() if name not in ("kind", "model", "attr")}
    if event["kind"] in ("RootAdded", "RootRemoved"):
        rest = {}
    return [event["kind"], event.get("attr"), rest]


def _watched(act: Callable[[WebSocket, Facets], list[Message]]) -> Callable[[int], Facets]:
    """``act`` in one of two connections of a session, and what both are told."""

    def hold(port: int) -> Facets:
        text = new_token()
        with connect(port, token=text) as actor, connect(port, token=text) as other:
            document = actor.pull()
            own = act(actor, document)
            seen = other.ask("PULL-DOC-REQ")
            return {"own": _said(own), "other": _said(seen)}

    return hold


def _setting(name: str, value: Any) -> Callable[[int], Facets]:
    return _watched(lambda socket, document: socket.set(model_of(document, name)["id"], "value", value))


def _greeting(port: int) -> Facets:
    with WebSocket(port, "/sliders/ws", protocols=("bokeh", new_token())) as socket:
        header, metadata, content, buffers = socket.next()
    return {"keys": sorted(header), "metadata": metadata, "content": content, "buffers": buffers}


def _pulling(port: int) -> Facets:
    with connect(port) as socket:
        header, metadata, content, _ = socket.ask("PULL-DOC-REQ")[-1]
    document = content["doc"]
    models = {model["name"]: sorted(model["attributes"]) for model in document["roots"]}
    return {"header": sorted(header), "metadata": metadata, "keys": sorted(document), "title": document["title"],
            "version": document["version"], "models": models, "config": document.get("config", {}).get("name")}


def _server_info(port: int) -> Facets:
    with connect(port) as socket:
        header, _, content, _ = socket.ask("SERVER-INFO-REQ")[-1]
    return {"header": sorted(header), "content": content}


_config: Facets = {"type": "object", "name": "DocumentConfig", "id": "pushed-0"}
_pushed: Facets = {"version": "3.9.2", "title": "Pushed", "config": _config, "roots": [
    {"type": "object", "name": "Div", "id": "pushed-1", "attributes": {"name": "pushed", "text": "t"}}]}


def _pushing(port: int) -> Facets:
    text = new_token()
    with connect(port, token=text) as actor, connect(port, token=text) as other:
        actor.pull()
        own = actor.ask("PUSH-DOC", {"doc": _pushed})
        other.say("PULL-DOC-REQ")
        seen = other.until("PULL-DOC-REPLY")
        document = seen[-1][2]["doc"]
        return {"own": _said(own), "title": document["title"], "roots": len(document["roots"])}


def _array(name: str) -> Facets:
    return {"type": "ndarray", "array": {"type": "bytes", "data": {"id": name}}, "shape": [3], "dtype": "float64",
            "order": "little"}


def _pushing_binary(port: int) -> Facets:
    data = bytes(range(24))
    source = {"type": "object", "name": "ColumnDataSource", "id": "pushed-2", "attributes": {
        "name": "s", "data": {"type": "map", "entries": [["x", _array("0")]]}}}
    with connect(port) as socket:
        own = socket.ask("PUSH-DOC", {"doc": {**_pushed, "roots": [source]}}, [("0", data)])
        header, _, content, buffers = socket.ask("PULL-DOC-REQ")[-1]
        column = content["doc"]["roots"][0]["attributes"]["data"]["entries"][0][1]
    return {"own": _said(own), "column": {**column, "array": column["array"]["type"]},
            "buffers": [data for _, data in buffers], "num_buffers": header.get("num_buffers")}


def _source_event(document: Facets, kind: str, **more: Any) -> Facets:
    return {"kind": kind, "model": {"id": model_of(document, "source")["id"]}, "attr": "data", **more}


_streaming = _watched(lambda socket, document: socket.ask("PATCH-DOC", {"events": [
    _source_event(document, "ColumnsStreamed", data={"x": [2], "y": [3]}, rollover=None),
    _source_event(document, "ColumnsPatched", patches={"x": [[0, 9]]}),
]}))
_streaming.__name__ = "_streaming"

_renaming = _watched(lambda socket, document: socket.ask("PATCH-DOC", {"events": [
    {"kind": "TitleChanged", "title": "Renamed"}]}))
_renaming.__name__ = "_renaming"

_roots = _watched(lambda socket, document: socket.ask("PATCH-DOC", {"events": [
    {"kind": "RootAdded", "model": _pushed["roots"][0]}, {"kind": "RootRemoved", "model": {"id": "pushed-1"}}]}))
_roots.__name__ = "_roots_added_and_removed"


def _clicked(document: Facets) -> Facets:
    values = {"type": "map", "entries": [["model", {"id": model_of(document, "three")["id"]}]]}
    return {"kind": "MessageSent", "msg_type": "bokeh_event",
            "msg_data": {"type": "event", "name": "button_click", "values": values}}


_clicking = _watched(lambda socket, document: socket.ask("PATCH-DOC", {"events": [_clicked(document)]}))
_clicking.__name__ = "_clicking_for_three_points"


def _and_then_ok(events: list[Facets]) -> Callable[[int], Facets]:
    def act(socket: WebSocket, document: Facets) -> list[Message]:
        slider = model_of(document, "plain")["id"]
        for event in events:
            event["model"] = {"id": slider} if event["model"] is None else event["model"]
        return [*socket.ask("PATCH-DOC", {"events": events}), *socket.set(slider, "value", 9)]

    return _watched(act)


def _unknown_reference(port: int) -> Facets:
    return _and_then_ok([changed("never-known", "value", 1)])(port)


def _unknown_property(port: int) -> Facets:
    return _and_then_ok([{**changed("", "no_such_property", 1), "model": None}])(port)


def _wrong_value(port: int) -> Facets:
    return _and_then_ok([{**changed("", "value", "text"), "model": None}])(port)


def _lost_model(port: int) -> Facets:
    def act(socket: WebSocket, document: Facets) -> list[Message]:
        echo = model_of(document, "echo")["id"]
        removed = socket.ask("PATCH-DOC", {"events": [{"kind": "RootRemoved", "model": {"id": echo}}]})
        return [*removed, *socket.set(echo, "text", "lost")]

    return _watched(act)(port)


def _two_in_a_row(port: int) -> Facets:
    def act(socket: WebSocket, document: Facets) -> list[Message]:
        names = ("doubled", "plain", "doubled")
        events = [changed(model_of(document, name)["id"], "value", 3 + at) for at, name in enumerate(names)]
        for event in events:
            socket.say("PATCH-DOC", {"events": [event]})
        return [message for _ in events for message in socket.until("OK")]

    return _watched(act)(port)


def _fragmented(port: int) -> Facets:
    with connect(port) as socket:
        header = json.dumps({"msgid": "f", "msgtype": "SERVER-INFO-REQ"})
        socket.send(header[:5], final=False)
        socket.send(b"in between", opcode=PING)
        socket.send(header[5:], opcode=0)
        socket.send("{}")
        socket.send("{}")
        answer = socket.next()
        return {"msgtype": answer[0]["msgtype"], "pongs": socket.pongs}


def _pinged(port: int) -> Facets:
    with connect(port) as socket:
        socket.send(b"payload", opcode=PING)
        socket.ask("SERVER-INFO-REQ")
        return {"pongs": socket.pongs}


def _closed_by_client(port: int) -> Facets:
    with connect(port) as socket:
        socket.send((1000).to_bytes(2, "big"), opcode=8)
        return {"closed": socket.closed()}


def _session_shared(port: int) -> Facets:
    """A page and two sockets are one session."""
    page = get(port, "/sliders")
    with connect(port, token=page.token) as one, connect(port, token=page.token) as two:
        one.set(model_of(one.pull(), "plain")["id"], "value", 42)
        return {"value": model_of(two.pull(), "plain")["attributes"]["value"]}


def _kept_alive(port: int) -> Facets:
    with connect(port, "/p/q/house/ws") as socket:
        while len(socket.pings) < 2:
            socket.ask("SERVER-INFO-REQ")
        return {"pings": socket.pings[:2]}


def _too_big(port: int) -> Facets:
    with connect(port, "/p/q/house/ws") as socket:
        try:
            socket.ask("PATCH-DOC", {"events": [], "filling": "x" * 60_000}, [("0", b"x" * 60_000)])
        except ClosedError as error:
            return {"closed": error.closed}
        return {"closed": None}


def _too_big_a_frame(port: int) -> Facets:
    with connect(port, "/p/q/house/ws") as socket:
        socket.socket.sendall(b"\x81\xff" + (200_000).to_bytes(8, "big") + bytes(4))
        return {"closed": socket.closed()}


def _malformed() -> Iterator[Conversation]:
    for name, fragments in malformed():
        yield Conversation(f"malformed: {name}", _sending(fragments))


def _sending(fragments: Sequence[str | bytes]) -> Callable[[int], Facets]:
    """Whether the server closes or goes on, and how it answers."""

    def hold(port: int) -> Facets:
        with connect(port) as socket:
            try:
                for fragment in fragments:
                    socket.send(fragment)
                answer = socket.next()
                while "reqid" not in answer[0]:
                    answer = socket.next()  # what the page's script is told of a failure
                socket.ask("SERVER-INFO-REQ")
            except ClosedError as error:
                return {"closed": error.closed}
            except ConnectionError:  # while sending; why it closed can still be read
                return {"closed": socket.closed()}
            return {"answered": answer[0]["msgtype"]}

    return hold

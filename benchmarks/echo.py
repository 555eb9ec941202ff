"""A server that answers every event at once and does no work: ``python -m benchmarks.echo PORT``.

What the load generator reaches against it is the ceiling of what it can measure.
"""

from __future__ import annotations

import sys

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

_ACK = ('{"msgid":"0","msgtype":"ACK"}', "{}", "{}")
_PATCH = ('{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":0}', "{}",
          '{"events":[{"kind":"ModelChanged","model":{"id":"p1000"},"attr":"value","new":1}]}')


class _Answers(WSListener):
    def __init__(self) -> None:
        self._index = 0
        self._msgid = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        _send(transport, _ACK)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        if self._index == 0:
            self._msgid = msgspec.json.decode(frame.get_payload_as_bytes())["msgid"]
        self._index = (self._index + 1) % 3
        if self._index == 0:
            _send(transport, _PATCH)
            _send(transport, (f'{{"msgid":"2","msgtype":"OK","reqid":"{self._msgid}"}}', "{}", "{}"))


def _send(transport: WSTransport, fragments: tuple[str, ...]) -> None:
    for fragment in fragments:
        transport.send(WSMsgType.TEXT, fragment.encode())


def _listener(request: WSUpgradeRequest) -> WSListener:
    return _Answers()


async def serve(port: int) -> None:
    """Serve until the process is told to stop."""
    server = await ws_create_server(_listener, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))

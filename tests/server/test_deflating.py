from typing import Any

import pytest
from tests.support.served_app import Served, both_loops, sending
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from hotshoe.base.process_threads import compute
from hotshoe.server import framing
from hotshoe.server.framing import deflated, deflater


def test_only_on_demand() -> None:
    assert deflater(None, None) is None
    for level, mem_level in ((0, None), (None, 1), (9, 9)):
        factory = deflater(level, mem_level)
        assert factory is not None
        _, extension = factory.process_request_params([], [])
        assert extension.encode is not None


def test_the_settings_reach_zlib() -> None:
    factory = deflater(3, 7)
    assert factory is not None
    assert factory.compress_settings == {"level": 3, "memLevel": 7}


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_each_call_continues_where_the_last_has_ended(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = 0
    real = compute

    async def counting(*arguments: Any) -> Any:
        nonlocal threads
        threads += 1
        return await real(*arguments)

    monkeypatch.setattr(framing, "compute", counting)
    ours, theirs = (PerMessageDeflate(False, False, 12, 12) for _ in range(2))
    reader, texts = StreamReader(), [b"%d " % number * (size // 2) for number in range(3)]
    for text in texts:
        reader.feed_data(b"".join(await deflated([(memoryview(text), False), (b"", True)], [ours])))
        for opcode, expected in ((Opcode.TEXT, text), (Opcode.BINARY, b"")):
            parser = Frame.parse(reader.read_exact, mask=False, max_size=None, extensions=[theirs])
            with pytest.raises(StopIteration) as ended:
                next(parser)
            assert (ended.value.value.opcode, bytes(ended.value.value.data)) == (opcode, expected)
    assert threads == (3 if size > 1000 else 0)


@both_loops
async def test_a_large_batch_and_a_small_one_arrive_in_order() -> None:
    large, small = b"large " * 200_000, b"small"
    served = Served(sending([(large, False), (memoryview(large), True)], [(small, False)]))
    served.state.extension = deflater(6, None)
    async with served, served.connect(compression="deflate") as client:
        assert client.protocol.extensions
        assert [await client.recv() for _ in range(3)] == [large.decode(), large, "small"]

"""What it costs to serve the apps from within a site: ``hotshoe.wrap`` around Flask, and a mount in Starlette."""

from __future__ import annotations

from collections.abc import Mapping

from ..servers import Server, Settings
from .measure import Row, Scale, Weight, p50_ms
from .roundtrip import mover, times_of
from .visit import pages, socket_to_document

WITHIN = 0.95
"""At most 5 % slower."""


class Inside:
    """A visitor of an app in a site: its page, its document, a slider that is moved."""

    name = "inside"
    settings = Settings(apps=("sliders",))
    rows = (
        Row("in a site: page load p50", "ms", target=WITHIN),
        Row("in a site: socket open to document p50", "ms"),
        Row("in a site: round trip p50, next event at once", "ms", target=WITHIN),
        Row("in a site: round trip p50, 30 Hz", "ms", target=WITHIN),
        Row("in a site: CPU of a round trip", "µs CPU"),
    )
    limit_s = 90.0
    weight = Weight.LIGHT

    async def run(self, server: Server, scale: Scale) -> Mapping[str, float]:
        page_s = pages(server.port, "sliders", scale.count(100))
        document_s = [await socket_to_document(server.port, "sliders") for _ in range(scale.count(50))]
        connection, move = await mover(server, "sliders")
        await times_of(connection, move, 30, period_s=0.0)  # Linux acknowledges a new socket's data at once
        before, count = server.cpu_s(), scale.count(3000)
        at_once_s = await times_of(connection, move, count, period_s=0.0)
        used_s = server.cpu_s() - before
        now_and_then_s = await times_of(connection, move, scale.count(150), period_s=1 / 30)
        connection.close()
        return {
            "in a site: page load p50": p50_ms(page_s),
            "in a site: socket open to document p50": p50_ms(document_s),
            "in a site: round trip p50, next event at once": p50_ms(at_once_s),
            "in a site: round trip p50, 30 Hz": p50_ms(now_and_then_s),
            "in a site: CPU of a round trip": used_s / count * 1e6,
        }

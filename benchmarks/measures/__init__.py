"""Everything that is measured, in the order of the table."""

from __future__ import annotations

from .inside import Inside
from .measure import Row, Scale, Scenario
from .roundtrip import Arrays, RoundTrip, Saturation, TwentyProperties
from .sessions import Expiry, ManySessions
from .streams import Crowd, Streams
from .visit import FirstVisit, Visit

__all__ = ["INSIDE", "SCENARIOS", "VERSIONS", "Row", "Scale", "Scenario"]

SCENARIOS: tuple[Scenario, ...] = (
    Visit(),
    RoundTrip(),
    Saturation("saturation", {"sliders": 1.5, "grid9": None}, "threads on", threads=None),
    Saturation("saturation0", {"sliders": 1.7}, "--threads 0", threads=0),
    ManySessions(),
    TwentyProperties(),
    Expiry(),
    Streams("streams", "one stream to N sessions", shared=False, target=1.5),
    Streams("viewers", "one stream to N viewers of one session", shared=True, target=8),
    Arrays(),
    FirstVisit(),
)

INSIDE: tuple[Scenario, ...] = (Inside(),)
"""What is measured of hotshoe alone: as it is, and from within a site."""

VERSIONS: tuple[Scenario, ...] = (
    Visit(),
    RoundTrip(at_once=1500),
    *(scenario for scenario in SCENARIOS if scenario.name in ("saturation", "saturation0", "many", "twenty", "expiry")),
    Crowd("streams", "one stream to 100 sessions", 100, shared=False),
    Crowd("viewers", "one stream to 600 viewers of one session", 600, shared=True),
    *(scenario for scenario in SCENARIOS if scenario.name in ("array", "bytes")),
)
"""What ``--against`` measures, by the same names: less is waited for, so that nine rounds are soon over."""

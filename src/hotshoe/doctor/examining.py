"""From an address to a report."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ConfigError
from .addresses import Address
from .checks import check
from .kinds import Kind, Sighting, recognise
from .observations import Examination
from .options import Options
from .remedies import advise
from .report import Report
from .walk import walk


def examine(url: str, options: Options = Options()) -> Report:  # noqa: B008 - it is a value
    """Walk to ``url``, an app, an index of apps or a page that embeds some, and report.

    What a server does is never raised. Raises ``ConfigError`` for an address or an option that can't be right.
    """
    try:
        asked = Address.typed(url)
    except ValueError as error:
        raise ConfigError(f"{url!r:.200} is no address: {error}") from None
    try:
        seen = walk(asked, options)
    except OSError as error:
        raise ConfigError(f"the file of --cafile can't be read: {error.strerror or error}") from None
    sightings = _sightings(seen)
    kinds = [sighting.kind for sighting in sightings]
    if options.proxy is not None:
        kinds = [options.proxy, *(kind for kind in kinds if kind.is_server)]
    findings = check(seen, insecure=options.insecure)
    return Report(str(asked), sightings, tuple(advise(findings, kinds, options.upstream)))


def _sightings(seen: Examination) -> tuple[Sighting, ...]:
    """Who answers; of the servers only that which the page was made by."""
    found = recognise(seen.replies())
    servers = tuple(_servers(seen))
    others = tuple(sighting for sighting in found if not sighting.kind.is_server)
    stock = tuple(sighting for sighting in found if sighting.kind is Kind.BOKEH)
    return others + (servers or stock)


def _servers(seen: Examination) -> Iterator[Sighting]:
    for mount in seen.mounts[:1]:
        markup, evidence = mount.markup, "its autoload.js" if mount.is_embedded else "its page"
        if markup.is_hotshoe:
            yield Sighting(Kind.HOTSHOE, evidence)
        elif markup.is_panel:
            yield Sighting(Kind.PANEL, evidence)
        elif markup.tickets:
            yield Sighting(Kind.BOKEH, evidence)

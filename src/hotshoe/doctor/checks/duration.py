"""What shows only with time, or with more than one visit: idle connections, held back data, several backends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..findings import Finding, info, ok, problem, warning
from ..kinds import Kind, recognise
from ..observations import Close, Examination, Mount, Talk
from ..words import duration
from .places import facts_of

_EARLY_S = 0.7
_PINGS_S = {True: 25.0, False: 37.0}
"""How often hotshoe, and how often others ping, unless told otherwise."""
_PLATFORM_IDLE_S = {Kind.HEROKU: 55, Kind.AWS_ALB: 60, Kind.GOOGLE: 30, Kind.CLOUDFLARE: 100, Kind.FLY: 60,
                    Kind.AZURE: 230}
"""How long they leave an idle websocket alone, unless told otherwise."""


def check_idle(seen: Examination) -> Iterator[Finding]:
    """Whether an idle websocket lives."""
    for mount in seen.mounts[:1]:
        if mount.talk is not None and mount.talk.pulled:
            yield from _idle(seen, mount, mount.talk)


def _idle(seen: Examination, mount: Mount, talk: Talk) -> Iterator[Finding]:
    facts = facts_of(mount.app)
    pings_s = _PINGS_S[mount.markup.is_hotshoe]
    if talk.close is not None:
        yield _cut(talk, talk.close, pings_s, facts)
        return
    if talk.watched_s and talk.pings_s:
        every = f"every {duration(_every(talk))}" if len(talk.pings_s) > 1 else f"after {duration(talk.pings_s[0])}"
        yield ok("idle.ok", f"The server pings {every}, and nobody cut the websocket in {duration(talk.watched_s)}.")
    elif talk.watched_s:
        yield info("idle.quiet", f"Nobody cut the idle websocket in {duration(talk.watched_s)}; no ping came.",
                   f"The server pings every {pings_s:g} s by default; watch for longer to see one: --idle 80.")
    else:
        yield info("idle.unwatched", "Not watched. Proxies cut idle websockets after 30 to 100 s; the server pings "
                                     f"every {pings_s:g} s by default.",
                   "To see for yourself: --idle 80.")
    yield from _short(seen, _every(talk) or pings_s, facts)


def _cut(talk: Talk, close: Close, pings_s: float, facts: dict[str, str]) -> Finding:
    said = "the server" if close.code is not None else "somebody on the way"
    words = f"An idle websocket is closed after {duration(close.after_s)} by {said}"
    if talk.pings_s:
        pings = f"pings came every {duration(_every(talk))}" if len(talk.pings_s) > 1 else "a ping came before"
        return problem("idle.cut", f"{words}; {pings}.",
                       "More pings would not help: raise the limit for how long a connection may last, or for how long "
                       "a visitor may send nothing.", **facts)
    keep_alive = _often_ms(max(close.after_s - talk.pull_s, talk.watched_s))
    return problem("idle.cut", f"{words}; no ping came before.",
                   f"Raise the proxy's idle timeout above the server's pings (every {pings_s:g} s by default), or have "
                   f"the server ping more often: --keep-alive {keep_alive} (milliseconds).",
                   **facts, keep_alive=str(keep_alive))


def _short(seen: Examination, pings_s: float, facts: dict[str, str]) -> Iterator[Finding]:
    for sighting in recognise(seen.replies()):
        limit = _PLATFORM_IDLE_S.get(sighting.kind)
        if limit is None:
            continue
        words = f"{sighting.kind.label} cuts websockets after {limit} s unless told otherwise."
        if sighting.kind is Kind.GOOGLE:
            yield warning("idle.short", words, "Raise it: it ends websockets that are not idle, too.", **facts)
        elif limit < pings_s:
            keep_alive = _often_ms(limit)
            yield warning("idle.short", words,
                          f"Raise it, or have the server ping more often: --keep-alive {keep_alive}.",
                          **facts, keep_alive=str(keep_alive))


def _often_ms(idle_s: float) -> int:
    """How often to ping so that an idle time is not reached: half of it, in whole seconds, or in fives of them."""
    half_s = int(idle_s / 2)
    return 1000 * max(half_s - half_s % 5 if half_s >= 10 else half_s, 1)


def _every(talk: Talk) -> float:
    gaps = [after - before for before, after in pairwise(talk.pings_s)]
    return sum(gaps) / len(gaps) if gaps else 0.0


def check_buffering(seen: Examination) -> Iterator[Finding]:
    """Whether messages come when they are sent. The server greets (``ACK``) as soon as the websocket is open."""
    for mount in seen.mounts[:1]:
        talk = mount.talk
        if talk is None or not talk.acknowledged:
            continue
        if talk.was_held:
            yield problem("buffering.held", "The server's greeting came only after more was sent: something on the "
                                            "way holds small messages back.",
                          "Switch off buffering and inspection of websockets there.", **facts_of(mount.app))
        else:
            yield ok("buffering.ok", "The server's greeting came at once: nobody holds small messages back.")


def check_backends(seen: Examination) -> Iterator[Finding]:
    """Whether every socket of a page meets the session of the page."""
    for mount in seen.mounts:
        if mount.talk is not None and mount.others:
            yield from _backends(mount, mount.talk)


def _backends(mount: Mount, first: Talk) -> Iterator[Finding]:
    facts = facts_of(mount.app)
    talks = (first, *mount.others)
    served = [talk for talk in talks if talk.pulled]
    if not served:
        return
    refused = [talk for talk in talks if talk.is_websocket and not talk.acknowledged]
    unreached = [talk for talk in talks if not talk.is_websocket]
    count = len(talks)
    if refused:
        yield problem("backends.refused", f"{len(refused)} of {count} websockets of one page were refused its token: "
                                          "there are several servers, and not all accept it.",
                      "Send a visitor always to the same server, and give all the same BOKEH_SECRET_KEY.", **facts)
    elif unreached:
        yield problem("backends.uneven", f"{len(unreached)} of {count} websockets of one page could not be opened.",
                      "One of several servers is missing or set up in another way: see the proxy's log.", **facts)
    elif strange := [talk for talk in served[1:] if mount.mark and talk.title == first.title]:
        # Not: all that have another title. An app may change it itself.
        yield warning("backends.no-affinity", f"{len(strange)} of {count} websockets of one page met another process, "
                                              "where the app ran anew: what a visitor did is lost when the connection "
                                              "breaks.",
                      "Send a visitor always to the same server, and let it be one process (no --num-procs).",
                      **facts)
    elif mount.mark:
        yield ok("backends.ok", f"{count} websockets of one page met the same session.")
